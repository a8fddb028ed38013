from __future__ import annotations

import json

import pytest

from anytune.data.formats import DIALECTS

CHAT = {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]}
MASKED = {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "5", "weight": 0}, *CHAT["messages"]]}


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


def test_a_key_that_reading_leaves_out_is_not_called_nothing(cli, rows):
    source = rows({"conversations": [{"from": "human", "value": "2+2?"}, {"from": "gpt", "value": "4"}], "id": 1})
    cli("data", "convert", source, "a.jsonl", "--to", "openai")
    assert "`id`" in cli.err
    assert "Nothing is lost" not in cli.err


def test_a_conversion_without_loss_says_so(cli, rows):
    cli("data", "convert", rows(CHAT), "a.jsonl", "--to", "openai")
    assert "Nothing is lost." in cli.err


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.csv.gz"])
def test_json_lines_are_not_written_under_the_name_of_a_table(cli, rows, name):
    cli("data", "convert", rows(CHAT), name, "--to", "openai")
    assert cli.code == 2
    assert "a.jsonl" in cli.err
    assert not (cli.folder / name).exists()


@pytest.mark.parametrize(
    "command", [("convert", "rows.jsonl", "a.jsonl", "--to", "openai"), ("stats", "rows.jsonl"), ("show", "rows.jsonl")]
)
def test_a_method_that_there_is_not_is_refused_with_those_that_there_are(cli, rows, command):
    rows(CHAT)
    cli("data", *command, "--method", "dpx")
    assert cli.code == 2
    assert "clm, dpo, kto, orpo, reward, rft, sft" in cli.err


def test_of_many_alike_the_count_is_true_and_the_fix_is_said_once(cli, rows):
    cli("data", "convert", rows(*[CHAT] * 300), "a.jsonl", "--to", "openai", "--method", "dpo")
    assert "… and 295 more of `wrong-kind`" in cli.err
    assert cli.err.count("Rows for dpo look like") == 1


def test_rows_that_lose_the_same_are_named_by_the_first_of_them(cli, rows):
    cli("data", "convert", rows(*[{"prompt": "2+2?", "completion": "4"}] * 5), "a.jsonl", "--to", "openai")
    assert "rows 1, 2, 3, …: " in cli.err
