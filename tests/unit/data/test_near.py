"""Rows that are nearly the same: found whatever their order, told from templates, and compared with a count by hand on real rows."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

from anytune.data.check.near import Near
from anytune.data.rows import Text, texts

SNIPS = Path(__file__).parents[4] / "shared" / "data" / "snips" / "train.jsonl"

STORY = "The committee of the swimming club met on Monday evening and decided after a long talk to buy new towels for the guests of the summer feast"
OTHER = (
    "In the north of the country the harvest was late this year, since it had rained for most of September and the fields were soft and wet"
)
WORDS = [
    "amber",
    "basil",
    "cedar",
    "dune",
    "ember",
    "fjord",
    "grove",
    "heath",
    "inlet",
    "jetty",
    "knoll",
    "lagoon",
    "meadow",
    "nook",
    "orchard",
    "pebble",
    "quarry",
    "ridge",
    "spruce",
    "tundra",
]


def said(answer, ask="Tell me something.", system="Be brief."):
    return [Text(0, "system", system, trained=False), Text(1, "user", ask, trained=False), Text(2, "assistant", answer, trained=True)]


def near(*rows, validation=(), **how):
    found = Near(**how)
    for number, row in enumerate(rows, 1):
        found.take(number, row, "train")
    for number, row in enumerate(validation, 1):
        found.take(number, row, "validation")
    return list(found.findings())


def sentence(seed, length=30):
    chance = random.Random(seed)
    return " ".join(chance.choice(WORDS) + str(chance.randrange(50)) for _ in range(length))


@pytest.mark.parametrize(
    "change",
    [
        str.upper,
        lambda text: text + ".",
        lambda text: text.replace(" ", "  "),
        lambda text: text.replace(" and ", ", and "),
        lambda text: text.replace("summer", "winter"),
        lambda text: text.replace("long ", ""),
        lambda text: text + " again",
    ],
    ids=["case", "full stop", "spaces", "comma", "one word", "a word less", "a word more"],
)
def test_rows_with_a_small_difference_are_found(change):
    (found,) = near(said(STORY), said(OTHER), said(change(STORY)))
    assert (found.code, found.severity, found.row, found.rows, found.file) == ("near-duplicate-rows", "warning", 1, (1, 3), None)
    assert "Rows 1, 3" in found.message
    assert found.fix


def test_rows_that_say_other_things_are_not_found():
    assert near(said(STORY), said(OTHER), *(said(sentence(seed)) for seed in range(50))) == []


def test_exact_copies_are_left_to_another_check():
    assert near(said(STORY), said(STORY), said(STORY)) == []


def test_of_exact_copies_within_a_group_only_the_first_is_named():
    (found,) = near(said(STORY), said(STORY), said(STORY + "!"), said(STORY + "!"))
    assert found.rows == (1, 3)


def test_a_shared_instruction_makes_no_rows_alike():
    system = " ".join([OTHER, STORY, sentence(1, 200)])
    assert near(*(said(sentence(seed, 12), system=system) for seed in range(2, 60))) == []


def test_the_same_exchange_under_another_instruction_is_nearly_the_same():
    (found,) = near(said(STORY, system="Be brief."), said(STORY, system="Be kind."))
    assert found.rows == (1, 2)


def test_rows_of_one_template_that_differ_in_a_slot_are_not_found():
    asks = [f"Remind me to call {name} at {hour} o'clock on the {day}" for name in WORDS for hour in (7, 8, 9) for day in (1, 2)]
    assert near(*(said(json.dumps({"intent": "remind", "text": ask.split("call ")[1]}), ask) for ask in asks)) == []


def test_a_long_template_in_the_users_message_makes_no_rows_alike():
    template = sentence(0, 150)
    assert near(*(said("yes", f"{template} {sentence(seed, 10)}") for seed in range(1, 200))) == []


def test_near_duplicates_within_a_template_are_found_all_the_same():
    template = sentence(0, 150)
    rows = [said("yes", f"{template} {sentence(seed, 40)}") for seed in range(1, 200)]
    rows.append(said("Yes!", f"{template} {sentence(7, 40)}"))
    (found,) = near(*rows)
    assert found.rows == (7, 200)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "東京都の今日の天気は晴れですが、明日は雨が降るかもしれませんので、傘を持って出かけたほうがよいでしょう。そして夜は寒くなります",
            "。",
        ),
        ("这家餐厅的菜非常好吃服务也很周到下次我们还会带朋友一起来希望他们能够继续保持这样的水平不要让老顾客失望谢谢你们的热情招待", "。"),
    ],
    ids=["Japanese", "Chinese"],
)
def test_languages_without_spaces_are_compared_by_characters(one, other):
    (found,) = near(said(one, ""), said(OTHER, ""), said(one + other, ""))
    assert found.rows == (1, 3)


def test_short_rows_that_differ_in_a_word_are_not_found():
    assert near(*(said("ok", f"play {word}") for word in WORDS)) == []


def test_a_validation_row_that_is_nearly_a_training_row_is_found():
    (found,) = near(said(OTHER), said(STORY), validation=[said(sentence(1)), said(STORY.lower() + "?")])
    assert (found.code, found.severity, found.file, found.row, found.rows) == ("near-leaked-rows", "warning", "validation", 2, (2,))
    assert "Validation row 2 is nearly the same as training row 2" in found.message


def test_near_duplicates_and_near_leaks_of_one_group_are_told_apart_by_file():
    found = near(said(STORY), said(STORY + "!"), validation=[said(STORY + "?"), said(STORY + "??")])
    assert [(one.code, one.file, one.rows) for one in found] == [
        ("near-duplicate-rows", "train", (1, 2)),
        ("near-duplicate-rows", "validation", (1, 2)),
        ("near-leaked-rows", "validation", (1, 2)),
    ]


def test_an_exact_leak_is_left_to_another_check():
    assert near(said(STORY), validation=[said(STORY)]) == []


def test_a_higher_threshold_finds_less():
    rows = said(STORY), said(STORY.replace("summer", "winter"))
    assert len(near(*rows, threshold=0.7)) == 1
    assert near(*rows, threshold=0.95) == []


def test_empty_and_odd_rows_are_taken():
    assert near([], said("", ""), said("…", "!"), said("\ud800"), said("\ud800 " * 20), said("a"), said("a\u0000b" * 50)) == []


def test_signs_that_change_the_meaning_are_compared():
    sums = [said("yes", f"Is it true that {one} {sign} 7 is an even number, my friend?") for one in (1, 2) for sign in "+*/=><"]
    assert near(*sums) == []
    assert near(said("👍", OTHER[:40]), said("👎", OTHER[:40])) == []


def test_many_rows_named_in_a_message_are_counted():
    (found,) = near(*(said(STORY + "!" * count) for count in range(14)))
    assert "10 and 4 more" in found.message
    assert len(found.rows) == 14


def test_the_order_of_rows_does_not_change_how_many_are_found():
    rows = [said(sentence(seed)) for seed in range(300)] + [said(sentence(seed) + "!") for seed in range(0, 300, 10)]
    counts = set()
    for seed in range(3):
        random.Random(seed).shuffle(rows)
        counts.add(len(near(*rows)))
    assert counts == {30}


def test_what_is_kept_of_a_long_row_is_bounded():
    found = Near()
    for number in range(300):
        found.take(number + 1, said(sentence(number, 2000)), "train")
    assert list(found.findings()) == []
    columns = [found._numbers, found._files, found._whole, found._ends, found._ids, *found._bands]
    assert sum(sys.getsizeof(column) for column in columns) / 300 < 250


@pytest.mark.skipif(not SNIPS.exists(), reason="the shared data is not there")
def test_on_real_rows_all_is_found_that_comparing_every_pair_finds():
    rows = [list(texts(json.loads(line))) for line in SNIPS.read_text(encoding="utf-8").splitlines()[:3000]]
    found = {row for one in near(*rows) for row in one.rows}

    def bare(row):
        return "".join(sign for text in row if text.role != "system" for sign in text.text.casefold() if sign.isalnum())

    first: dict[str, int] = {}
    same_words = set()
    for number, row in enumerate(rows, 1):
        other = first.setdefault(bare(row), number)
        if other != number and rows[other - 1] != row:
            same_words |= {other, number}
    copies = {tuple(row): number for number, row in reversed(list(enumerate(rows, 1)))}
    assert {copies[tuple(rows[number - 1])] for number in same_words} <= found
    assert len(found) <= 40
