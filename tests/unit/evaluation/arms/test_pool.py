"""Which training rows may be shown, and how they are found."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.evaluation.arms.rows import TRAIN, case, train

from anytune.evaluation.arms import Pool
from anytune.evaluation.arms.search import Search, words

LONG = "please move the weekly meeting of the garden committee from monday morning to tuesday at noon"


def questions(pool):
    return [example.question for example in pool.examples]


def test_a_row_that_asks_what_a_held_out_row_asks_is_no_example():
    pool = Pool.of(train(), held_out=[case(TRAIN[2][0], "another answer", system="Another instruction.")])
    assert TRAIN[2][0] not in questions(pool)
    assert (len(pool.examples), pool.equal_rows, pool.near_rows) == (len(TRAIN) - 1, 1, 0)
    assert pool.left_out == "Of the training rows, 1 that ask what a held-out row asks (1 the same, 0 nearly) are no examples."


def test_neither_is_one_that_asks_nearly_the_same():
    pool = Pool.of([*train(), case(LONG, number=9)], held_out=[case(LONG.upper() + "!")])
    assert LONG not in questions(pool)
    assert (pool.equal_rows, pool.near_rows) == (0, 1)


def test_development_rows_are_no_examples():
    rows = train()
    pool = Pool.of([*rows, case(LONG, number=9)], held_out=[], dev=[rows[0], rows[4], case(LONG.upper() + "!")])
    assert pool.dev_rows == 3
    assert not {TRAIN[0][0], TRAIN[4][0], LONG} & set(questions(pool))
    assert "3 development rows" in pool.left_out


def test_a_row_without_an_answer_shows_nothing():
    assert Pool.of([case("hello").model_copy(update={"reference": None})], held_out=[]).examples == ()


def test_where_nothing_is_left_out_nothing_is_said():
    assert Pool.of(train(), held_out=[case("hum a tune")]).left_out == ""


def test_the_likest_text_is_found_and_of_equals_the_first():
    search = Search(["the red house", "a blue boat", "the red house", "red"])
    assert search.likest("where is the red house", 2) == [0, 2]
    assert search.likest("nothing of this", 2) == [0, 1]
    assert sorted(search.varied("the red house and a boat", 2)) == [0, 1]


def test_texts_without_spaces_between_words_are_found_too():
    search = Search(["東京駅はどこですか", "大阪の天気", "ขอบคุณครับ"])
    assert search.likest("東京駅まで", 1) == [0]
    assert search.likest("明日の大阪", 1) == [1]


def test_empty_texts_have_no_likest_and_are_no_trouble():
    assert Search([]).likest("a", 3) == []
    assert Search(["", "!"]).varied("", 1) == [0]


@given(st.lists(st.text(max_size=30), max_size=12), st.text(max_size=30), st.integers(0, 15))
def test_any_texts_give_different_places_as_many_as_there_are(texts, asked, k):
    search = Search(texts)
    for found in (search.likest(asked, k), search.varied(asked, k)):
        assert len(found) == len(set(found)) == min(k, len(texts))


def test_words_are_cut_without_case():
    assert words("Groß GROSS, it's 5€") == ["gross", "gross", "it", "s", "5"]


def test_what_is_found_is_the_same_in_every_process(tmp_path):
    program = (
        "import json, random\n"
        "from anytune.evaluation.arms.search import Search\n"
        "chance = random.Random(7)\n"
        "texts = [' '.join(chance.choices('abcdefghij', k=5)) for _ in range(300)]\n"
        "search = Search(texts)\n"
        "print(json.dumps([[search.likest(text, 9), search.varied(text, 9)] for text in texts[:40]]))\n"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", program], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(said) == 1
    assert len(json.loads(said.pop())) == 40


def test_nothing_is_printed_while_texts_are_indexed(capfd):
    Search([text for text, _ in TRAIN] * 100).likest("play", 3)
    assert capfd.readouterr() == ("", "")
