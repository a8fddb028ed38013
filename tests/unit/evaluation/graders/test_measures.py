"""Measures of likeness: the libraries' own figures, letters of every script, and nothing downloaded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytune.evaluation.graders.measures import LONGEST, MEASURES, chrf

SENTENCES = ("the cat was found under the bed", "the cat was under the bed")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rouge_1", 2 * 6 / 13),
        ("rouge_2", 2 * 4 / 11),
        ("rouge_3", 2 * 2 / 9),
        ("rouge_4", 0.0),
        ("rouge_5", 0.0),
        ("rouge_l", 2 * 6 / 13),
        ("fuzzy_match", 2 * 25 / 56),
    ],
)
def test_a_measure_is_what_its_definition_gives_by_hand(name, expected):
    assert MEASURES[name](*SENTENCES) == pytest.approx(expected)


def test_bleu_is_that_of_the_paper_on_its_own_orders():
    # Precisions 7/7 … of a shortened copy: only the brevity penalty exp(1 - 9/7) is left.
    assert MEASURES["bleu"]("the quick brown fox jumps over the", "the quick brown fox jumps over the lazy dog") == pytest.approx(
        0.7515, abs=1e-4
    )


def test_gleu_is_the_smaller_of_precision_and_recall():
    # n-grams to 4 of 6 and 7 words: 18 and 22, of which 6 + 4 + 2 are common.
    assert MEASURES["gleu"](SENTENCES[1], SENTENCES[0]) == pytest.approx(12 / 22)


def test_meteor_takes_stems_for_words_and_needs_no_corpus():
    assert MEASURES["meteor"]("cats running", "cat runs") > 0.4
    assert MEASURES["meteor"]("big", "large") == 0


@given(
    st.lists(st.sampled_from(["the", "cat", "sat", "on", "mat"]), max_size=12),
    st.lists(st.sampled_from(["the", "cat", "mat"]), max_size=12),
)
def test_our_rouge_l_is_that_of_rouge_score(left, right):
    from rouge_score.rouge_scorer import RougeScorer

    text, other = " ".join(left), " ".join(right)
    assert MEASURES["rouge_l"](text, other) == pytest.approx(RougeScorer(["rougeL"]).score(other, text)["rougeL"].fmeasure)


@pytest.mark.parametrize("name", [*MEASURES, "chrf"])
@pytest.mark.parametrize("text", ["Übermäßig viele Wörter sind hier", "река течёт через город очень медленно", "a b c d e"])
def test_a_text_is_like_itself_in_any_script(name, text):
    measure = MEASURES.get(name, chrf)
    assert measure(text, text) == pytest.approx(1, abs=0.01)
    assert measure("", text) == 0


@given(st.text(max_size=60), st.text(max_size=60))
def test_every_measure_is_from_0_to_1(left, right):
    for measure in (*MEASURES.values(), chrf):
        assert 0 <= measure(left, right) <= 1


def test_a_text_that_is_too_long_is_not_compared(grade):
    found = grade({"type": "chrf"}, "a" * (LONGEST + 1), "a")
    assert found.score is None
    assert "longer than 100,000 characters" in found.error


def test_graders_of_our_own_give_the_measures(grade):
    assert grade({"type": "rouge"}, *SENTENCES).score == MEASURES["rouge_l"](*SENTENCES)
    assert grade({"type": "rouge", "variant": "rouge_2"}, *SENTENCES).score == MEASURES["rouge_2"](*SENTENCES)
    assert grade({"type": "bleu"}, *SENTENCES).score == MEASURES["bleu"](*SENTENCES)
    assert grade({"type": "chrf", "words": 2}, *SENTENCES).score == chrf(*SENTENCES, words=2) != chrf(*SENTENCES)
