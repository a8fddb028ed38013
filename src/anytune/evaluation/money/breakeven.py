"""From how many requests on a tuned model is the cheaper one: what was paid once over what each request saves."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from anytune.evaluation.needs import need
from anytune.evaluation.values import BreakEven, Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["break_even"]

_LEVEL = 0.95
_FEWEST = 3
"""Cases from which an interval says anything."""

_DRAWS, _BATCH = 9_999, 500


def break_even(
    candidate: Sequence[float | None],
    baseline: Sequence[float | None],
    *,
    names: tuple[str, str] = ("baseline", "candidate"),
    once_usd: float | None,
    per_month: int | None = None,
    seed: int = 0,
) -> BreakEven:
    """Give the number of requests from which on the candidate is cheaper.

    Args:
        candidate: Cost of one request for each case, in US dollars; None where it is not known.
        baseline: The same cases of the baseline, in the same order.
        names: The baseline's and the candidate's.
        once_usd: What is paid once; None where it is not known.
        per_month: Requests a month: the months are told then.
        seed: Of the bootstrap.
    """
    pairs = [(base, tuned) for base, tuned in zip(baseline, candidate, strict=True) if base is not None and tuned is not None]
    told_of = partial(BreakEven, baseline=names[0], candidate=names[1], once_usd=once_usd)
    if len(pairs) < _FEWEST:
        why = f"no break-even established: the cost of a request is known for {len(pairs)} cases of both"
        return told_of(requests=None, saved_usd=None, basis=why)
    saved = _saved([base - tuned for base, tuned in pairs], seed)
    low, high = saved.low or 0.0, saved.high or 0.0
    told = (
        f"a request saves ${saved.value:.3g} ({_LEVEL:.0%} interval ${low:.3g} to ${high:.3g},"
        f" paired BCa bootstrap over {len(pairs):,} cases)"
    )
    if low <= 0:
        why = "it costs more" if high < 0 else "that reaches 0"
        return told_of(requests=None, saved_usd=saved, basis=f"no break-even established: {told}, {why}")
    if once_usd is None:
        why = "but what is paid once is not known"
        return told_of(requests=None, saved_usd=saved, basis=f"no break-even established: {told}, {why}")
    requests = Estimate(value=once_usd / saved.value, low=once_usd / high, high=once_usd / low, level=_LEVEL)
    basis = f"${once_usd:,.2f} paid once; {told}"
    if per_month:
        months = [(bound or 0.0) / per_month for bound in (requests.value, requests.low, requests.high)]
        basis += f"; at {per_month:,} requests a month after {months[0]:.1f} months ({months[1]:.1f} to {months[2]:.1f})"
    return told_of(requests=requests, saved_usd=saved, basis=basis)


def _saved(differences: list[float], seed: int) -> Estimate:
    """Estimate the mean difference; where all are the same to a billionth, that is what it is."""
    numpy, stats = need("numpy"), need("scipy.stats")
    values = numpy.array(differences)
    mean = float(values.mean())
    if numpy.ptp(values) <= 1e-9 * max(abs(mean), 1e-12):
        return Estimate(value=mean, low=mean, high=mean, level=_LEVEL)
    drawn = stats.bootstrap(
        (values,), numpy.mean, n_resamples=_DRAWS, batch=_BATCH, confidence_level=_LEVEL, method="BCa", rng=numpy.random.default_rng(seed)
    )
    return Estimate(value=mean, low=float(drawn.confidence_interval.low), high=float(drawn.confidence_interval.high), level=_LEVEL)
