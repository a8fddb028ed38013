"""Keeping what a model answers while it still answers: every held-out question asked several times, every answer in a file at once."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.data import describe
from anytune.data.files import resolve
from anytune.errors import AnytuneError, AuthError, BudgetExceeded, ConfigError, NotFound, QuotaExceeded
from anytune.evaluation.cases import read_cases
from anytune.evaluation.goldens import ARM, Captured, Header, Keeper, Line, read
from anytune.infer import Endpoint
from anytune.migration.asked import Cost, cost_of, found, until, usd
from anytune.runtime import runtime
from anytune.values import Address, now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import date

    from pydantic import SecretStr

    from anytune.evaluation.values import Case
    from anytune.model import TunedModel
    from anytune.runtime import Runtime

__all__ = ["PARAMS", "Plan", "capture"]

PARAMS: Mapping[str, Any] = {"temperature": 0.0, "max_tokens": 1024}
"""What is sent with each question where nothing else is said."""

_STOPS = (AuthError, NotFound, QuotaExceeded)
"""What the next question would meet too."""
_TTL_S = 4 * 3600.0


class Plan(NamedTuple):
    """What is about to be asked, told before anything is.

    Attributes:
        model: The model's id.
        cases: Questions.
        samples: Answers that each is to have.
        missing: Answers that are still to come: all, or what an earlier run left.
        answers_until: The day from which the model answers no more; None where none is known.
        cost: What it will cost.
        out: The file.
    """

    model: str
    cases: int
    samples: int
    missing: int
    answers_until: date | None
    cost: Cost
    out: Path


def capture(
    model: str | TunedModel, data: Path | str, *, samples: int = 3, backend: str | None = None, base_url: str | None = None,
    api_key: SecretStr | None = None, out: Path | str | None = None, params: Mapping[str, Any] | None = None,
    rows: int | None = None, max_usd: float | None = None, concurrency: int = 8, deploy: Mapping[str, Any] | None = None,
    on_plan: Callable[[Plan], object] | None = None, on_answer: Callable[[int, int], object] | None = None,
    context: Runtime | None = None,
) -> Captured:  # fmt: skip
    """Ask a model every held-out question several times, and keep each answer with its parameters, usage, latency and time.

    Run it again with the same file, and only what is missing or failed is asked: a killed run loses what was in flight. Neither questions
    nor answers are logged; the file is its owner's alone (0600).

    Args:
        model: A job's name, `openai:ftjob-…`, a model's id, or a model at hand.
        data: Held-out rows, in any format that is read for training.
        samples: Answers for each question. Three and more show how far the model agrees with itself.
        backend: A backend or profile that hosts the model, where the word does not say it.
        base_url: An OpenAI-compatible address up to and including `/v1` instead; `model` is the name to send then.
        api_key: The key of that address.
        out: The file; `DATA.captured.jsonl` beside the data by default.
        params: What is sent with each question; `PARAMS` by default.
        rows: At most so many questions, drawn by hash; None for all.
        max_usd: Nothing is asked where the estimate is higher, and nothing more once it could be used up.
        concurrency: Questions in flight.
        deploy: The backend's own words for hosting the model, where it has to be deployed to answer.
        on_plan: Called with what is about to be asked, before anything is.
        on_answer: Called with how many answers there are, and how many there are to be.
        context: Ledger, retries and clock; the process's own by default.

    Raises:
        BudgetExceeded: `max_usd` is too little; what was answered is kept.
        ConfigError: A setting makes no sense, or the file is of another capture.
        DataError: A row cannot be asked.
        AuthError: The host does not take the key; `NotFound` and `QuotaExceeded` stop it at once too.
    """
    context = context or runtime()
    if samples < 1 or concurrency < 1:
        raise ConfigError("`samples` and `concurrency` are 1 or more.", fix="Three samples show how far a model agrees with itself.")
    path = resolve(data)
    cases = read_cases(path, rows=rows)
    asked = dict(PARAMS if params is None else params)
    tuned = None if base_url is not None else found(model, backend, context) if isinstance(model, str) else model
    name = tuned.id if tuned is not None else str(model)
    trainer = tuned.backend if tuned is not None else None
    day = until(trainer, tuned) if trainer is not None and tuned is not None else None
    header = Header(
        model=name, backend=trainer.name if trainer else "", data=path.name, data_sha256=describe(path, "validation").sha256,
        cases=len(cases), samples=samples, params=asked, answers_until=day, began=now(),
    )  # fmt: skip
    target = Path(out) if out is not None else Path(f"{path.name.split('.')[0]}.captured.jsonl")
    with Keeper(target, header) as keeper:
        todo = [(case, number) for number in range(keeper.header.samples) for case in cases if (case.id, number) not in keeper.known]
        cost = cost_of(trainer, tuned, [case for case, _ in todo], 1, asked)
        _told(Plan(name, len(cases), keeper.header.samples, len(todo), day, cost, target), max_usd, on_plan)
        if todo:
            with _endpoint(tuned, name, base_url, api_key, deploy, context) as endpoint:
                _ask_all(_Asker(endpoint, asked), todo, keeper, _Purse(max_usd, cost, len(todo)), concurrency, on_answer)
    return read(target)


def _told(plan: Plan, max_usd: float | None, on_plan: Callable[[Plan], object] | None) -> None:
    if on_plan is not None:
        on_plan(plan)
    if max_usd is None or not plan.missing:
        return
    if plan.cost.usd is None:
        raise BudgetExceeded(f"What it will cost is not known: {plan.cost.basis}.", fix="Leave `max_usd` out, and begin with few `rows`.")
    if plan.cost.usd > max_usd:
        fix = "Raise it, or ask fewer `rows` or `samples`."
        raise BudgetExceeded(f"It will cost about ${plan.cost.usd:.2f}, and `max_usd` is ${max_usd:.2f}. Nothing was asked.", fix=fix)


@contextmanager
def _endpoint(
    tuned: TunedModel | None,
    name: str,
    base_url: str | None,
    api_key: SecretStr | None,
    deploy: Mapping[str, Any] | None,
    context: Runtime,
) -> Iterator[Endpoint]:
    """Give the endpoint; a host that has to be begun for it is taken down at the end."""
    if tuned is not None:
        with tuned.deploy(ttl_s=_TTL_S, name="capture", **dict(deploy or {})) as endpoint:
            yield endpoint
        return
    with Endpoint(Address(base_url=str(base_url), model=name, credential=api_key), retry=context.retry) as endpoint:
        yield endpoint


class _Purse:
    """Holds a run to its budget: what is in flight counts as much as it may cost at most."""

    def __init__(self, max_usd: float | None, cost: Cost, count: int) -> None:
        self._left = max_usd
        self._cost = cost
        self._most = (cost.most_usd or 0.0) / max(count, 1)
        self._held = 0

    def take(self) -> bool:
        """Hold the price of one more question; False where it could be too much."""
        if self._left is not None and (self._held + 1) * self._most > self._left:
            return False
        self._held += 1
        return True

    def settle(self, usage: dict[str, Any]) -> None:
        """Let go of one question, and pay what it took."""
        self._held -= 1
        if self._left is not None:
            self._left -= usd(usage, self._cost)


class _Asker:
    """Asks one question, and makes a line of what comes."""

    def __init__(self, endpoint: Endpoint, params: dict[str, Any]) -> None:
        self._endpoint, self._params = endpoint, params
        self.stop = threading.Event()
        endpoint.openai()  # once, before threads ask for it

    def __call__(self, case: Case, repeat: int) -> tuple[Line | None, AnytuneError | None]:
        """Give the line, and the error that ends the run, if any; neither where the run has ended."""
        if self.stop.is_set():
            return None, None
        began, at = time.perf_counter(), now()
        line = Line(case=case.id, row=case.row, arm=ARM, repeat=repeat, request=self._digest(case), asked_at=at)
        try:
            reply = self._endpoint.chat(case.messages, tools=case.tools, **self._params)
        except AnytuneError as error:
            if isinstance(error, _STOPS):
                self.stop.set()
                return None, error
            return line.model_copy(update={"error": type(error).__name__}), None  # its text may quote the row
        came = {
            "text": str(reply), "tool_calls": tuple(reply.tool_calls), "finish_reason": reply.finish_reason, "usage": reply.usage,
            "model": reply.model, "latency_s": round(time.perf_counter() - began, 4),
        }  # fmt: skip
        return line.model_copy(update=came), None

    def _digest(self, case: Case) -> str:
        body = json.dumps(self._endpoint.request(case.messages, case.tools, self._params), sort_keys=True, default=str)
        return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def _ask_all(
    ask: _Asker,
    todo: Sequence[tuple[Case, int]],
    keeper: Keeper,
    purse: _Purse,
    concurrency: int,
    told: Callable[[int, int], object] | None,
) -> None:
    total, waiting, ended = keeper.header.cases * keeper.header.samples, list(reversed(todo)), None
    flying: set[Future[tuple[Line | None, AnytuneError | None]]] = set()
    with ThreadPoolExecutor(max_workers=concurrency, thread_name_prefix="anytune-capture") as pool:
        try:
            while flying or waiting:
                while waiting and ended is None and len(flying) < concurrency and purse.take():
                    flying.add(pool.submit(ask, *waiting.pop()))
                if not flying:
                    break
                done, flying = wait(flying, return_when=FIRST_COMPLETED)
                for line, error in (future.result() for future in done):
                    purse.settle(line.usage if line is not None else {})
                    ended = ended or error
                    if line is not None:
                        keeper.keep(line)
                        if told is not None:
                            told(sum(not each.error for each in keeper.known.values()), total)
        except BaseException:
            ask.stop.set()
            raise
    if ended is not None:
        raise ended
    if waiting:
        fix = f"Raise `max_usd` and run the same again: {len(waiting):,} answers are missing, the others are kept."
        raise BudgetExceeded("`max_usd` is used up.", fix=fix)
