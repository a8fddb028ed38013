"""From answers to scores."""

from __future__ import annotations

from anytune.evaluation.graders import Grader
from anytune.evaluation.grading import Marks, confusion, flips, graded
from anytune.evaluation.values import Answer, Case, Grade


class Same(Grader):
    """Right where the answer is the reference."""

    type = name = "same"
    binary = True

    @classmethod
    def parsed(cls, _raw, _desk):
        return cls()

    def grade(self, case, sample):
        if sample.text == "?":
            return Grade(score=None, error="cannot tell")
        return Grade(score=float(sample.text == case.reference))


def case(number, reference="yes"):
    asked = ({"role": "user", "content": f"question {number}"},)
    return Case(id=f"c{number}", row=number, messages=asked, reference=reference)


def marks(**texts):
    """Give marks of arms, each with its answers in the cases' order; a list is the repeats of a case."""
    cases = [case(number) for number in range(1, 1 + len(next(iter(texts.values()))))]
    answers = [
        Answer(case=cases[place].id, arm=arm, repeat=repeat, text=text, error="" if text is not None else "Unreachable: gone")
        for arm, said in texts.items()
        for place, repeats in enumerate(said)
        for repeat, text in enumerate(repeats if isinstance(repeats, list) else [repeats])
    ]
    return Marks(cases, graded({one.id: one for one in cases}, answers, [Same()]))


def test_answers_that_failed_or_cannot_be_graded_count_as_wrong_and_are_told_apart():
    found = marks(a=["yes", "no", None, "?"])
    assert found.scores("a", "same") == [1.0, 0.0, 0.0, 0.0]
    assert found.ungraded("a", "same") == 1
    assert [sheet.grades["same"].error for sheet in found.of("a")] == ["", "", "Unreachable: gone", "cannot tell"]


def test_repeats_of_a_case_are_averaged():
    assert marks(a=[["yes", "no", "no", "yes"], ["yes", "yes", "yes", "no"]]).scores("a", "same") == [0.5, 0.75]


def test_flips_are_the_cases_on_which_two_arms_differ_lost_ones_first():
    found = flips(marks(new=["yes", "no", "yes", "no"], old=["no", "yes", "yes", None]), "new", "old", "same")
    assert [(flip.row, flip.candidate_score, flip.baseline_score) for flip in found] == [(2, 0.0, 1.0), (1, 1.0, 0.0)]
    assert (found[1].asked, found[1].candidate_text, found[1].baseline_text) == ("question 1", "yes", "no")


def test_many_flips_are_cut_to_as_many_of_each_side():
    found = flips(marks(new=["yes"] * 50 + ["no"] * 50, old=["no"] * 50 + ["yes"] * 50), "new", "old", "same")
    assert [flip.candidate_score for flip in found] == [0.0] * 30 + [1.0] * 30


def test_a_long_answer_is_cut_in_the_record_and_the_cut_is_told():
    (flip,) = flips(marks(new=["yes"], old=["x" * 5_000]), "new", "old", "same")
    assert flip.baseline_text.endswith("(1,000 more characters)")


def test_labels_are_counted_right_against_said():
    cases = [case(1, '{"intent": "play"}'), case(2, '{"intent": "stop"}')]
    texts = ['{"intent": "play"}', "no JSON"]
    answers = [Answer(case=one.id, arm="a", text=text) for one, text in zip(cases, texts, strict=True)]
    found = Marks(cases, graded({one.id: one for one in cases}, answers, [Same()]))
    assert confusion(found, "a", "answer.intent") == {"play": {"play": 1}, "stop": {"(none)": 1}}
