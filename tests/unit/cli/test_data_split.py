from __future__ import annotations

import json

import pytest


@pytest.fixture
def rows(cli):
    path = cli.folder / "rows.jsonl"
    found = [
        {"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": json.dumps({"class": "ab"[n % 2]})}]}
        for n in range(60)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in [*found, found[0]]))
    return path


def test_a_file_is_split_into_a_folder_of_its_name(cli, rows):
    cli("data", "split", "rows.jsonl", "--validation", "12")
    assert cli.code == 0
    assert len((cli.folder / "rows-split" / "validation.jsonl").read_text().splitlines()) == 12
    assert len((cli.folder / "rows-split" / "train.jsonl").read_text().splitlines()) == 48
    assert "validation.jsonl" in cli.out
    assert "Left out, being equal to earlier rows: 1" in cli.err


def test_json_tells_what_the_manifest_tells(cli, rows):
    told = cli.json("data", "split", "rows.jsonl", "--validation", "0.2", "--test", "6", "--seed", "4", "--stratify-by", "answer.class")
    assert told.pop("folder") == "rows-split"
    assert told == json.loads((cli.folder / "rows-split" / "split.json").read_text())
    assert told["parts"]["validation"]["strata"] == {"a": 6, "b": 6}
    assert told["parts"]["test"]["rows"] == 6


def test_strata_are_shown(cli, rows):
    cli("data", "split", "rows.jsonl", "--validation", "0.2", "--stratify-by", "answer.class", "--out", "here")
    assert "answer.class" in cli.out


def test_what_is_there_stays_without_force(cli, rows):
    cli("data", "split", "rows.jsonl", "--validation", "12", "--out", "here")
    cli("data", "split", "rows.jsonl", "--validation", "13", "--out", "here")
    assert cli.code == 2
    assert "--force" in cli.err
    cli("data", "split", "rows.jsonl", "--validation", "13", "--out", "here", "--force")
    assert cli.code == 0


def test_equal_rows_are_kept_where_asked(cli, rows):
    told = cli.json("data", "split", "rows.jsonl", "--validation", "12", "--keep-duplicates")
    assert sum(part["rows"] for part in told["parts"].values()) == 61


def test_groups_stay_together(cli, rows):
    told = cli.json("data", "split", "rows.jsonl", "--validation", "0.5", "--group-by", "messages.0.content", "--near")
    assert (told["group_by"], told["near"]) == ("messages.0.content", True)


def test_a_missing_file_is_an_error_with_a_next_step(cli):
    cli("data", "split", "none.jsonl")
    assert cli.code == 2
    assert "does not exist" in cli.err


def test_bad_rows_are_an_error(cli, rows):
    rows.write_text(rows.read_text() + "{broken\n")
    told = cli.json("data", "split", "rows.jsonl")
    assert cli.code == 2
    assert "row 62" in told["error"]["message"]


def test_a_share_that_came_out_far_from_what_was_asked_is_explained(cli, rows):
    cli("data", "split", "rows.jsonl", "--validation", "0.1", "--seed", "2")
    assert "give numbers of rows for exact ones" in cli.err
    cli("data", "split", "rows.jsonl", "--validation", "12", "--out", "exact")
    assert "exact ones" not in cli.err
