"""The cost of answers: by tokens as hosts count them, or by the hour over the throughput that was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.evaluation.money.tally import Tally, tokens_of
from anytune.evaluation.values import Estimate
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from anytune.evaluation.money.tariff import Tariff
    from anytune.evaluation.values import Answer

__all__ = ["ArmCosts", "arm_costs", "cost_of", "costs_by_case", "measured", "spent"]

_HOUR_S = 3600.0
_MEDIAN, _TAIL = 0.5, 0.95


class ArmCosts(Value):
    """What an arm took, by the names of `ArmResult`.

    Attributes:
        prompt_tokens, cached_tokens, completion_tokens: Sums over all answers; None where the host counted none.
        usd: Of all answers; None where no price or no count is known.
        usd_per_request: The same, by the answers that came.
        usd_per_correct: By what was right; None where nothing was.
        latency_p50_s, latency_p95_s: None where nothing was asked.
        basis: How the cost was found.
    """

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    usd: float | None = None
    usd_per_request: float | None = None
    usd_per_correct: float | None = None
    latency_p50_s: Estimate | None = None
    latency_p95_s: Estimate | None = None
    basis: str = ""


def cost_of(answer: Answer, tariff: Tariff) -> float | None:
    """Give what one answer cost in US dollars; None where that is not known. One that failed cost nothing that anybody can tell."""
    if tariff.by_token and answer.usage:
        return _by_token(*tokens_of(answer.usage), tariff)
    if tariff.usd_per_second is not None and answer.latency_s is not None:
        return answer.latency_s * tariff.usd_per_second
    return 0.0 if tariff.hourly_usd == 0 and not tariff.by_token else None


def spent(tally: Tally, tariff: Tariff) -> float:
    """Give what many answers cost, as far as it is known; where a host counted no tokens, what was set aside for them."""
    if tariff.by_token:
        return _by_token(tally.prompt_tokens, tally.cached_tokens, tally.completion_tokens, tariff) + tally.reserved_usd
    return tally.latency_s * (tariff.usd_per_second or 0.0)


def measured(tariff: Tariff, answers: Iterable[Answer], *, concurrency: int) -> Tariff:
    """Divide a price by the hour by the throughput that was measured.

    A host costs what it costs while it is busy: the seconds in which at least one question was open, whichever arm asked it. Each answer
    bears its share of them, by how long it took.

    Args:
        tariff: With `hourly_usd`; any other is given back as it is.
        answers: All that this host answered, of all arms.
        concurrency: How many questions were open at most.
    """
    if not tariff.hourly_usd or tariff.by_token:
        return tariff
    spans = [(one.asked_at.timestamp(), one.latency_s) for one in answers if one.asked_at is not None and one.latency_s is not None]
    busy_s, waited_s = _union(spans), sum(latency_s for _, latency_s in spans)
    if not busy_s:
        return tariff
    basis = (
        f"{tariff.basis}; {len(spans):,} answers in {busy_s:,.1f} s of being asked, {_HOUR_S * len(spans) / busy_s:,.0f} an hour"
        f" at up to {concurrency} at once: an idle host costs more for each"
    )
    return tariff.model_copy(update={"usd_per_second": tariff.hourly_usd / _HOUR_S * busy_s / waited_s, "basis": basis})


def arm_costs(answers: Iterable[Answer], tariff: Tariff | None, *, correct: float | None = None) -> ArmCosts:
    """Sum up what an arm took.

    Args:
        answers: All of the arm's, over all repeats.
        tariff: Of its model; None for an arm that asks none, which costs nothing.
        correct: How many were right: the sum of their scores, over all repeats.
    """
    if tariff is None:
        return ArmCosts(usd=0.0, usd_per_request=0.0, usd_per_correct=0.0 if correct else None, basis="asks no model")
    tally, usd, unknown, came = Tally(), 0.0, 0, 0
    latencies: list[float] = []
    for answer in answers:
        tally = tally.plus(answer)
        if answer.error:
            continue
        came += 1
        cost = cost_of(answer, tariff)
        usd, unknown = usd + (cost or 0.0), unknown + (cost is None)
        if answer.latency_s is not None:
            latencies.append(answer.latency_s)
    known = bool(came) and not unknown
    note = f"; of {unknown:,} of {came:,} answers the host counted no tokens" if unknown and tariff.known else ""
    return ArmCosts(
        prompt_tokens=tally.prompt_tokens if tally.counted else None,
        cached_tokens=tally.cached_tokens if tally.counted else None,
        completion_tokens=tally.completion_tokens if tally.counted else None,
        usd=usd if known else None,
        usd_per_request=usd / came if known else None,
        usd_per_correct=usd / correct if known and correct else None,
        latency_p50_s=_quantile(latencies, _MEDIAN),
        latency_p95_s=_quantile(latencies, _TAIL),
        basis=tariff.basis + note,
    )


def costs_by_case(answers: Mapping[tuple[str, str, int], Answer], arm: str, cases: Sequence[str], tariff: Tariff) -> list[float | None]:
    """Give the mean cost of each case's answers over its repeats, in the order of the cases; None where it is not known."""
    found: dict[str, list[float | None]] = {case: [] for case in cases}
    for (name, case, _), answer in answers.items():
        if name == arm and case in found and not answer.error:
            found[case].append(cost_of(answer, tariff))
    return [_mean(costs) for costs in found.values()]


def _mean(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) / len(known) if known and len(known) == len(costs) else None


def _by_token(prompt: int, cached: int, completion: int, tariff: Tariff) -> float:
    full = tariff.input_usd_per_million or 0.0
    cheap = full if tariff.cached_usd_per_million is None else tariff.cached_usd_per_million
    return ((prompt - cached) * full + cached * cheap + completion * (tariff.output_usd_per_million or 0.0)) / 1e6


def _union(spans: Sequence[tuple[float, float]]) -> float:
    """Give the seconds that lie in at least one span of (start, length)."""
    busy_s, until = 0.0, float("-inf")
    for start, length in sorted(spans):
        busy_s += max(start + length - max(start, until), 0.0)
        until = max(until, start + length)
    return busy_s


def _quantile(values: Sequence[float], q: float) -> Estimate | None:
    if not values:
        return None
    from anytune.evaluation.statistics import quantile  # noqa: PLC0415 - it loads scipy

    found: Estimate = quantile(values, q)
    return found
