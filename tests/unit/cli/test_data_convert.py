from __future__ import annotations

import json

import pytest

from anytune.data.formats import DIALECTS

CHAT = {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]}
MASKED = {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "5", "weight": 0}, *CHAT["messages"]]}


@pytest.fixture
def rows(cli):
    def write(*found, name="rows.jsonl"):
        path = cli.folder / name
        path.write_text("".join(json.dumps(row) + "\n" for row in found))
        return str(path)

    return write


def test_a_file_is_converted_and_the_new_one_named(cli, rows):
    source = rows({"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}], "id": 1})
    shown = cli("data", "convert", source, "out.jsonl", "--to", "openai")
    assert cli.code == 0
    assert shown.strip() == str(cli.folder / "out.jsonl")
    assert json.loads((cli.folder / "out.jsonl").read_text()) == CHAT
    assert "sharegpt" in cli.err
    assert "`id`" in cli.err


def test_json_gives_the_file_and_what_was_lost(cli, rows):
    made = cli.json("data", "convert", rows({"prompt": "2+2?", "completion": "4"}), "out.jsonl", "--to", "azure")
    assert cli.code == 0
    assert made["ok"] is True
    assert (made["rows"], made["format"], made["to"]) == (1, "anytune", "azure")
    assert [loss["code"] for loss in made["losses"]] == ["dropped-feature"]


def test_what_would_teach_something_else_ends_in_1_and_writes_nothing(cli, rows):
    cli("data", "convert", rows(CHAT, MASKED), "out.jsonl", "--to", "sharegpt")
    assert cli.code == 1
    assert "row 2" in cli.err
    assert "--allow-loss" in cli.err
    assert not (cli.folder / "out.jsonl").exists()


def test_what_would_teach_something_else_is_written_when_that_is_said(cli, rows):
    cli("data", "convert", rows(CHAT, MASKED), "out.jsonl", "--to", "sharegpt", "--allow-loss")
    assert cli.code == 0
    assert (cli.folder / "out.jsonl").exists()


def test_wrong_rows_end_in_1_and_are_named(cli, rows):
    told = cli.json("data", "convert", rows(CHAT, {"messages": []}), "out.jsonl", "--to", "openai")
    assert cli.code == 1
    assert told["ok"] is False
    assert [(found["code"], found["row"]) for found in told["findings"]] == [("no-messages", 2)]
    assert not (cli.folder / "out.jsonl").exists()


def test_a_file_that_cannot_be_read_ends_in_2(cli):
    cli("data", "convert", "missing.jsonl", "out.jsonl", "--to", "openai")
    assert cli.code == 2
    assert "missing.jsonl" in cli.err


def test_an_unknown_dialect_ends_in_2_with_the_nearest_name(cli, rows):
    cli("data", "convert", rows(CHAT), "out.jsonl", "--to", "opnai")
    assert cli.code == 2
    assert "'openai'" in cli.err


def test_the_help_names_every_dialect(cli):
    shown = cli("data", "convert", "--help")
    assert [name for name in DIALECTS if name not in shown] == []
