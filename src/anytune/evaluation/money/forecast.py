"""What asking will cost, said before anything is asked: tokens of the arms' real prompts, counted over a sample of the cases."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

from anytune.data.tokens import count
from anytune.errors import BudgetExceeded
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.evaluation.arms import Arm, Ask
    from anytune.evaluation.asking import Plan
    from anytune.evaluation.money.tariff import Tariff
    from anytune.evaluation.values import Case

__all__ = ["Forecast", "ask_tokens", "estimate_before", "most_tokens"]

_SAMPLE = 50
_MESSAGE, _END = 4, 3
"""Tokens around each message and at the end, as `anytune.data.tokens` has them."""

_IMAGE = 1_000
"""Tokens that an image is taken for: hosts count some hundred to some thousand by its size."""

_UNSTATED = 1_024
"""Tokens that an answer is taken to have at most, where no parameter says it."""

_ENOUGH = 1.2
"""Answers are taken to be a fifth longer than the right ones."""


class Forecast(Value):
    """What a plan will take.

    Attributes:
        requests: Questions, over all arms and repeats.
        prompt_tokens: As o200k_base counts them.
        completion_tokens: Expected, by the length of the right answers; `completion_tokens_at_most` by the limit that is sent.
        usd: Expected; None where a price is missing. `usd_at_most` with the longest answers.
        arms: Dollars expected of each arm.
        unpriced: Keys of the models of which no price by the token or by the hour is known; those by the hour are not in the sums.
        basis: How it was found.
    """

    requests: int
    prompt_tokens: int
    completion_tokens: int
    completion_tokens_at_most: int
    usd: float | None
    usd_at_most: float | None
    arms: dict[str, float | None]
    unpriced: tuple[str, ...] = ()
    basis: str

    def within(self, max_usd: float | None) -> None:
        """Hold it against a budget.

        Raises:
            BudgetExceeded: More is expected than may be spent. What is only possible (the longest answers) is left to the budget's watch.
        """
        if max_usd is not None and self.usd is not None and self.usd > max_usd:
            raise BudgetExceeded(
                f"Asking would cost about ${self.usd:,.2f}, and `spending.max_usd` is {max_usd:g}: nothing was asked. {self.basis}.",
                fix="Raise it, or ask less: `rows`, `repeats`, fewer arms.",
            )


def estimate_before(plan: Plan, tariffs: Mapping[str, Tariff], *, sample: int = _SAMPLE) -> Forecast:
    """Say what a plan will take, from the prompts of some of its cases.

    Args:
        plan: What is to be asked.
        tariffs: Prices by the key of the endpoint.
        sample: How many cases, drawn by the plan's seed.
    """
    cases = list(plan.cases)
    drawn = cases if len(cases) <= sample else Random(plan.seed).sample(cases, sample)  # noqa: S311 - a sample, no secret
    scale = len(cases) * plan.repeats / max(len(drawn), 1)
    sums = {arm.name: [round(part * scale) for part in _arm(arm, drawn)] for arm in plan.arms}
    arms = {arm.name: _dollars(arm, sums[arm.name][0], sums[arm.name][1], tariffs) for arm in plan.arms}
    most = [_dollars(arm, sums[arm.name][0], sums[arm.name][2], tariffs) for arm in plan.arms]
    unpriced = tuple(key for key in plan.models if key not in tariffs or not tariffs[key].known)
    prompt, expected, at_most = (sum(column) for column in zip(*sums.values(), strict=True)) if sums else (0, 0, 0)
    asking = sum(arm.model is not None for arm in plan.arms)
    return Forecast(
        requests=asking * len(cases) * plan.repeats,
        prompt_tokens=prompt,
        completion_tokens=expected,
        completion_tokens_at_most=at_most,
        usd=None if unpriced else sum(usd or 0.0 for usd in arms.values()),
        usd_at_most=None if unpriced else sum(usd or 0.0 for usd in most),
        arms=arms,
        unpriced=unpriced,
        basis=(
            f"Estimated from the prompts of {len(drawn):,} of {len(cases):,} cases in o200k_base tokens, without caching;"
            " answers a fifth longer than the right ones"
        ),
    )


def ask_tokens(ask: Ask) -> int:
    """Count the prompt tokens of a question, as o200k_base counts them; other models' own counts differ."""
    texts, fixed = [json.dumps(ask.tools)] if ask.tools else [], _END
    for message in ask.messages:
        fixed += _MESSAGE
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"text": content}] if content else []
        for part in parts:
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                texts.append(part["text"])
            else:
                fixed += _IMAGE
        if message.get("tool_calls"):
            texts.append(json.dumps(message["tool_calls"]))
    return fixed + sum(count(texts))


def most_tokens(params: Mapping[str, Any]) -> int:
    """Give how long an answer may be, as the question says it."""
    for name in ("max_completion_tokens", "max_tokens"):
        if isinstance(most := params.get(name), int):
            return most
    return _UNSTATED


def _arm(arm: Arm, cases: list[Case]) -> tuple[int, int, int]:
    """Sum up prompt tokens, expected tokens and the most tokens of answers over cases."""
    from anytune.evaluation.arms import Asking  # noqa: PLC0415 - it brings the index, which who only sums up does not need

    if not isinstance(arm, Asking):
        return 0, 0, 0
    prompt = expected = most = 0
    for case in cases:
        ask = arm.ask(case)
        longest = most_tokens(ask.params)
        right = sum(count([case.reference or "", json.dumps(case.tool_calls) if case.tool_calls else ""]))
        prompt += ask_tokens(ask)
        expected += min(round(right * _ENOUGH), longest) if right else longest
        most += longest
    return prompt, expected, most


def _dollars(arm: Arm, prompt: int, completion: int, tariffs: Mapping[str, Tariff]) -> float | None:
    if arm.model is None:
        return 0.0
    tariff = tariffs.get(arm.model)
    if tariff is None or not tariff.known:
        return None
    if not tariff.by_token:
        return 0.0
    return (prompt * (tariff.input_usd_per_million or 0.0) + completion * (tariff.output_usd_per_million or 0.0)) / 1e6
