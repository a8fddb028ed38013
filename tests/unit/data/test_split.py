"""Splits by hash: the same everywhere, nothing on two sides, and shares as asked for."""

from __future__ import annotations

import hashlib
import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from anytune.data import check
from anytune.data.fields import label
from anytune.data.split import MANIFEST, Split, split
from anytune.errors import ConfigError, DataError

SNIPS = Path(__file__).parents[4] / "shared" / "data" / "snips" / "train.jsonl"


def row(ask, answer="Yes.", **more):
    return {"messages": [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}]} | more


def rows(count):
    return [row(f"Is {n} a number?", f"Yes, and {n + 1} is the next.") for n in range(count)]


@pytest.fixture
def write(tmp_path):
    def put(found, name="rows.jsonl"):
        path = tmp_path / name
        path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found), encoding="utf-8")
        return path

    return put


def read(folder, name):
    path = folder / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def sides(folder):
    """Give each row's side, by its question."""
    return {one["messages"][0]["content"]: name for name in ("train", "validation", "test") for one in read(folder, name)}


def test_every_row_is_on_one_side_in_the_order_of_the_file(write, tmp_path):
    split(write(rows(400)), tmp_path / "out", validation=0.2, test=0.1)
    written = {name: read(tmp_path / "out", name) for name in ("train", "validation", "test")}
    assert sorted(json.dumps(one) for side in written.values() for one in side) == sorted(json.dumps(one) for one in rows(400))
    for side in written.values():
        assert side == [one for one in rows(400) if one in side]
    assert 50 <= len(written["validation"]) <= 110
    assert 20 <= len(written["test"]) <= 62


def test_the_split_of_a_seed_never_changes(write, tmp_path):
    """These hashes are a promise: whoever split yesterday gets the same files tomorrow. Change the rule's name before you change them."""
    source = write([*rows(120), row("Grüße an 東京?", "Ja – はい.")])
    cut = split(source, tmp_path / "cut", validation=0.2, test=0.1, seed=7)
    ranked = split(source, tmp_path / "ranked", validation=20, test=10, seed=7)
    assert cut.rule == "anytune-split-1"
    assert {name: (part.rows, part.sha256[:16]) for name, part in cut.parts.items()} == FROZEN["cut"]
    assert {name: (part.rows, part.sha256[:16]) for name, part in ranked.parts.items()} == FROZEN["ranked"]


FROZEN = {
    "cut": {"train": (79, "611270526576265f"), "validation": (26, "c12fe31c28787153"), "test": (16, "8492d864570ffde4")},
    "ranked": {"train": (91, "0a4d71c3f86c616b"), "validation": (20, "5ecc74b88b42a59b"), "test": (10, "48e6f76c18ad8553")},
}


def test_another_seed_gives_another_split(write, tmp_path):
    source = write(rows(200))
    first, second = (split(source, tmp_path / str(seed), validation=0.3, seed=seed) for seed in (1, 2))
    assert first.parts["train"].sha256 != second.parts["train"].sha256


def test_the_side_of_a_row_does_not_depend_on_the_order_of_the_file(write, tmp_path):
    mixed = rows(300)
    random.Random(5).shuffle(mixed)
    for mode, options in {"cut": {"validation": 0.2, "test": 0.2}, "ranked": {"validation": 30, "test": 20}}.items():
        split(write(rows(300)), tmp_path / mode / "a", **options)
        split(write(mixed), tmp_path / mode / "b", **options)
        assert sides(tmp_path / mode / "a") == sides(tmp_path / mode / "b")


def test_rows_that_are_added_move_no_other_row(write, tmp_path):
    split(write(rows(300)), tmp_path / "before", validation=0.2, test=0.1)
    split(write(rows(500)), tmp_path / "after", validation=0.2, test=0.1)
    after = sides(tmp_path / "after")
    assert {ask: after[ask] for ask in sides(tmp_path / "before")} == sides(tmp_path / "before")


def test_a_test_share_that_is_added_moves_no_validation_row(write, tmp_path):
    split(write(rows(300)), tmp_path / "before", validation=0.2)
    split(write(rows(300)), tmp_path / "after", validation=0.2, test=0.2)
    assert read(tmp_path / "before", "validation") == read(tmp_path / "after", "validation")


def test_python_s_hash_seed_changes_nothing(write, tmp_path):
    source = write(rows(60))
    code = "import sys; from pathlib import Path; from anytune.data.split import split; split(sys.argv[1], Path(sys.argv[2]), validation=9)"
    for seed in ("0", "17"):
        run = [sys.executable, "-c", code, str(source), str(tmp_path / seed)]
        subprocess.run(run, check=True, env=os.environ | {"PYTHONHASHSEED": seed})
    assert (tmp_path / "0" / MANIFEST).read_bytes() == (tmp_path / "17" / MANIFEST).read_bytes()
    assert (tmp_path / "0" / "validation.jsonl").read_bytes() == (tmp_path / "17" / "validation.jsonl").read_bytes()


def test_numbers_are_kept_exactly(write, tmp_path):
    done = split(write(rows(100)), tmp_path / "out", validation=17, test=5)
    assert {name: part.rows for name, part in done.parts.items()} == {"train": 78, "validation": 17, "test": 5}
    assert done.mode == "ranked"


def test_equal_rows_are_written_once(write, tmp_path):
    done = split(write([*rows(50), *rows(50)]), tmp_path / "out", validation=10)
    assert (done.source_rows, done.left_out) == (100, 50)
    assert len(sides(tmp_path / "out")) == sum(part.rows for part in done.parts.values()) == 50


def test_equal_rows_stay_on_one_side_where_they_are_kept(write, tmp_path):
    done = split(write([*rows(50), *rows(50)]), tmp_path / "out", validation=0.3, dedup=False)
    assert (done.left_out, sum(part.rows for part in done.parts.values())) == (0, 100)
    asked = [{one["messages"][0]["content"] for one in read(tmp_path / "out", name)} for name in ("train", "validation")]
    assert not asked[0] & asked[1]


def test_rows_that_ask_the_same_stay_on_one_side(write, tmp_path):
    split(write([row(f"Is {n} a number?", f"Answer {k}.") for n in range(60) for k in range(3)]), tmp_path / "out", validation=0.3)
    asked = [Counter(one["messages"][0]["content"] for one in read(tmp_path / "out", name)) for name in ("train", "validation")]
    assert not asked[0].keys() & asked[1].keys()
    assert set(asked[1].values()) == {3}


def test_completions_of_one_prompt_stay_on_one_side(write, tmp_path):
    unpaired = [{"prompt": f"Is {n} a number?", "completion": f"Answer {k}.", "label": bool(k)} for n in range(60) for k in range(2)]
    split(write(unpaired), tmp_path / "out", validation=0.3)
    asked = [{one["prompt"] for one in read(tmp_path / "out", name)} for name in ("train", "validation")]
    assert not asked[0] & asked[1]


def test_rows_that_are_nearly_the_same_stay_on_one_side_where_asked(write, tmp_path):
    pytest.importorskip("rensa")
    words = [
        "river",
        "lake",
        "sea",
        "hill",
        "town",
        "bridge",
        "castle",
        "garden",
        "forest",
        "island",
        "harbour",
        "market",
        "tower",
        "mill",
        "farm",
        "road",
    ]
    dice = random.Random(3)
    found = []
    for _ in range(80):
        said = " ".join(dice.choices(words, k=40))
        found += [row(said), row(said + " indeed")]
    source = write(found)

    def apart(folder):
        asked = [{one["messages"][0]["content"].removesuffix(" indeed") for one in read(folder, name)} for name in ("train", "validation")]
        return asked[0] & asked[1]

    split(source, tmp_path / "far", validation=0.3)
    split(source, tmp_path / "near", validation=0.3, near=True)
    assert apart(tmp_path / "far")
    assert not apart(tmp_path / "near")


def test_groups_stay_together_and_their_key_is_not_written(write, tmp_path):
    source = write([row(f"Is {n} a number?", user=f"user {n % 20}") for n in range(200)])
    done = split(source, tmp_path / "out", validation=0.3, group_by="user")
    users = {ask: int(ask.split()[1]) % 20 for ask in sides(tmp_path / "out")}
    grouped = {(users[ask], side) for ask, side in sides(tmp_path / "out").items()}
    assert len(grouped) == 20
    assert done.removed_keys == ("user",)
    assert all(one.keys() == {"messages"} for one in read(tmp_path / "out", "train"))


def test_groups_of_a_nested_path_stay_together(write, tmp_path):
    source = write([row(f"Is {n} a number?", metadata={"thread": n % 20, "at": n}) for n in range(200)])
    done = split(source, tmp_path / "out", validation=0.3, group_by="metadata.thread")
    assert len({(int(ask.split()[1]) % 20, side) for ask, side in sides(tmp_path / "out").items()}) == 20
    assert done.removed_keys == ("metadata",)


def test_a_field_of_a_graded_row_is_written_though_it_groups(write, tmp_path):
    source = write([{"messages": [{"role": "user", "content": f"Is {n} a number?"}], "topic": f"t{n % 20}"} for n in range(100)])
    done = split(source, tmp_path / "out", validation=0.3, group_by="topic")
    assert done.removed_keys == ()
    assert all("topic" in one for one in read(tmp_path / "out", "train"))


def test_groups_that_share_a_question_become_one(write, tmp_path):
    shared = [row("Is 0 a number?", user=f"user {n}") for n in range(20)]
    others = [row(f"Is {n} a number?", user=f"user {n % 40}") for n in range(1, 200)]
    split(write([*shared, *others]), tmp_path / "out", validation=0.3, group_by="user", dedup=False)
    together = {side for ask, side in sides(tmp_path / "out").items() if int(ask.split()[1]) % 40 < 20}
    assert len(together) == 1


def test_columns_of_a_table_group_rows(tmp_path):
    lines = "".join(f"user {n % 10},Is {n} a number?,Yes.\n" for n in range(100))
    (tmp_path / "rows.csv").write_text("user,prompt,completion\n" + lines)
    split(tmp_path / "rows.csv", tmp_path / "out", validation=0.3, group_by="user")
    sides_of = {(int(one["prompt"].split()[1]) % 10, name) for name in ("train", "validation") for one in read(tmp_path / "out", name)}
    assert len(sides_of) == 10
    assert read(tmp_path / "out", "train")[0].keys() == {"prompt", "completion"}


def test_a_column_that_only_groups_does_not_hide_what_the_others_are(tmp_path):
    path = tmp_path / "sheet.csv"
    path.write_text("question,answer,author\n" + "".join(f"{n}?,{n}!,a{n % 20}\n" for n in range(80)))
    done = split(path, tmp_path / "out", validation=20, group_by="author")
    assert done.removed_keys == ("author",)
    first = json.loads((tmp_path / "out" / "train.jsonl").read_text().splitlines()[0])
    assert first.keys() == {"prompt", "completion"}


def test_rows_of_no_known_kind_are_named_and_nothing_is_written(write, tmp_path):
    path = write([*rows(20), {"ask": "this", "tell": "that"}])
    with pytest.raises(DataError, match="row 21 is of no known kind"):
        split(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_strata_have_the_same_share_on_all_sides(write, tmp_path):
    found = [row(f"Is {n} a number?", json.dumps({"class": "abc"[n % 7 % 3], "n": n})) for n in range(700)]
    done = split(write(found), tmp_path / "out", validation=0.13, test=0.07, stratify_by="answer.class")
    whole = Counter(label(one, "answer.class") for one in found)
    for name, share in (("validation", 0.13), ("test", 0.07)):
        for stratum, count in whole.items():
            assert abs(done.parts[name].strata[stratum] - share * count) <= 1
        assert abs(done.parts[name].rows - share * 700) <= 1


def test_strata_and_groups_are_kept_as_near_as_whole_groups_allow(write, tmp_path):
    found = [row(f"Is {n} a number?", user=f"user {n % 100}", kind="ab"[n % 2]) for n in range(600)]
    done = split(write(found), tmp_path / "out", validation=0.2, group_by="user", stratify_by="kind")
    assert len({(int(ask.split()[1]) % 100, side) for ask, side in sides(tmp_path / "out").items()}) == 100
    assert done.parts["validation"].strata == {"a": 60, "b": 60}
    assert done.removed_keys == ("kind", "user")


def test_what_was_done_is_told_beside_the_files(write, tmp_path):
    source = write(rows(100))
    done = split(source, tmp_path / "out", validation=0.2, seed=3)
    told = Split.model_validate_json((tmp_path / "out" / MANIFEST).read_text())
    assert told == done
    assert told.source_sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    for part in told.parts.values():
        written = (tmp_path / "out" / part.file).read_bytes()
        assert (part.sha256, part.rows) == (hashlib.sha256(written).hexdigest(), written.count(b"\n"))
    assert str(tmp_path) not in (tmp_path / "out" / MANIFEST).read_text()


def test_other_formats_are_split_as_anytunes_own_rows(write, tmp_path):
    source = write(
        [{"conversations": [{"from": "human", "value": f"Is {n} a number?"}, {"from": "gpt", "value": "Yes."}]} for n in range(40)]
    )
    split(source, tmp_path / "out", validation=8)
    assert check(tmp_path / "out" / "train.jsonl", "sft").ok
    assert read(tmp_path / "out", "train")[0]["messages"][0]["role"] == "user"


def test_half_a_character_survives(write, tmp_path):
    source = tmp_path / "rows.jsonl"
    source.write_text("".join(json.dumps(row(f"\ud83d {n}")) + "\n" for n in range(30)))
    split(source, tmp_path / "out", validation=5)
    assert all(ask.startswith("\ud83d") for ask in sides(tmp_path / "out"))


def test_nothing_is_overwritten_unless_asked(write, tmp_path):
    source = write(rows(50))
    split(source, tmp_path / "out", validation=5)
    before = (tmp_path / "out" / "train.jsonl").read_bytes()
    with pytest.raises(ConfigError, match="there already"):
        split(source, tmp_path / "out", validation=5, seed=1)
    assert (tmp_path / "out" / "train.jsonl").read_bytes() == before
    split(source, tmp_path / "out", validation=5, seed=1, force=True)
    assert (tmp_path / "out" / "train.jsonl").read_bytes() != before


def test_the_source_is_never_overwritten(write, tmp_path):
    source = write(rows(50), "train.jsonl")
    with pytest.raises(ConfigError, match="its own split"):
        split(source, tmp_path, validation=5, force=True)
    assert len(source.read_text().splitlines()) == 50


def test_bad_rows_are_named_and_nothing_is_written(write, tmp_path):
    source = write(rows(50))
    with source.open("a") as stream:
        stream.write("{broken\n[1]\n")
    with pytest.raises(DataError, match=r"row 51 is not JSON.*row 52") as caught:
        split(source, tmp_path / "out", validation=5)
    assert "anytune data check" in caught.value.fix
    assert not (tmp_path / "out").exists()


def test_a_row_without_the_group_is_named(write, tmp_path):
    with pytest.raises(DataError, match="Row 2 has nothing at `user`"):
        split(write([row("One?", user="a"), row("Two?")]), tmp_path / "out", validation=1, group_by="user")


def test_too_many_strata_are_refused(write, tmp_path):
    with pytest.raises(DataError, match="too many to stratify"):
        split(write(rows(1200)), tmp_path / "out", validation=0.1, stratify_by="messages.0.content")


def test_a_side_without_rows_is_refused(write, tmp_path):
    with pytest.raises(DataError, match="would hold none of the 1 rows"):
        split(write(rows(1)), tmp_path / "out", validation=0.5)
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize(
    ("validation", "test", "words"),
    [
        (0, 0.1, "needs validation"),
        (-1, 0, "neither a share"),
        (1.5, 0, "neither a share"),
        (0.6, 0.4, "nothing to train"),
        (0.1, -0.1, "neither"),
    ],
)
def test_impossible_shares_are_refused(write, tmp_path, validation, test, words):
    with pytest.raises(ConfigError, match=words):
        split(write(rows(20)), tmp_path / "out", validation=validation, test=test)


def test_a_failure_while_writing_leaves_nothing_behind(write, tmp_path, monkeypatch):
    source = write(rows(50))
    taken = []

    def full(handle):
        taken.append(handle)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        split(source, tmp_path / "out", validation=5)
    assert taken
    assert list((tmp_path / "out").iterdir()) == []


def test_paths_lead_into_json_text_lists_and_objects():
    asked = row("Play jazz", '{"intent": "PlayMusic", "slots": [{"genre": "jazz"}], "sure": true}')
    assert label(asked, "answer.intent") == "PlayMusic"
    assert label(asked, "answer.slots.0.genre") == "jazz"
    assert label(asked, "answer.sure") == "true"
    assert label(asked, "messages.-1.role") == "assistant"
    assert label(asked, "answer.slots.7.genre") is None
    assert label(asked, "answer.intent.deeper") is None
    assert label({"completion": "yes"}, "answer") == "yes"
    assert label({"answer": "own", "completion": "yes"}, "answer") == "own"
    assert label({"input": {"messages": []}, "preferred_output": [{"role": "assistant", "content": "a"}]}, "answer") == "a"
    assert label({"messages": [{"role": "user", "content": "x"}]}, "answer") is None


@pytest.mark.skipif(not SNIPS.exists(), reason="../shared/data/snips is not there")
def test_real_rows_keep_their_shares_and_nothing_leaks(tmp_path):
    done = split(SNIPS, tmp_path / "out", validation=0.1, test=0.1, stratify_by="answer.intent")
    whole = Counter()
    for part in done.parts.values():
        whole.update(part.strata)
    assert len(whole) == 7
    for name in ("validation", "test"):
        assert all(abs(count - whole[stratum] / 10) <= 1 for stratum, count in done.parts[name].strata.items())
        report = check(tmp_path / "out" / "train.jsonl", "sft", validation=tmp_path / "out" / f"{name}.jsonl", tokens=False)
        assert {finding.code for finding in report.findings} & {"leaked-rows", "leaked-inputs", "duplicate-rows"} == set()
    assert sum(whole.values()) == 13_784 - done.left_out
