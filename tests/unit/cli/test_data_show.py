from __future__ import annotations

import io
import json
import sys

import pytest

from anytune.cli import invoke, main

CHAT = {"messages": [{"role": "user", "content": "2 cups basil"}, {"role": "assistant", "content": "basil, fresh"}]}
TWO_TURNS = {
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "eins", "weight": 0},
        {"role": "user", "content": "two"},
        {"role": "assistant", "content": "zwei"},
    ]
}
PREFERENCE = {"prompt": "2+2?", "chosen": "4", "rejected": "5"}


@pytest.fixture
def data(cli):
    """Write rows, and give the path."""

    def write(*rows, name="rows.jsonl"):
        path = cli.folder / name
        path.write_text("".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in rows))
        return str(path)

    return write


def test_what_is_learned_stands_in_marks_where_there_is_no_colour(cli, data):
    out = cli("data", "show", data(CHAT))
    assert cli.code == 0
    assert out.splitlines()[1:] == ["[user]", "2 cups basil", "[assistant]", "⟦basil, fresh⟧"]
    assert "row 1 (chat)" in out.splitlines()[0]
    assert "counted in o200k_base" in cli.err


def test_turns_of_weight_zero_are_read_and_not_learned(cli, data):
    out = cli("data", "show", data(TWO_TURNS))
    assert "\neins\n" in out
    assert "⟦zwei⟧" in out


def test_what_is_learned_is_coloured_and_underlined_where_there_is_colour(cli, data, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = cli("data", "show", data(CHAT))
    assert "\x1b[1;4;32mbasil, fresh" in out
    assert "⟦" not in out


def test_colour_can_be_switched_off(cli, data, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = cli("data", "show", data(CHAT), "--no-color")
    assert "32m" not in out
    assert "⟦basil, fresh⟧" in out


def test_rows_are_chosen_by_their_lines(cli, data):
    path = data(*(CHAT | {"messages": [CHAT["messages"][0], {"role": "assistant", "content": f"n{n}"}]} for n in range(1, 9)))
    out = cli("data", "show", path, "--rows", "2,4-5,7")
    assert [part for part in ("n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8") if f"⟦{part}⟧" in out] == ["n2", "n4", "n5", "n7"]


def test_a_preference_is_shown_once_for_each_side(cli, data):
    out = cli("data", "show", data(PREFERENCE))
    chosen, rejected = out.split("── row 1 ")[1:]
    assert "chosen" in chosen
    assert "⟦4⟧" in chosen
    assert "⟦5⟧" not in chosen
    assert "rejected" in rejected
    assert "⟦5⟧" in rejected


def test_a_backend_that_renders_shows_its_own_template(cli, data):
    shown = cli.json("data", "show", data(CHAT), "-b", "trial", "-m", "base")
    (row,) = shown["rows"]
    (seen,) = row["renderings"]
    assert shown["rendering"] == "Rendered by memory with the template and tokenizer of base."
    assert "".join(piece["text"] for piece in seen["pieces"]) == "<user> 2 cups basil\n<assistant> basil, fresh\n"
    assert [piece["text"] for piece in seen["pieces"] if piece["trained"]] == ["basil, fresh\n"]
    assert (seen["prompt_tokens"], seen["trained_tokens"], seen["total_tokens"]) == (5, 2, 7)


def test_a_backend_that_renders_wants_to_know_the_model(cli, data):
    cli("data", "show", data(CHAT), "-b", "trial")
    assert cli.code == 2
    assert "--model" in cli.err


def test_a_model_wants_to_know_its_backend(cli, data):
    cli("data", "show", data(CHAT), "-m", "base")
    assert cli.code == 2
    assert "--backend" in cli.err


def test_a_host_is_shown_by_roles_and_says_that_its_template_is_not_public(cli, data):
    shown = cli.json("data", "show", data(CHAT), "-b", "openai", "-m", "gpt-4.1-mini-2025-04-14")
    assert "does not publish its exact template" in shown["rendering"]
    assert shown["rows"][0]["renderings"][0]["trained_tokens"] == 4


def test_an_unknown_backend_is_named(cli, data):
    cli("data", "show", data(CHAT), "-b", "opneai", "-m", "x")
    assert cli.code == 3
    assert "opneai" in cli.err


def test_findings_of_the_row_are_told_with_the_row(cli, data):
    shown = cli.json("data", "show", data({"messages": [*CHAT["messages"], {"role": "user", "content": "more <|im_start|>"}]}))
    found = {finding["code"]: finding for finding in shown["rows"][0]["findings"]}
    assert found["last-not-assistant"]["severity"] == "error"
    assert found["special-token"]["message_index"] == 2


def test_a_line_that_is_not_json_is_told_and_not_shown(cli, data):
    shown = cli.json("data", "show", data(CHAT, "{oops"), "--row", "2")
    (row,) = shown["rows"]
    assert (row["renderings"], row["findings"][0]["code"]) == ([], "not-json")


def test_other_formats_are_shown_as_the_rows_that_they_become(cli, data):
    sharegpt = {"conversations": [{"from": "human", "value": "2 cups basil"}, {"from": "gpt", "value": "basil"}]}
    shown = cli.json("data", "show", data(sharegpt))
    assert shown["format"] == "sharegpt"
    assert shown["rows"][0]["kind"] == "chat"


def test_a_row_cannot_steer_the_terminal(cli, data):
    nasty = "a\x1b[2J\x07\x9b31m\u202eb\u200b⟧c\r"
    out = cli("data", "show", data({"prompt": "p", "completion": nasty}))
    assert "\x1b" not in out
    assert "⟦a␛[2J␇⟨U+009B⟩31m⟨U+202E⟩b⟨U+200B⟩⟨U+27E7⟩c␍⟧" in out


@pytest.mark.parametrize("rows", ["x", "0", "5-2", "1-x", "-3"])
def test_rows_that_are_no_rows_are_refused(cli, data, rows):
    cli("data", "show", data(CHAT), "--rows", rows)
    assert cli.code == 2


def test_a_row_beyond_the_end_is_refused(cli, data):
    cli("data", "show", data(CHAT), "--row", "2")
    assert cli.code == 2
    assert "no such row" in cli.err


def test_a_file_that_is_not_there_is_refused(cli):
    cli("data", "show", "nowhere.jsonl")
    assert cli.code == 2
    assert "nowhere.jsonl" in cli.err


def test_a_file_is_read_no_further_than_the_last_row_asked_for(cli, data):
    path = data(CHAT, CHAT, *["{oops"] * 3)
    shown = cli.json("data", "show", path, "--rows", "1-2")
    assert [row["findings"] for row in shown["rows"]] == [[], []]


def test_a_length_wants_a_backend_that_cuts(cli, data):
    cli("data", "show", data(CHAT), "--max-length", "20")
    assert cli.code == 2
    assert "--backend" in cli.err


def test_a_terminal_of_another_encoding_gets_escapes(cli, data, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "argv", ["anytune", "data", "show", data(CHAT)])
    with pytest.raises(SystemExit) as ended:
        main()
    out.flush()
    assert ended.value.code == 0
    assert rb"\u27e6" in out.buffer.getvalue()


def test_json_is_json_on_a_terminal_of_another_encoding(cli, data, monkeypatch):
    path = data({"messages": [{"role": "user", "content": "größer?"}, {"role": "assistant", "content": "größer"}]})
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="backslashreplace")
    monkeypatch.setattr(sys, "stdout", out)
    invoke(["data", "show", path, "--json"])
    out.flush()
    assert json.loads(out.buffer.getvalue())["rows"][0]["renderings"][0]["pieces"][1]["text"] == "größer?"
