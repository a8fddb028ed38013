from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from anytune.cli.quickstart import story
from anytune.data import check

RECIPES = Path(__file__).parents[2] / "recipes"


def rows(split):
    return [json.loads(line)["messages"] for line in (files("anytune.cli.quickstart") / f"{split}.jsonl").read_text().splitlines()]


def words(text):
    return set(re.findall(r"[a-z]+", text.lower()))


def test_there_are_400_recipes_and_at_least_30_are_held_out():
    assert len(rows("train")) + len(rows("test")) == 400
    assert len(rows("test")) >= 30


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_shipped_recipes_are_good_rows(split):
    checked = check(story.FOLDER / f"{split}.jsonl", "sft")
    assert checked.findings == ()


def test_no_recipe_occurs_twice():
    every = [json.dumps(row) for row in (*rows("train"), *rows("test"))]
    assert len(set(every)) == len(every)


def test_no_food_of_the_held_out_recipes_occurs_in_training():
    trained = words(json.dumps(rows("train")))
    foods = {food for row in rows("test") for food in json.loads(row[-1]["content"])["ingredients"]}
    assert len(foods) > 30
    assert {word for food in foods for word in words(food)} & trained == set()


def test_every_answer_names_what_the_lines_say():
    for *_, user, assistant in (*rows("train"), *rows("test")):
        lines = user["content"].splitlines()[1:]
        foods = json.loads(assistant["content"])["ingredients"]
        assert len(lines) == len(foods) in {2, 3, 4}
        assert all(food in line for food, line in zip(foods, lines, strict=True))


def test_the_shipped_recipes_are_what_the_generator_makes(tmp_path):
    subprocess.run([sys.executable, str(RECIPES / "make.py"), str(tmp_path)], check=True)
    for split in ("train", "test"):
        assert (tmp_path / f"{split}.jsonl").read_text() == (story.FOLDER / f"{split}.jsonl").read_text()


def test_the_word_lists_share_no_word():
    lists = runpy.run_path(str(RECIPES / "foods.py"))
    assert words(" ".join(lists["TRAIN_FOODS"].values())) & words(" ".join(lists["TEST_FOODS"].values())) == set()


def test_an_exact_match_is_the_very_text():
    right = '{"ingredients": ["kale", "feta"]}'
    assert story.exact_match([f" {right}\n"], [right]) == 1.0
    assert story.exact_match(['{"ingredients": ["feta", "kale"]}'], [right]) == 0.0
    assert story.exact_match([f"{right} Enjoy!"], [right]) == 0.0


def test_the_recipe_of_the_training_is_fixed():
    spec = story.spec()
    assert spec.method.max_steps in range(12, 17)
    assert spec.method.per_device_train_batch_size == 8
    assert spec.adapter.r == 16


def test_the_whole_story_gives_figures_and_never_a_cached_result(cli):
    cli.configure(trl="")
    first = cli.json("quickstart")
    assert cli.code == 0
    assert set(first) == {"rows", "base_exact_match", "tuned_exact_match", "train_seconds", "total_seconds", "tokens_per_second"}
    assert first["rows"] == len(rows("test"))
    cli.json("quickstart")
    attempts = cli.json("jobs", "list", "--name", "quickstart")["jobs"]
    assert sorted(job["attempt"] for job in attempts) == [1, 2]
    assert cli.json("deployments", "list")["deployments"] == []


def test_the_story_is_told_to_people_with_examples_side_by_side(cli):
    cli.configure(trl="")
    cli("quickstart")
    assert cli.code == 0
    assert "exact match" in cli.out
    assert cli.out.count("expected") == 3
