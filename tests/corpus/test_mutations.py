"""Good rows of the corpus with one place spoilt at random: a check finds words for whatever comes, and what it calls good can be used."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path

import pytest
import yaml

from anytune.data import check
from anytune.data.check.judge import judge
from anytune.data.rows import split_input, texts
from anytune.data.stats import stats

HERE = Path(__file__).parent
JUNK = [
    None,
    True,
    False,
    0,
    1,
    -1,
    0.5,
    10**30,
    "",
    " ",
    "x",
    "\ud83d",
    "\x00",
    [],
    {},
    [None],
    [[]],
    {"x": None},
    "user",
    "assistant",
    '{"a": 1}',
    [{}],
]
KEYS = ["role", "content", "weight", "name", "tool_calls", "tools", "id", "function", "label", "messages", "prompt", "completion", "", "x"]


def good_rows():
    for page in ("chat", "tools", "preference", "graded", "prompt", "formats"):
        content = yaml.safe_load((HERE / f"{page}.yaml").read_text(encoding="utf-8"))
        for case in content["good"]:
            yield from (row for row in case.get("rows", []) if isinstance(row, dict))


GOOD = list(good_rows())


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


def spoilt(dice):
    row = copy.deepcopy(dice.choice(GOOD))
    path = dice.choice(list(places(row))[1:])
    holder = row
    for part in path[:-1]:
        holder = holder[part]
    how = dice.choice(["replace", "replace", "remove", "add", "twice"])
    target = holder[path[-1]]
    if how == "replace":
        holder[path[-1]] = copy.deepcopy(dice.choice(JUNK))
    elif how == "remove":
        del holder[path[-1]]
    elif how == "add" and isinstance(target, dict):
        target[dice.choice(KEYS)] = copy.deepcopy(dice.choice(JUNK))
    elif isinstance(target, list):
        target.append(copy.deepcopy(dice.choice([*JUNK, *target])))
    return row


@pytest.mark.parametrize("seed", range(40))
def test_a_check_has_words_for_whatever_comes(seed, tmp_path):
    dice = random.Random(seed)
    rows = [spoilt(dice) for _ in range(40)]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    report = check(path, dice.choice([None, "sft", "dpo", "orpo", "reward", "clm", "kto", "rft"]))
    assert report.rows == len(rows)
    assert all(finding.message and (finding.fix or finding.severity == "info") for finding in report.findings)
    assert stats(path).rows == len(rows)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_called_good_can_be_counted_and_compared(seed):
    dice = random.Random(1000 + seed)
    for number in range(100):
        row = spoilt(dice)
        if not any(finding.severity == "error" for finding in judge(number, row, None)):
            assert all(isinstance(part.text, str) for part in texts(row))
            json.dumps(split_input(row))
