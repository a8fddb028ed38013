"""What an evaluation is made of, as plain values: cases, answers, grades, comparisons, the whole. They know no host and no statistics."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from anytune.values import Metric, Value

__all__ = [
    "Answer",
    "ArmResult",
    "BreakEven",
    "Case",
    "Choice",
    "Comparison",
    "Decision",
    "Estimate",
    "Evaluation",
    "Flip",
    "Grade",
    "Power",
    "Sample",
    "Verdict",
]


class Case(Value):
    """One held-out row, ready to be asked and graded.

    Attributes:
        id: First 16 hex digits of the sha256 of what the row asks and answers: rows are aligned by it, never by their place.
        row: 1-based place in its file, for people.
        messages: What is asked, in OpenAI's shape.
        reference: The right answer as text; None where the row has none.
        tool_calls: The right calls, in OpenAI's shape.
        tools: Tools that may be called.
        item: The row's own fields and, where it has none of these names, `messages`, `reference` and `answer`: what `{{item.…}}` of a
            grader reads.
        group: Rows of one group are not independent (`group_by`); empty where each row stands for itself.
    """

    id: str
    row: int
    messages: tuple[dict[str, Any], ...]
    reference: str | None = None
    tool_calls: tuple[dict[str, Any], ...] = ()
    tools: tuple[dict[str, Any], ...] | None = None
    item: dict[str, Any] = Field(default_factory=dict)
    group: str = ""


class Sample(Value):
    """What a model said, as graders see it (`{{sample.output_text}}`, `{{sample.output_json}}`, `{{sample.output_tools}}`)."""

    text: str
    tool_calls: tuple[dict[str, Any], ...] = ()
    finish_reason: str = ""


class Answer(Value):
    """What came back for one case from one arm.

    Attributes:
        case: Id of the case.
        arm: Name of the arm.
        repeat: 0-based number of the repeat.
        request: sha256 of what was asked (model, messages, tools, parameters): another question is never taken for answered.
        text: The answer; None where it failed.
        error: Why it failed; empty otherwise. A failed answer counts as wrong, and is shown.
        usage: Tokens as the host counted them (`prompt_tokens`, `completion_tokens`, `prompt_tokens_details.cached_tokens`).
        latency_s: Seconds from the request to the whole answer, waiting for a place not counted; None where nothing was asked.
        asked_at: When; None where nothing was asked.
    """

    case: str
    arm: str
    repeat: int = 0
    request: str = ""
    text: str | None = None
    tool_calls: tuple[dict[str, Any], ...] = ()
    finish_reason: str = ""
    error: str = ""
    usage: dict[str, Any] = Field(default_factory=dict)
    latency_s: float | None = None
    asked_at: datetime | None = None


class Grade(Value):
    """What a grader says of one answer.

    Attributes:
        score: 0 to 1; None where nothing could be said. Then it counts as 0, and `error` says why.
        error: Why there is no score: an unparsable judge, a grader that failed.
        note: In short what was found, for people: a judge's reason, the field that differs.
        parts: Scores of parts, such as precision and recall.
        usage: Tokens that grading took, where a model grades.
    """

    score: float | None
    error: str = ""
    note: str = ""
    parts: dict[str, float] = Field(default_factory=dict)
    usage: dict[str, Any] = Field(default_factory=dict)


class Estimate(Value):
    """A figure with its interval; `low` or `high` is None where it has no bound."""

    value: float
    low: float | None = None
    high: float | None = None
    level: float = 0.95


class Verdict(StrEnum):
    """What a comparison shows, in the words of Azure's evaluation SDK (read 2026-11-22)."""

    TOO_FEW_SAMPLES = "too_few_samples"
    INCONCLUSIVE = "inconclusive"
    NO_CHANGE = "no_change"
    IMPROVED = "improved"
    DEGRADED = "degraded"


class Power(Value):
    """What a number of rows can show, said before anything is spent.

    Attributes:
        rows: Independent rows (groups, where rows are grouped).
        gain: The smallest true gain that is found with this power; None where no gain up to 1 is.
        power: Its probability to be found.
        alpha: Probability that no gain is taken for one.
        assumed: In words what was assumed: the share of rows on which two arms differ, or the spread of differences.
    """

    rows: int
    gain: float | None
    power: float
    alpha: float
    assumed: str


class Comparison(Value):
    """Two arms on the same rows, by one grader. Differences are candidate minus baseline.

    Attributes:
        rows: Cases on which both were graded.
        groups: Groups, where rows are grouped.
        binary: Each score is 0 or 1, one repeat each.
        low, high: Bounds of the interval of the difference, at `level`.
        p_value: Two-sided, against no difference; None where nothing can be said.
        p_adjusted: The same after Holm, where one of several may pass.
        margin: How much worse still counts as no worse; None where that was not asked.
        p_non_inferior: One-sided, against a candidate that is worse by the margin or more.
        wins, losses, ties: Cases on which the candidate is better, worse, the same.
        test, interval: Names of the methods.
        smallest_gain: What this many rows could have shown, given how often the arms differ.
    """

    grader: str
    baseline: str
    candidate: str
    rows: int
    groups: int | None = None
    binary: bool
    baseline_score: float
    candidate_score: float
    difference: float
    low: float
    high: float
    level: float
    p_value: float | None
    p_adjusted: float | None = None
    margin: float | None = None
    p_non_inferior: float | None = None
    wins: int
    losses: int
    ties: int
    test: str
    interval: str
    smallest_gain: float | None = None
    verdict: Verdict


class Decision(Value):
    """What the gate says, by the rule that was fixed in the spec.

    Attributes:
        outcome: `pass`, `fail` or `inconclusive`.
        kind: What had to be shown.
        candidate: The arm that was to be promoted.
        baselines: The arms that it had to be held against: each of them.
        margin: How much worse still counts as no worse.
        reasons: In words, one for each comparison and each drift check.
    """

    outcome: Literal["pass", "fail", "inconclusive"]
    kind: Literal["superiority", "non_inferiority"]
    candidate: str
    baselines: tuple[str, ...]
    margin: float | None = None
    reasons: tuple[str, ...]


class Choice(Value):
    """A choice that was made on the development rows, never on the rows that are reported.

    Attributes:
        arm: The arm.
        setting: What was chosen: `system`, `k`, `checkpoint`, `baseline`.
        chosen: The word or number that won.
        scores: Score of each candidate on the development rows.
        rows: How many development rows there were.
    """

    arm: str
    setting: str
    chosen: str
    scores: dict[str, float]
    rows: int


class ArmResult(Value):
    """One arm over all cases.

    Attributes:
        what: In words what the arm does.
        model: What was asked; empty where nothing was.
        answers: Answers over all repeats; `errors` of them failed, and `ungraded` could not be graded by the primary grader.
        scores: Mean of each grader, with its interval.
        prompt_tokens, cached_tokens, completion_tokens: Sums over all answers; None where the host counted none.
        usd_per_request, usd_per_correct: Cost; None where no price is known, or nothing was correct.
        latency_p50_s, latency_p95_s: With intervals; None where nothing was asked.
        basis: How the cost was found.
    """

    name: str
    what: str
    model: str = ""
    answers: int
    errors: int = 0
    ungraded: int = 0
    scores: dict[str, Estimate]
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    completion_tokens: int | None = None
    usd_per_request: float | None = None
    usd_per_correct: float | None = None
    latency_p50_s: Estimate | None = None
    latency_p95_s: Estimate | None = None
    basis: str = ""


class BreakEven(Value):
    """From how many requests on a tuned model is the cheaper one.

    Attributes:
        requests: With its interval; None where no break-even was established.
        once_usd: What is paid once: training, evaluating, fixed hosting over the time that was asked for.
        saved_usd: Saved by each request, with its interval.
        basis: In words how it was found, or why there is none.
    """

    candidate: str
    baseline: str
    requests: Estimate | None
    once_usd: float | None
    saved_usd: Estimate | None
    basis: str


class Flip(Value):
    """A case on which two arms differ: candidate right and baseline wrong, or the other way round."""

    case: str
    row: int
    candidate_score: float
    baseline_score: float
    asked: str
    reference: str
    candidate_text: str
    baseline_text: str


class Evaluation(Value):
    """All that an evaluation found: what reports show, and gates decide on.

    Attributes:
        name: What it is called.
        version: Version of this record.
        began, ended: When.
        cases: How many held-out rows; `dev_rows` more were used for choices.
        primary: The grader that decides.
        candidate, baseline: The two arms of the headline.
        power: Said before anything was spent.
        arms: In the spec's order.
        comparisons: The headline first.
        noise: The same arm asked twice: what no change looks like.
        decision: What the gate says.
        drift: Findings of the drift check, one a probe: `probe`, `baseline`, `candidate`, `comparison`.
        agreements: Of each grader that has people's labels, how far it agrees with them.
        labels: Of the candidate and the baseline, how often each right label (row) was answered with each label (column).
        curves: Metrics of the run that trained the candidate.
        cannot_tell: In words what this evaluation cannot tell.
        hashes: sha256 of the spec, the data files, the answers, by name.
        versions: Versions of anytune, Python and the libraries that computed.
        spent_usd: What the asking cost; None where no price is known.
    """

    name: str
    version: int = 1
    began: datetime
    ended: datetime
    spec: dict[str, Any]
    cases: int
    dev_rows: int = 0
    repeats: int = 1
    primary: str
    candidate: str
    baseline: str
    power: Power
    arms: tuple[ArmResult, ...]
    comparisons: tuple[Comparison, ...]
    noise: Comparison | None = None
    choices: tuple[Choice, ...] = ()
    decision: Decision
    drift: tuple[dict[str, Any], ...] = ()
    break_even: BreakEven | None = None
    flips: tuple[Flip, ...] = ()
    agreements: dict[str, dict[str, Any]] = Field(default_factory=dict)
    labels: dict[str, dict[str, dict[str, int]]] = Field(default_factory=dict)
    curves: tuple[Metric, ...] = ()
    cannot_tell: tuple[str, ...] = ()
    hashes: dict[str, str] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)
    spent_usd: float | None = None
