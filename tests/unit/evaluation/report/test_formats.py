"""Markdown, JUnit, JSON and PNG, and where they are written."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET

import pytest
from PIL import Image
from tests.unit.evaluation.report.samples import comparison, decided, evaluation, of_verdict

from anytune.errors import ConfigError
from anytune.evaluation.report import charts, junit, markdown, read, save, writable
from anytune.evaluation.values import Verdict
from anytune.values import Metric


def cases(found):
    return {case.get("name"): case for case in ET.fromstring(junit(found)).iter("testcase")}


def outcome(case):
    return "fail" if case.find("failure") is not None else "inconclusive" if case.find("skipped") is not None else "pass"


def test_a_pull_request_gets_the_verdict_first_and_everything_else_short():
    text = markdown(evaluation())
    assert text.startswith("### ✅ Pass. Yes: tuned is better than few_shot.\n")
    assert len(text) < 6_000
    assert "| `few_shot` | 74.5" in text
    assert "<details><summary>Flips: 2 won, 1 lost</summary>" in text


@pytest.mark.parametrize("verdict", Verdict)
def test_every_verdict_has_its_sign(verdict):
    sign = {"pass": "✅", "fail": "❌", "inconclusive": "❔"}[of_verdict(verdict).decision.outcome]
    assert markdown(of_verdict(verdict)).startswith(f"### {sign} ")


def test_tables_have_as_many_cells_in_each_row_as_in_their_head():
    blocks, block = [], []
    for line in [*markdown(evaluation()).splitlines(), ""]:
        if line.startswith("|"):
            block.append(line.replace("\\|", "").count("|"))
        elif block:
            blocks.append(block)
            block = []
    assert len(blocks) == 3
    assert all(len(set(counts)) == 1 for counts in blocks)


def test_the_gate_each_comparison_that_decides_and_each_probe_is_a_test_case():
    assert list(cases(evaluation())) == [
        "gate",
        "tuned against few_shot by exact",
        "drift check: general items",
        "drift check: refusals on harmful prompts",
    ]


@pytest.mark.parametrize("verdict", Verdict)
def test_ci_shows_fail_as_failure_and_inconclusive_as_skipped(verdict):
    found = of_verdict(verdict)
    assert outcome(cases(found)["gate"]) == found.decision.outcome
    assert outcome(cases(found)["tuned against few_shot by exact"]) == found.decision.outcome


def test_non_inferiority_is_judged_by_its_margin_and_not_by_the_verdict():
    one = comparison("few_shot", 0.745, 0.74, -0.02, 0.01, Verdict.INCONCLUSIVE, margin=0.03, p_non_inferior=0.01)
    found = evaluation(comparisons=(one,), decision=decided("pass", "no worse", kind="non_inferiority", margin=0.03))
    assert outcome(cases(found)["tuned against few_shot by exact"]) == "pass"


def test_a_probe_that_cannot_be_read_is_skipped_and_not_passed():
    assert outcome(cases(evaluation(drift=({"probe": "odd"},)))["drift check: odd"]) == "inconclusive"


def test_the_counts_of_the_suite_are_those_of_its_cases():
    suite = next(ET.fromstring(junit(of_verdict(Verdict.DEGRADED))).iter("testsuite"))
    kinds = [outcome(case) for case in suite]
    counted = (suite.get("tests"), suite.get("failures"), suite.get("skipped"))
    assert counted == (str(len(kinds)), str(kinds.count("fail")), str(kinds.count("inconclusive")))


@pytest.mark.parametrize("verdict", Verdict)
def test_the_record_is_read_back_as_it_was(verdict, tmp_path):
    save(of_verdict(verdict), tmp_path / "evaluation.json")
    assert read(tmp_path / "evaluation.json") == of_verdict(verdict)


def test_numbers_that_json_has_no_word_for_come_back_as_they_were(tmp_path):
    metrics = tuple(Metric(step=0, at=evaluation().began, values={"loss": value}) for value in (float("inf"), float("-inf")))
    save(evaluation(curves=metrics), tmp_path / "evaluation.json")
    json.loads((tmp_path / "evaluation.json").read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert read(tmp_path / "evaluation.json").curves == metrics


@pytest.mark.parametrize("ending", [".html", ".md", ".json", ".xml"])
def test_a_name_s_ending_says_the_format(ending, tmp_path):
    save(evaluation(), tmp_path / f"found{ending}")
    start = (tmp_path / f"found{ending}").read_text()[:15]
    assert start.startswith({".html": "<!doctype html>", ".md": "### ", ".json": "{", ".xml": "<?xml"}[ending])
    assert [path.name for path in tmp_path.iterdir()] == [f"found{ending}"]


def test_a_folder_gets_the_charts_as_pictures_that_are_not_blank(tmp_path):
    made = charts(evaluation(), tmp_path / "charts")
    assert [path.name for path in made] == ["differences.png", "quality.png", "loss.png"]
    for path in made:
        with Image.open(path) as picture:
            assert picture.width > 800
            assert len(picture.convert("RGB").getcolors(1 << 20)) > 20


def test_a_chart_that_has_nothing_to_show_is_left_out(tmp_path):
    assert [path.name for path in charts(evaluation(curves=()), tmp_path)] == ["differences.png", "quality.png"]


def test_a_name_with_signs_of_mathematics_breaks_no_chart(tmp_path):
    one = comparison("$\\frac{", 0.5, 0.6, 0.0, 0.2, Verdict.IMPROVED, candidate="_$x^")
    assert charts(
        evaluation(comparisons=(one,), curves=(*evaluation().curves, Metric(step=1, at=evaluation().began, values={"_$\\loss": 1.0}))),
        tmp_path,
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [("found.pdf", "not as 'found.pdf'"), ("nowhere/found.html", "there is no folder"), ("folder.html", "it is a folder")],
)
def test_a_name_that_cannot_be_is_refused_before_any_work(name, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(ConfigError, match=words):
        writable(tmp_path / name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_to_is_an_error_of_ours(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ConfigError, match="cannot be written"):
        save(evaluation(), tmp_path / "found.html")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not JSON"),
        ("[]", "no record of an evaluation"),
        ('{"version": 2}', "newer anytune"),
        ('{"name": "x"}', "`began`"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_no_record_is_said_with_the_place(text, words, tmp_path):
    (tmp_path / "evaluation.json").write_text(text)
    with pytest.raises(ConfigError, match=words):
        read(tmp_path / "evaluation.json")


def test_a_record_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match="Cannot read"):
        read(tmp_path / "evaluation.json")
