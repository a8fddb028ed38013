from __future__ import annotations

import sys

import pytest

from anytune.cli.progress import bytes_read, rows_read


@pytest.mark.parametrize("drawn", [bytes_read, rows_read])
def test_nothing_is_drawn_where_nobody_looks(drawn, capsys):
    with drawn("a.jsonl") as progress:
        assert progress is None
    assert capsys.readouterr() == ("", "")


def test_rows_are_counted_on_a_terminal_and_a_file_s_name_is_no_markup(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with rows_read("[bold]a.jsonl") as progress:
        progress(12_000)
    out, err = capsys.readouterr()
    assert out == ""
    assert "[bold]a.jsonl" in err


def test_bytes_are_counted_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with bytes_read("a.jsonl") as progress:
        progress(5, 10)
    assert capsys.readouterr().out == ""
