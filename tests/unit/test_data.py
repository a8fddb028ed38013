"""Reading and checking rows: what is wrong is named with its row, and nothing else is refused."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytune.data import check, describe, lines
from anytune.data.files import MAX_LINE_BYTES
from anytune.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}


def written(folder: Path, *rows: Any) -> Path:
    path = folder / "rows.jsonl"
    path.write_bytes(b"".join(row if isinstance(row, bytes) else json.dumps(row).encode() + b"\n" for row in rows))
    return path


def turns(*turns: tuple[str, str]) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


@pytest.mark.parametrize(
    "row",
    [
        GOOD,
        turns(("system", "s"), ("user", "u"), ("assistant", "a"), ("user", "u"), ("assistant", "a")),
        {
            "messages": [
                {"role": "user", "content": "u"},
                {"role": "assistant", "content": "a", "weight": 0},
                {"role": "assistant", "content": "b", "weight": 1},
            ]
        },
        {"messages": [{"role": "user", "content": [{"type": "text", "text": "u"}]}, {"role": "assistant", "content": "a"}]},
        {
            "messages": [
                {"role": "user", "content": "u"},
                {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]},
                {"role": "tool", "tool_call_id": "1", "content": "2"},
                {"role": "assistant", "content": "two"},
            ],
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
        },
        {"prompt": "p", "completion": "c"},
        {"prompt": [{"role": "user", "content": "p"}], "completion": [{"role": "assistant", "content": "c"}]},
    ],
)
def test_a_good_row_is_taken(tmp_path: Path, row: dict[str, Any]) -> None:
    assert check(written(tmp_path, row), "sft").findings == ()


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "p", "chosen": "a", "rejected": "b"},
        {
            "input": {"messages": [{"role": "user", "content": "p"}], "tools": [], "parallel_tool_calls": True},
            "preferred_output": [{"role": "assistant", "content": "a"}],
            "non_preferred_output": [{"role": "assistant", "content": "b"}],
        },
    ],
)
def test_a_good_preference_is_taken(tmp_path: Path, row: dict[str, Any]) -> None:
    assert check(written(tmp_path, row), "dpo").findings == ()


@pytest.mark.parametrize(
    ("row", "code", "words"),
    [
        (b"not json\n", "bad-line", "not JSON"),
        (b"[1]\n", "bad-line", "not an object"),
        (b'{"a": NaN}\n', "bad-line", "NaN"),
        (b'{"a": 1, "a": 2}\n', "bad-line", "stands twice"),
        (b"\xff\xfe\n", "bad-line", "not UTF-8"),
        (b"[" * 200_000 + b"\n", "bad-line", "nested too deeply"),
        (b'{"a": ' + b"9" * 6000 + b"}\n", "bad-line", "not JSON"),
        ({"text": "t"}, "unknown-row", "text"),
        ({"messages": []}, "bad-row", "messages"),
        (turns(("user", "u")), "bad-row", "No assistant"),
        (turns(("assistant", "a"), ("user", "u")), "bad-row", "last message is of user"),
        (turns(("user", "u"), ("assistant", " ")), "bad-row", "empty"),
        (turns(("usr", "u"), ("assistant", "a")), "bad-row", "messages.0.role"),
        ({"messages": [{"role": "user"}, {"role": "assistant", "content": "a"}]}, "bad-row", "needs `content`"),
        ({"messages": [{"role": "user", "contnt": "u"}, {"role": "assistant", "content": "a"}]}, "unknown-key", "messages.0.contnt"),
        (GOOD | {"tool": []}, "unknown-key", "tool"),
        (
            {
                "messages": [
                    {"role": "user", "content": "u"},
                    {"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{"}}]},
                ]
            },
            "bad-row",
            "not JSON",
        ),
        ({"prompt": "p", "completion": " "}, "bad-row", "completion is empty"),
        ({"prompt": "p", "chosen": "a", "rejected": "b"}, "wrong-kind", "PreferenceRow"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, row: Any, code: str, words: str) -> None:
    findings = check(written(tmp_path, GOOD, row, GOOD), "sft").findings
    findings = tuple(f for f in findings if f.code != "mixed-rows")
    assert [(f.severity, f.code, f.row) for f in findings] == [("error", code, 2)]
    assert words in findings[0].message
    assert findings[0].fix


def test_a_wrong_message_is_named_by_its_index(tmp_path: Path) -> None:
    row = turns(("user", "u"), ("assistent", "a"), ("assistant", "b"))
    assert check(written(tmp_path, row), "sft").findings[0].message_index == 1


def test_the_same_preferred_and_rejected_answer_teach_nothing(tmp_path: Path) -> None:
    findings = check(written(tmp_path, {"prompt": "p", "chosen": "a", "rejected": "a"}), "dpo").findings
    assert "the same" in findings[0].message


def test_kinds_of_rows_are_not_mixed(tmp_path: Path) -> None:
    findings = check(written(tmp_path, GOOD, {"prompt": "p", "completion": "c"}), "sft").findings
    assert [f.code for f in findings] == ["mixed-rows"]


def test_many_errors_are_counted_not_listed(tmp_path: Path) -> None:
    findings = check(written(tmp_path, *[{"text": "t"}] * 250), "sft").findings
    assert len(findings) == 101
    assert findings[-1].message == "150 more rows are wrong."


def test_a_byte_order_mark_crlf_and_blank_lines_are_taken(tmp_path: Path) -> None:
    raw = b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n\r\n" + json.dumps(GOOD).encode()
    found = list(lines(written(tmp_path, raw)))
    assert [line.number for line in found] == [1, 3]
    assert all(line.row == GOOD for line in found)


def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    raw = b'{"a": "' + b"x" * (MAX_LINE_BYTES + 5_000_000) + b'"}\n'
    found = list(lines(written(tmp_path, raw, GOOD)))
    assert [(line.number, bool(line.problem)) for line in found] == [(1, True), (2, False)]


def test_a_file_of_blank_lines_holds_no_rows(tmp_path: Path) -> None:
    assert [f.code for f in check(written(tmp_path, b"\n\n"), "sft").findings] == ["no-rows"]


def test_a_file_is_described_by_the_hash_of_its_bytes(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    found = describe(path, "train")
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert found.size_bytes == path.stat().st_size


def test_a_missing_an_empty_and_a_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    for path, words in ((tmp_path / "none.jsonl", "does not exist"), (tmp_path / "empty.jsonl", "is empty"), (tmp_path, "cannot be read")):
        with pytest.raises(DataError, match=words):
            describe(path, "train")


def test_compressed_bytes_are_bad_lines_not_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(gzip.compress(json.dumps(GOOD).encode()))
    assert not check(path, "sft").ok


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_a_crash(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("fuzz") / "rows.jsonl"
    path.write_bytes(raw)
    for line in lines(path):
        assert line.number >= 1
        assert bool(line.problem) != bool(line.row) or line.row == {}
