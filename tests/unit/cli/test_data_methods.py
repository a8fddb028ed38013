"""The data commands for the methods that only some backends offer: orpo, reward and clm."""

from __future__ import annotations

import pytest

from anytune.data.rows import METHODS

CHAT = {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "four"}]}
PAIR = {"prompt": "2+2?", "chosen": "four", "rejected": "five"}
TEXT = {"text": "Two and two are four."}
RIGHT = [("orpo", PAIR), ("reward", PAIR), ("clm", TEXT), ("clm", CHAT)]
WRONG = [("orpo", CHAT), ("reward", TEXT), ("clm", PAIR)]


def several(row):
    """Make rows that are not the same."""
    return [{key: f"{value} ({n})" if isinstance(value, str) else value for key, value in row.items()} for n in range(20)]


@pytest.mark.parametrize(("method", "row"), RIGHT)
def test_rows_of_the_right_kind_are_good(cli, rows, method, row):
    found = cli.json("data", "check", rows(row), "--method", method)
    assert cli.code == 0, found["findings"]


@pytest.mark.parametrize(("method", "row"), WRONG)
def test_rows_of_another_kind_are_named(cli, rows, method, row):
    found = cli.json("data", "check", rows(row), "--method", method)
    assert cli.code == 1
    assert "wrong-kind" in {each["code"] for each in found["findings"]}


@pytest.mark.parametrize(("method", "row"), RIGHT)
@pytest.mark.parametrize("dialect", ["anytune", "trl", "autotrain"])
def test_they_are_converted(cli, rows, method, row, dialect):
    cli("data", "convert", rows(row), "out.jsonl", "--to", dialect, "--method", method, "--allow-loss")
    assert cli.code == 0, cli.err
    assert cli.json("data", "check", "out.jsonl", "--method", method)["ok"]


@pytest.mark.parametrize(("method", "row"), WRONG)
def test_rows_of_another_kind_are_not_converted(cli, rows, method, row):
    cli("data", "convert", rows(row), "out.jsonl", "--to", "autotrain", "--method", method)
    assert cli.code == 1
    assert not (cli.folder / "out.jsonl").exists()


@pytest.mark.parametrize(("method", "row"), RIGHT)
def test_they_are_counted_split_and_shown(cli, rows, method, row):
    path = rows(*several(row))
    assert cli.json("data", "stats", path)["rows"] == 20
    shown = cli.json("data", "show", path, "--method", method)
    assert not [each for each in shown["rows"][0]["findings"] if each["severity"] == "error"]
    if "messages" not in row:  # those are all the same, and stay together
        cli("data", "split", path, "--validation", "0.2", "--out", "parts")
        assert cli.code == 0, cli.err


def learned(cli, path, method):
    shown = cli.json("data", "show", path, "--method", method)["rows"][0]["renderings"]
    return cli.json("data", "check", path, "--method", method)["tokens"], shown


def test_all_of_a_conversation_is_learned_in_continued_pre_training(cli, rows):
    all_of_it, (shown,) = learned(cli, rows(CHAT), "clm")
    assert {piece["trained"] for piece in shown["pieces"] if piece["tokens"]} == {True}
    answers, (shown,) = learned(cli, rows(CHAT), "sft")
    assert answers["trained"] < all_of_it["trained"]
    assert answers["total"] == all_of_it["total"]
    assert {piece["trained"] for piece in shown["pieces"] if piece["tokens"]} == {True, False}


def test_the_help_names_every_method(cli):
    for command in ("check", "convert", "show"):
        shown = " ".join(cli("data", command, "--help").split())
        assert [method for method in METHODS if method not in shown] == []
