"""Small plans against a host on loopback, and a program that a test can kill."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune.evaluation.arms import built
from anytune.evaluation.asking import Plan, Store, ask_all
from anytune.evaluation.spec import EvaluationSpec, Limits
from anytune.evaluation.values import Case
from anytune.infer import Endpoint
from anytune.retry import Retry
from anytune.values import Address

if TYPE_CHECKING:
    from collections.abc import Sequence


def cases(count: int) -> list[Case]:
    return [
        Case(
            id=f"{number:016x}",
            row=number,
            messages=({"role": "user", "content": f"question {number}"},),
            reference=f"echo: question {number}",
        )
        for number in range(count)
    ]


def spec(**arms: dict[str, Any]) -> EvaluationSpec:
    arms = arms or {"base": {"type": "zero_shot", "model": "m"}, "again": {"type": "again", "of": "base"}}
    models = {name: {"base_url": "http://127.0.0.1:1/v1", "model": name} for name in ("m", "n")}
    return EvaluationSpec(data="test.jsonl", models=models, arms=arms, rule={"candidate": next(iter(arms))}, params={"max_tokens": 16})


def plan(count: int, *, repeats: int = 1, seed: int = 0, **arms: dict[str, Any]) -> Plan:
    wanted = spec(**arms)
    return Plan(cases(count), [built(wanted, name, None) for name in wanted.arms], repeats=repeats, seed=seed)


def endpoint(base_url: str, model: str = "m") -> Endpoint:
    return Endpoint(Address(base_url=base_url, model=model))


def quick() -> Retry:
    return Retry(sleep=lambda _: None)


def ask(plan: Plan, base_url: str, folder: Path, *, concurrency: int = 8, **more: Any) -> list[Any]:
    limits = more.pop("limits", None) or {key: Limits(concurrency=concurrency) for key in plan.models}
    opened = {key: endpoint(base_url, key) for key in plan.models}
    try:
        with Store(folder) as store:
            return list(ask_all(plan, opened, store, limits, retries=quick, **more).values())
    finally:
        for one in opened.values():
            one.close()


def main(argv: Sequence[str]) -> None:
    """Ask as a program of its own: address, folder, questions, repeats, concurrency."""
    base_url, folder, count, repeats, concurrency = argv
    ask(plan(int(count), repeats=int(repeats)), base_url, Path(folder), concurrency=int(concurrency))


if __name__ == "__main__":
    main(sys.argv[1:])
