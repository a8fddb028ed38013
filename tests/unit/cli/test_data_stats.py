from __future__ import annotations

import io
import json
import sys

import pytest


@pytest.fixture
def rows(cli):
    path = cli.folder / "rows.jsonl"
    found = [
        {"messages": [{"role": "user", "content": f"{n}?"}, {"role": "assistant", "content": json.dumps({"class": "ab"[n % 2]})}]}
        for n in range(60)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in found))
    return path


def test_numbers_and_a_picture_are_printed(cli, rows):
    cli("data", "stats", "rows.jsonl", "--by", "answer.class")
    assert cli.code == 0
    assert "rows: 60" in cli.out
    assert "answer.class" in cli.out
    assert "│" in cli.out


def test_json_is_one_document(cli, rows):
    told = cli.json("data", "stats", "rows.jsonl")
    assert (told["rows"], told["kinds"], told["tokens"]["encoding"]) == (60, {"chat": 60}, "o200k_base")


def test_a_terminal_without_unicode_gets_ascii(cli, rows, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    cli("data", "stats", "rows.jsonl")
    out.flush()
    assert b"#####" in out.buffer.getvalue()


def test_pictures_and_pages_are_written(cli, rows):
    pytest.importorskip("matplotlib")
    cli("data", "stats", "rows.jsonl", "--png", "a.png", "--html", "a.html")
    assert (cli.folder / "a.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (cli.folder / "a.html").read_text()


def test_a_hosted_model_counts_in_its_encoding(cli, rows):
    told = cli.json("data", "stats", "rows.jsonl", "--backend", "openai", "--model", "gpt-4.1-mini-2025-04-14")
    assert told["tokens"]["encoding"] == "o200k_base"


def test_a_backend_that_nobody_knows_is_an_error(cli, rows):
    cli("data", "stats", "rows.jsonl", "--backend", "nobody", "--model", "x")
    assert cli.code == 3


def test_another_encoding_can_be_asked_for(cli, rows):
    assert cli.json("data", "stats", "rows.jsonl", "--encoding", "cl100k_base")["tokens"]["encoding"] == "cl100k_base"


def test_two_ways_to_count_are_refused(cli, rows):
    cli("data", "stats", "rows.jsonl", "--encoding", "o200k_base", "--backend", "trial", "--model", "starter")
    assert cli.code == 2


def test_a_backend_that_counts_for_itself_needs_a_model(cli, rows):
    cli("data", "stats", "rows.jsonl", "--backend", "trial")
    assert cli.code == 2
    assert "--model" in cli.err


def test_rows_that_cannot_be_used_are_told(cli, rows):
    rows.write_text(rows.read_text() + "{broken\n")
    cli("data", "stats", "rows.jsonl")
    assert cli.code == 0
    assert "anytune data check" in cli.err


def test_a_page_that_cannot_be_written_is_an_error(cli, rows):
    cli("data", "stats", "rows.jsonl", "--html", "none/a.html")
    assert cli.code == 2
    assert "cannot be written" in cli.err


def test_a_long_value_is_shown_on_one_line(cli, rows):
    row = {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "one\n" + "two " * 60}]}
    rows.write_text(json.dumps(row) + "\n")
    cli("data", "stats", "rows.jsonl", "--by", "answer")
    assert "  one two two" in cli.out
    assert "…: 1 (100.0%)" in cli.out


def test_values_that_are_no_labels_are_said_to_be_too_many(cli, rows):
    rows.write_text("".join(json.dumps({"prompt": f"{n}?", "completion": f"{n}!"}) + "\n" for n in range(1100)))
    cli("data", "stats", "rows.jsonl", "--by", "prompt")
    assert "more than 1,000 values" in cli.err
    assert "rows: 1,100" in cli.out


def test_a_page_has_no_colours_of_its_own_but_the_bars(cli, rows):
    cli("data", "stats", "rows.jsonl", "--html", "a.html")
    page = (cli.folder / "a.html").read_text()
    assert "color-scheme: light dark" in page
    assert "background" not in page
