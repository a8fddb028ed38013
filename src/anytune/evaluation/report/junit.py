"""An evaluation as JUnit XML, which every CI shows: the gate, what it decides by, and the drift check are its test cases."""

from __future__ import annotations

import xml.etree.ElementTree as ET  # it writes here, and reads nothing
from typing import TYPE_CHECKING, Literal

from anytune.evaluation.decision import decided
from anytune.evaluation.report import words
from anytune.evaluation.report.texts import fit
from anytune.evaluation.spec import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.evaluation.values import Evaluation

__all__ = ["junit"]

Outcome = Literal["pass", "fail", "inconclusive"]


def junit(evaluation: Evaluation) -> str:
    """Give the XML. What fails is a failure; what is inconclusive is skipped, with its reason."""
    found = fit(evaluation, most=2_000)
    cases = list(_cases(found))
    took_s = f"{(found.ended - found.began).total_seconds():.3f}"
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(outcome == "fail" for _, outcome, _ in cases)),
        "errors": "0",
        "skipped": str(sum(outcome == "inconclusive" for _, outcome, _ in cases)),
        "time": took_s,
    }
    suites = ET.Element("testsuites", {"name": "anytune", **counts})
    suite = ET.SubElement(suites, "testsuite", {"name": found.name, "timestamp": found.began.isoformat(timespec="seconds"), **counts})
    for name, outcome, text in cases:
        case = ET.SubElement(suite, "testcase", {"classname": f"anytune.{found.name}", "name": name, "time": "0"})
        if outcome != "pass":
            kind = "failure" if outcome == "fail" else "skipped"
            ET.SubElement(case, kind, {"message": text.partition("\n")[0]}).text = text
        else:
            ET.SubElement(case, "system-out").text = text
    ET.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _cases(found: Evaluation) -> Iterator[tuple[str, Outcome, str]]:
    told = "\n".join((words.headline(found), words.rule(found.decision, found), *found.decision.reasons))
    yield ("gate", found.decision.outcome, told)
    decision = found.decision
    for one in found.comparisons:
        if one.grader == found.primary and one.candidate == decision.candidate and one.baseline in decision.baselines:
            rule = Rule(kind=decision.kind, candidate=one.candidate, margin=decision.margin, alpha=found.power.alpha)
            alone = decided(rule, [one])
            yield (f"{one.candidate} against {one.baseline} by {one.grader}", alone.outcome, f"{alone.reasons[0]}\n{words.compared(one)}")
    for name, comparison in words.probes(found):
        if comparison is None or comparison.margin is None:
            yield (f"drift check: {name}", "inconclusive", "The record has no comparison with a margin.")
            continue
        rule = Rule(kind="non_inferiority", candidate=comparison.candidate, margin=comparison.margin, alpha=found.power.alpha)
        alone = decided(rule, [comparison])
        yield (f"drift check: {name}", alone.outcome, f"{alone.reasons[0]}\n{words.compared(comparison)}")
