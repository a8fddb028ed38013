"""What the gate says, by the rule that was fixed before anything was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from anytune.evaluation.values import Comparison, Decision, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anytune.evaluation.spec import Rule

__all__ = ["decided"]

Outcome = Literal["pass", "fail", "inconclusive"]


def decided(rule: Rule, comparisons: Sequence[Comparison], drift: Sequence[Mapping[str, Any]] = ()) -> Decision:
    """Decide whether the candidate may be promoted.

    Each comparison, and each finding of the drift check, passes, fails or is inconclusive:

    | asked | passes | fails | otherwise |
    |---|---|---|---|
    | superiority | improved | degraded; or the interval reaches no gain; or no change within the margin | inconclusive |
    | non-inferiority | `p_non_inferior` is at most alpha | degraded; or the interval lies below minus the margin | inconclusive |
    | drift | as non-inferiority, by the check's margin | the same | told, and does not stop a promotion |

    Too few rows are inconclusive, whatever they show. The whole passes where each comparison passes, and no drift fails: every baseline has
    to be beaten, so each is tested at alpha as it is, and nothing is adjusted (an intersection-union test). One failure fails the whole. A
    candidate that is worse by less than the margin, and certainly so, is no worse by this rule: its reason says that it is worse.

    Args:
        rule: Of the spec.
        comparisons: By the primary grader, of the candidate with each baseline that counts; those of other candidates are passed over.
        drift: Findings, each with `probe` and `comparison`.
    """
    own = [found for found in comparisons if found.candidate == rule.candidate]
    outcomes: list[Outcome] = []
    reasons: list[str] = []
    for found in own:
        outcome = _no_worse(found, rule.alpha) if rule.kind == "non_inferiority" else _better(found)
        outcomes.append(outcome)
        reasons.append(_said(outcome, f"{found.candidate} against {found.baseline}", found, rule.kind))
    for finding in drift:
        held = Comparison.model_validate(finding["comparison"])
        outcome = _no_worse(held, rule.alpha)
        outcomes.append("pass" if outcome == "inconclusive" else outcome)
        reasons.append(_said(outcome, f"drift check, {finding['probe']}", held, "non_inferiority"))
    return Decision(
        outcome=_together(outcomes) if own else "inconclusive",
        kind=rule.kind,
        candidate=rule.candidate,
        baselines=tuple(dict.fromkeys(found.baseline for found in own)),
        margin=rule.margin,
        reasons=tuple(reasons) if own else (f"inconclusive: {rule.candidate} was compared with nothing", *reasons),
    )


def _together(outcomes: Sequence[Outcome]) -> Outcome:
    if "fail" in outcomes:
        return "fail"
    return "inconclusive" if "inconclusive" in outcomes else "pass"


def _better(found: Comparison) -> Outcome:
    if found.verdict is Verdict.TOO_FEW_SAMPLES:
        return "inconclusive"
    if found.verdict is Verdict.IMPROVED:
        return "pass"
    return "fail" if found.verdict in {Verdict.DEGRADED, Verdict.NO_CHANGE} or found.high <= 0 else "inconclusive"


def _no_worse(found: Comparison, alpha: float) -> Outcome:
    if found.verdict is Verdict.TOO_FEW_SAMPLES or found.margin is None or found.p_non_inferior is None:
        return "inconclusive"
    if found.p_non_inferior <= alpha:
        return "pass"
    return "fail" if found.verdict is Verdict.DEGRADED or found.high < -found.margin else "inconclusive"


def _said(outcome: Outcome, about: str, found: Comparison, kind: str) -> str:
    """Say one outcome in words, with the figures that it rests on."""
    figures = (
        f"{100 * found.difference:+.1f} points, {100 * found.level:g} % interval {100 * found.low:+.1f} to {100 * found.high:+.1f}, "
        f"{found.rows} rows" + ("" if found.groups is None else f" in {found.groups} groups")
    )
    return f"{outcome}: {about}: {_why(outcome, found, kind)} ({figures})"


def _why(outcome: Outcome, found: Comparison, kind: str) -> str:
    if found.verdict is Verdict.TOO_FEW_SAMPLES:
        return "too few independent rows"
    if kind == "superiority":
        worse = "no change within the margin" if found.verdict is Verdict.NO_CHANGE else "not better"
        return {
            "pass": "better",
            "fail": "worse" if found.verdict is Verdict.DEGRADED else worse,
            "inconclusive": "not shown to be better",
        }[outcome]
    if found.margin is None:
        return "no margin was given"
    points = f"{100 * found.margin:g} points"
    if outcome == "pass":
        return f"worse, by less than {points}" if found.verdict is Verdict.DEGRADED else f"no worse by {points} or more"
    if outcome == "fail":
        return f"worse by more than {points}" if found.high < -found.margin else f"worse, and not shown to be so by less than {points}"
    return f"not shown to be no worse by {points}"
