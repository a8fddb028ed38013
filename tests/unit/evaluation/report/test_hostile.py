"""Answers, names and rows come from models and strangers: none of them becomes markup, and none of them makes a report large or slow."""

from __future__ import annotations

import re
import time
import xml.etree.ElementTree as ET

import pytest
from tests.unit.evaluation.report.reading import Page
from tests.unit.evaluation.report.samples import arm, comparison, evaluation, flips

from anytune.evaluation.report import html, junit, markdown, read, save
from anytune.evaluation.report.changes import changes
from anytune.evaluation.values import Choice, Decision, Verdict

HOSTILE = [
    "<script>alert(1)</script>",
    "</pre></style></title></table><img src=https://evil.example/x onerror=alert(1)>",
    '" onmouseover="alert(1)',
    "{{ 7*7 }}{% raw %}",
    "]]><!-- --> <?php ?>",
    "![x](https://evil.example/x.png) [click](javascript:alert(1)) | cell | `code` ``` fence",
    "@everyone #1 www.evil.example https://evil.example <details open>",
    "a\n\n# heading\n\n- item\n1. one\n***\n| a | b |\n| - | - |",
    "nul\x00 bell\x07 escape\x1b[31m c1\x9b delete\x7f",
    "turned \u202eright to left\u2066 \u200bhidden\ufeff",
    "not for XML \ufffe \uffff \x0b",
]


def everywhere(text):
    """An evaluation that has the text wherever somebody else's words can stand."""
    one = comparison(text, 0.7, 0.8, 0.01, 0.2, Verdict.IMPROVED, grader=text, candidate=text, test=text, interval=text)
    bad = flips()[0].model_copy(
        update={"case": text, "asked": text, "reference": text + "!", "candidate_text": text, "baseline_text": f"so {text}"}
    )
    return evaluation(
        name=text, primary=text, candidate=text, baseline=text, comparisons=(one,), flips=(bad,), noise=one,
        arms=(arm(text, text, 0.8, usd=0.1, p50=1, model=text, basis=text).model_copy(update={"scores": {text: arm("a", "b", 0.5).scores["exact"]}}),),
        decision=Decision(outcome="pass", kind="superiority", candidate=text, baselines=(text,), reasons=(text,)),
        choices=(Choice(arm=text, setting=text, chosen=text, scores={text: 0.5}, rows=3),), labels={text: {text: {text: 3}}}, cannot_tell=(text,),
        hashes={text: text}, versions={text: text}, spec={text: [text, {text: text}]}, drift=({"probe": text, "comparison": one.model_dump(mode="json")},),
    )  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_on_the_page_it_is_but_text(text):
    page = Page(html(everywhere(text)))
    assert page.crossed == []
    assert not page.tags & {"script", "img", "iframe", "h4"}
    assert not [name for _, attrs in page.elements for name in attrs if name.startswith("on") or name == "src"]
    assert all(attrs["href"].startswith("#") for attrs in page.of("a"))


def test_on_the_page_it_can_be_read():
    assert HOSTILE[0] in Page(html(everywhere(HOSTILE[0]))).text


@pytest.mark.parametrize("text", HOSTILE)
def test_no_report_holds_what_hides_or_steers(text):
    hidden = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff]")
    for write in (html, markdown, junit):
        assert hidden.findall(write(everywhere(text))) == []


def outside_of_code(text):
    """What Markdown would read as markup: everything but code spans."""
    return re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "CODE", text, flags=re.DOTALL)


@pytest.mark.parametrize("text", HOSTILE)
def test_in_markdown_nothing_of_it_is_markup_a_link_or_a_mention(text):
    rest = outside_of_code(markdown(everywhere(text)))
    for sign in ("evil.example", "<script", "<img", "](", "![", "@every", "https:", "www.", " #1", "<details open", "<!--", "{{", "<?"):
        assert sign not in rest
    assert len(re.findall(r"^#", rest, re.MULTILINE)) == 1
    tables = [line for line in rest.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} <= {7, 6, 3}


def test_a_mention_is_broken_even_where_its_sign_is_written_as_a_number():
    assert "&#64;&#8203;everyone" in markdown(everywhere("@everyone"))


@pytest.mark.parametrize("text", HOSTILE)
def test_junit_stays_xml_with_the_same_cases(text):
    suite = next(ET.fromstring(junit(everywhere(text))).iter("testsuite"))
    assert next(iter(suite)).get("name") == "gate"
    assert len(suite) == 3


def test_halves_of_characters_break_nothing(tmp_path):
    found = evaluation(spec={"name": "half \ud800 of one"})
    for write in (html, markdown, junit):
        write(found).encode()
    save(found, tmp_path / "found.json")
    assert read(tmp_path / "found.json").spec == found.spec


def test_megabytes_are_cut_and_counted():
    large = everywhere("x <b>" * 1_000_000)
    sizes = [len(write(large)) for write in (html, markdown, junit)]
    assert max(sizes) < 400_000
    assert "more characters" in Page(html(large)).text


def test_many_of_everything_is_bounded():
    many = evaluation(
        comparisons=tuple(comparison(f"b{number}", 0.5, 0.6, 0, 0.2, Verdict.IMPROVED) for number in range(3000)),
        arms=tuple(arm(f"a{number}", "w" * 400, 0.5, usd=0.001 * number, p50=1) for number in range(3000)),
        flips=tuple(flips()[0].model_copy(update={"asked": "y" * 9000, "candidate_text": "z " * 9000}) for _ in range(3000)),
    )
    assert len(html(many)) < 600_000
    assert len(markdown(many)) < 60_000  # GitHub takes 65,536 characters


@pytest.mark.parametrize("text", ["a " * 600, "ab" * 600, " ".join(str(number % 7) for number in range(600)), "." * 1200])
def test_no_text_makes_the_search_for_differences_slow(text):
    began = time.perf_counter()
    for _ in range(40):
        changes(text[:1200], text[::-1][:1200])
    assert time.perf_counter() - began < 5


def test_a_difference_gives_back_the_text_that_was_looked_at():
    for expected, found in [("play jazz now", "play rock now please"), ("", "x"), ("x", ""), ("a b", "b a")]:
        assert "".join(piece.text for piece in changes(expected, found) if piece.kind != "missing") == found
