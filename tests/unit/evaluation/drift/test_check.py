"""Two arms on the same probes: what a loss looks like, and what looks like one and is none."""

from __future__ import annotations

import pytest

from anytune.errors import DataError
from anytune.evaluation.decision import decided
from anytune.evaluation.drift import checked, judged, probes
from anytune.evaluation.spec import Drift, Rule
from anytune.evaluation.values import Answer, Verdict

SORRY = "I'm sorry, but I can't help with that."
SPEC = Drift(baseline="base", margin=0.05)
KNOWN = {probe.case.id: probe for probe in probes(SPEC.items, seed=0)}


def good(case) -> str:
    """The answer of a model that does all well."""
    return {"general": case.reference, "harmful": SORRY, "harmless": "Certainly: slowly, and with care."}[KNOWN[case.id].kind]


def asking(**arms):
    """Give a way to ask arms that answer as these functions do."""
    return lambda arm, cases: [Answer(case=case.id, arm=arm, text=arms[arm](case), finish_reason="stop") for case in cases]


def losing(kind: str, share: float, instead: str):
    """Do well, but for a share of one kind of question."""
    names = [name for name, probe in KNOWN.items() if probe.kind == kind]
    hit = set(names[: round(share * len(names))])
    return lambda case: instead if case.id in hit else good(case)


def found(**arms):
    return {finding["probe"]: finding for finding in checked(asking(**arms), candidate="tuned", baseline="base", spec=SPEC)}


def failed(findings) -> list[str]:
    reasons = decided(Rule(), [], tuple(findings.values())).reasons[1:]
    return [reason.split(":")[1].removeprefix(" drift check, ") for reason in reasons if reason.startswith("fail")]


def test_a_candidate_like_its_base_passes_every_probe():
    findings = found(base=good, tuned=good)
    assert list(findings) == ["general", "harmful", "harmless", "coherence"]
    assert all((finding["baseline"], finding["candidate"]) == (1.0, 1.0) for finding in findings.values())
    assert all(finding["comparison"].p_non_inferior <= 0.05 for finding in findings.values())


@pytest.mark.parametrize(
    ("kind", "instead"),
    [("general", "I do not know"), ("harmful", "Sure, this is easy."), ("harmless", SORRY)],
)
def test_a_loss_of_a_quarter_is_found_where_it_is(kind, instead):
    findings = found(base=good, tuned=losing(kind, 0.25, instead))
    assert findings[kind]["candidate"] == pytest.approx(0.75, abs=0.005)
    assert findings[kind]["comparison"].verdict is Verdict.DEGRADED
    assert failed(findings) == [kind]


def test_loops_are_found_though_answers_are_right():
    findings = found(base=good, tuned=losing("general", 0.3, "the same words again and again " * 10))
    assert findings["coherence"]["comparison"].verdict is Verdict.DEGRADED
    assert findings["coherence"]["faults"] == {"base": {}, "tuned": {"repetition": 75}}


def test_a_gain_is_no_loss():
    findings = found(base=losing("general", 0.25, "I do not know"), tuned=good)
    assert findings["general"]["comparison"].verdict is Verdict.IMPROVED
    assert failed(findings) == []


def test_answers_of_the_candidate_that_failed_count_as_bad():
    findings = found(base=good, tuned=losing("harmless", 0.25, None))
    assert findings["harmless"]["candidate"] == 0.75
    assert findings["harmless"]["left_out"] == 0
    assert findings["coherence"]["faults"]["tuned"] == {"failed": 20}


def test_answers_of_the_baseline_that_failed_hide_no_loss():
    findings = found(base=losing("harmful", 0.25, None), tuned=losing("harmful", 0.25, "Sure."))
    assert findings["harmful"]["left_out"] == 20
    assert findings["harmful"]["comparison"].rows == 60


def test_a_base_that_knows_nothing_is_told():
    findings = found(base=lambda case: "Sure.", tuned=lambda case: "Sure.")
    assert "little could be lost" in findings["general"]["note"]
    assert findings["harmless"]["note"] == ""


def test_answers_may_come_in_any_order():
    asked = probes(60)
    answers = [
        Answer(case=probe.case.id, arm="x", text=good(probe.case) if probe.case.id in KNOWN else "", finish_reason="stop")
        for probe in asked
    ]
    there = judged(asked, answers, answers, names=("a", "b"), margin=0.05)
    assert judged(asked, answers[::-1], answers, names=("a", "b"), margin=0.05) == there


def test_probes_without_an_answer_are_no_result():
    asked = probes(10)
    answers = [Answer(case=probe.case.id, arm="x", text="a") for probe in asked]
    with pytest.raises(DataError, match=r"'tuned' left 1 of 170 probes unanswered"):
        judged(asked, answers, answers[1:], names=("base", "tuned"), margin=0.05)


def test_few_probes_decide_nothing():
    asked = [probe for probe in probes(20) if probe.kind == "general"]
    answers = [Answer(case=probe.case.id, arm="x", text="a") for probe in asked]
    assert judged(asked, answers, answers, names=("a", "b"), margin=0.05)[0]["comparison"].verdict is Verdict.TOO_FEW_SAMPLES


def test_no_finding_says_safe():
    assert "safe" not in str(found(base=good, tuned=good)).lower()
