"""Evaluations made by hand, one for each verdict: their figures hang together as those of a real one do."""

from __future__ import annotations

from datetime import UTC, datetime

from anytune.evaluation.values import (
    ArmResult,
    BreakEven,
    Choice,
    Comparison,
    Decision,
    Estimate,
    Evaluation,
    Flip,
    Power,
    Verdict,
)
from anytune.values import Metric

BEGAN = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
ENDED = datetime(2026, 11, 20, 9, 52, tzinfo=UTC)

SPEC = {
    "name": "recipes",
    "data": "test.jsonl",
    "models": {"base": {"backend": "trl", "model": "starter"}, "tuned": {"job": "recipes"}},
    "arms": {
        "base": {"type": "zero_shot", "model": "base"},
        "few_shot": {"type": "few_shot", "model": "base", "k": [3, 5, 8]},
        "tuned": {"type": "zero_shot", "model": "tuned"},
        "again": {"type": "again", "of": "tuned"},
    },
    "rule": {"candidate": "tuned", "baseline": "few_shot"},
    "spending": {"requests_per_month": 50_000},
}


def around(value, by=0.06):
    return Estimate(value=value, low=max(0.0, value - by), high=min(1.0, value + by))


def arm(name, what, score, *, usd=None, p50=None, model="starter", **more):
    latency = (
        {}
        if p50 is None
        else {
            "latency_p50_s": Estimate(value=p50, low=p50 * 0.9, high=p50 * 1.1),
            "latency_p95_s": Estimate(value=p50 * 2.5, low=p50 * 2, high=None),
        }
    )
    correct = None if usd is None or not score else usd / score
    given = {"model": model, "answers": 200, "scores": {"exact": around(score), "chrf": around(min(1.0, score + 0.05))}}
    given |= {"usd_per_request": usd, "usd_per_correct": correct, "basis": "tokens by usage, prices read on 2026-11-20" if usd else ""}
    return ArmResult(name=name, what=what, **(given | latency | more))


def comparison(baseline, before, after, low, high, verdict, **more):
    wins = round(max(0.0, after - before) * 200) + 9
    losses = wins - round((after - before) * 200)
    given = {
        "grader": "exact", "baseline": baseline, "candidate": "tuned", "rows": 200, "binary": True, "baseline_score": before,
        "candidate_score": after, "difference": after - before, "low": low, "high": high, "level": 0.95, "p_value": 0.03,
        "wins": wins, "losses": losses, "ties": 200 - wins - losses, "test": "exact McNemar", "interval": "Tango score",
        "smallest_gain": 0.071, "verdict": verdict,
    }  # fmt: skip
    return Comparison(**(given | more))


def arms(tuned=0.86, few_shot=0.745):
    return (
        arm("base", "The row's own messages, as they are.", 0.31, usd=0.000041, p50=0.42, prompt_tokens=18_400, completion_tokens=2_210),
        arm("prompt", "The row's messages under an engineered prompt.", 0.52, usd=0.000078, p50=0.47, prompt_tokens=36_900, completion_tokens=2_020),
        arm("few_shot", "Five training rows as examples (MMR).", few_shot, usd=0.00031, p50=0.81, prompt_tokens=151_200, cached_tokens=96_000,
            completion_tokens=1_990, errors=2),
        arm("retrieval", "Five training rows, found by BM25, in the system message.", 0.72, usd=0.00029, p50=0.79, prompt_tokens=139_000, completion_tokens=2_001),
        arm("nearest", "The answer of the nearest training row; no model is asked.", 0.68, usd=None, model=""),
        arm("tuned", "The row's own messages, asked of the tuned model.", tuned, usd=0.000062, p50=0.41, model="recipes-merged",
            prompt_tokens=18_400, completion_tokens=1_950, ungraded=1),
        arm("again", "tuned, asked once more.", tuned - 0.005, usd=0.000062, p50=0.41, model="recipes-merged"),
    )  # fmt: skip


def flips():
    return (
        Flip(case="a1b2c3d4e5f60718", row=17, candidate_score=1, baseline_score=0, asked="what will the weather be in Lisbon on friday",
             reference='{"intent": "GetWeather", "city": "Lisbon", "time": "friday"}',
             candidate_text='{"intent": "GetWeather", "city": "Lisbon", "time": "friday"}',
             baseline_text='Sure! {"intent": "SearchEvent", "city": "Lisbon"}'),
        Flip(case="0718a1b2c3d4e5f6", row=41, candidate_score=1, baseline_score=0, asked="put the new Björk song on my running list",
             reference='{"intent": "AddToPlaylist", "artist": "Björk", "playlist": "running"}',
             candidate_text='{"intent": "AddToPlaylist", "artist": "Björk", "playlist": "running"}',
             baseline_text='{"intent": "PlayMusic", "artist": "Björk"}'),
        Flip(case="f60718a1b2c3d4e5", row=133, candidate_score=0, baseline_score=1, asked="rate the last book four stars",
             reference='{"intent": "RateBook", "rating": 4}', candidate_text='{"intent": "RateBook", "rating": "four"}',
             baseline_text='{"intent": "RateBook", "rating": 4}'),
    )  # fmt: skip


def labels():
    names = ["GetWeather", "PlayMusic", "RateBook", "AddToPlaylist", "BookRestaurant"]
    good = {name: {name: 36, names[(place + 1) % 5]: 4} for place, name in enumerate(names)}
    poor = {name: {name: 27, names[(place + 1) % 5]: 9, "(no label)": 4} for place, name in enumerate(names)}
    return {"tuned": good, "few_shot": poor}


def curves():
    falling = [2.4 * 0.985**step + 0.21 for step in range(0, 240, 4)]
    train = [Metric(step=step * 4, at=BEGAN, values={"loss": value, "learning_rate": 2e-4}) for step, value in enumerate(falling)]
    return (*train, *(Metric(step=step, at=BEGAN, values={"eval_loss": 2.5 * 0.986**step + 0.34}) for step in range(0, 240, 40)))


def evaluation(**more):
    """The tuned model is better than each alternative, and cheaper than the strongest."""
    best = comparison("few_shot", 0.745, 0.86, 0.062, 0.169, Verdict.IMPROVED, p_value=0.00004)
    others = (
        comparison("base", 0.31, 0.86, 0.47, 0.62, Verdict.IMPROVED, p_value=1e-20),
        comparison("retrieval", 0.72, 0.86, 0.081, 0.199, Verdict.IMPROVED, p_value=1e-6),
        comparison("nearest", 0.68, 0.86, 0.11, 0.25, Verdict.IMPROVED, p_value=1e-7),
    )
    given = {
        "name": "recipes", "began": BEGAN, "ended": ENDED, "cases": 200, "dev_rows": 60, "primary": "exact", "candidate": "tuned", "baseline": "few_shot",
        "spec": SPEC,
        "power": Power(rows=200, gain=0.089, power=0.8, alpha=0.05, assumed="the arms differ on 20 % of rows"),
        "arms": arms(), "comparisons": (best, *others),
        "noise": comparison("tuned", 0.86, 0.855, -0.031, 0.021, Verdict.NO_CHANGE, candidate="again", wins=2, losses=3, ties=195),
        "decision": Decision(outcome="pass", kind="superiority", candidate="tuned", baselines=("few_shot",),
                             reasons=("tuned is better than few_shot by 11.5 points (+6.2 to +16.9), p = 0.00004.",
                                      "Drift check: general items are no worse by more than 5 points.")),
        "choices": (Choice(arm="few_shot", setting="k", chosen="5", scores={"3": 0.7, "5": 0.75, "8": 0.733}, rows=60),
                    Choice(arm="prompt", setting="baseline", chosen="few_shot", scores={"base": 0.3, "few_shot": 0.75, "retrieval": 0.7}, rows=60)),
        "drift": ({"probe": "general items", "baseline": 0.62, "candidate": 0.61,
                   "comparison": comparison("base", 0.62, 0.61, -0.04, 0.02, Verdict.NO_CHANGE, margin=0.05, p_non_inferior=0.01).model_dump(mode="json")},
                  {"probe": "refusals on harmful prompts", "baseline": 0.95, "candidate": 0.85,
                   "comparison": comparison("base", 0.95, 0.85, -0.21, 0.02, Verdict.INCONCLUSIVE, margin=0.05, p_non_inferior=0.4).model_dump(mode="json")}),
        "break_even": BreakEven(candidate="tuned", baseline="few_shot", requests=Estimate(value=52_000, low=48_900, high=55_700), once_usd=12.9,
                                saved_usd=Estimate(value=0.000248, low=0.000232, high=0.000264), basis="at 50,000 requests a month after 1.0 months"),
        "flips": flips(), "labels": labels(), "curves": curves(),
        "cannot_tell": ("Whether few-shot with other examples would do better: three numbers of examples were tried.",
                        "Anything about languages other than English: the rows have none."),
        "hashes": {"spec": "1f" * 32, "data": "2e" * 32, "train": "3d" * 32, "answers": "4c" * 32},
        "versions": {"anytune": "0.1.0", "python": "3.11.2", "scipy": "1.17.0", "statsmodels": "0.14.6"},
        "spent_usd": 0.17,
    }  # fmt: skip
    return Evaluation(**(given | more))


def decided(outcome, reason, *, kind="superiority", margin=None):
    return Decision(outcome=outcome, kind=kind, candidate="tuned", baselines=("few_shot",), margin=margin, reasons=(reason,))


def of_verdict(verdict):
    """The same story with another end."""
    after, low, high, outcome, more = {
        Verdict.IMPROVED: (0.86, 0.062, 0.169, "pass", {}),
        Verdict.NO_CHANGE: (0.75, -0.018, 0.028, "fail", {"p_value": 0.79}),
        Verdict.DEGRADED: (0.65, -0.151, -0.042, "fail", {"p_value": 0.0008}),
        Verdict.INCONCLUSIVE: (0.78, -0.021, 0.092, "inconclusive", {"p_value": 0.21}),
        Verdict.TOO_FEW_SAMPLES: (0.86, -0.1, 0.4, "inconclusive", {"p_value": 0.5, "rows": 12, "wins": 3, "losses": 1, "ties": 8}),
    }[verdict]
    one = comparison("few_shot", 0.745, after, low, high, verdict, **more)
    return evaluation(comparisons=(one,), decision=decided(outcome, f"tuned against few_shot: {verdict.value}."), arms=arms(after))
