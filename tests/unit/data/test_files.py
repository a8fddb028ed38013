"""Reading data files of every container: each row comes with its number, or with what is wrong with it."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from anytune.codes import CODES
from anytune.data.files import MAX_LINE_BYTES, blocks, container_of, describe, lines, open_bytes, parse
from anytune.errors import DataError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS: list[dict[str, Any]] = [
    {"messages": [{"role": "user", "content": "Wie heißt „辞書“?\n[x] {y}"}, {"role": "assistant", "content": 'a "word" \\ ,'}]},
    {"messages": [{"role": "user", "content": ""}, {"role": "assistant", "content": "b\u2028c"}]},
    {"messages": [{"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]},
]
JSONL = b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in ROWS)
BOM = b"\xef\xbb\xbf"


def put(folder: Path, raw: bytes, name: str = "rows.jsonl") -> Path:
    path = folder / name
    path.write_bytes(raw)
    return path


def table(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer.writerow(names)
    for row in rows:
        cells = [row.get(name, "") for name in names]
        writer.writerow([cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False) for cell in cells])
    return text.getvalue().encode()


def parquet(folder: Path, rows: list[dict[str, Any]]) -> Path:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = folder / "rows.parquet"
    names = dict.fromkeys(name for row in rows for name in row)
    pq.write_table(pa.Table.from_pylist([dict.fromkeys(names) | row for row in rows]), path)
    return path


def verdicts(path: Path) -> list[tuple[int, str]]:
    return [(line.number, line.code) for line in lines(path)]


# ---- one line -------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "code", "words"),
    [
        (b"not json", "not-json", "expecting value (column 1)"),
        (b'{"a": 1', "not-json", "ends too early"),
        (b'{"a": "b', "not-json", "ends too early"),
        (b"{'a': 1}", "not-json", "single quotes"),
        (b'{"a": None}', "not-json", "another language (column 7)"),
        (b'{"a": 1,}', "not-json", "comma stands before a closing bracket"),
        (b'{"a": 1},', "not-json", "comma follows the row"),
        (b'{"a": 1} {"b": 2}', "not-json", "something follows the row (column 10)"),
        (b'{"a": 1}\r{"b": 2}\r', "not-json", "CR alone"),
        (BOM + b'{"a": 1}', "not-json", "byte-order mark in the middle"),
        (b'{"a": "b\tc"}', "not-json", "control character"),
        (b'{"a" 1}', "not-json", "expecting ':' delimiter"),
        (b'{"a": "\xff"}', "not-utf8", "from byte 8 on: 0xff"),
        (b'{"a": "\xed\xa0\x80"}', "not-utf8", "from byte 8"),
        ('{"a": 1}'.encode("utf-16"), "not-utf8", "UTF-16"),
        ('{"a": 1}'.encode("utf-16-le"), "not-utf8", "UTF-16"),
        ('{"a": 1}'.encode("utf-32"), "not-utf8", "UTF-32"),
        (b"[1]", "not-an-object", "a JSON list"),
        (b'"a"', "not-an-object", "a JSON string"),
        (b"null", "not-an-object", "a JSON null"),
        (b"1", "not-an-object", "a JSON number"),
        (b"true", "not-an-object", "true or false"),
        (b'{"a": 1, "a": 2}', "duplicate-key", "the key 'a' stands twice"),
        (b'{"a": [{"b": {"c": 1, "c": 1}}]}', "duplicate-key", "the key 'c' stands twice"),
        (b'{"a": NaN}', "not-a-number", "NaN"),
        (b'{"a": Infinity}', "not-a-number", "Infinity"),
        (b'{"a": [-Infinity]}', "not-a-number", "-Infinity"),
        (b'{"a": 18446744073709551616}', "huge-number", "20 digits"),
        (b'{"a": -9223372036854775809}', "huge-number", "19 digits"),
        (b'{"a": 1e999}', "huge-number", "too large for a float"),
        (b'{"a": 0.' + b"1" * 400 + b"}", "huge-number", "402 characters"),
        (b'{"a": ' + b"9" * 1_000_000 + b"}", "huge-number", "1000000 digits"),
        (b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}", "too-deep", "64 levels"),
        (b"[" * 1_000_000, "too-deep", "64 levels"),
        (b'{"a":' * 1_000_000, "too-deep", "64 levels"),
        (b'{"a": "' + b"x" * MAX_LINE_BYTES + b'"}', "line-too-long", "longer than 16 MiB"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_broken_line_is_named_with_what_to_do(raw: bytes, code: str, words: str):
    line = parse(7, raw)
    assert (line.number, line.row, line.code) == (7, {}, code)
    assert words in line.problem
    assert line.fix
    assert code in CODES


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a": 18446744073709551615, "b": -9223372036854775808, "c": 1e308, "d": -0.0, "e": 1e-999}',
        b'{"a": ' + b"[" * 63 + b"]" * 63 + b"}",
        b'{"a": "' + b"[{" * 100_000 + b'"}',
        b'{"a": "\\"' + b"[" * 1000 + b'", "b": "\\\\"}',
        b'{"a": [' + b"[]," * 1000 + b"[]]}",
        b' \t{"a": 1} \r\n',
        b'{"a": {"a": {"a": 1}}}',
        b"{}",
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_line_within_the_limits_is_read(raw: bytes):
    assert parse(1, raw).row == json.loads(raw)


def test_a_lone_surrogate_is_left_to_the_content_checks():
    assert parse(1, rb'{"a": "\ud800", "\udfff": 1}').row == {"a": "\ud800", "\udfff": 1}


def test_a_key_in_a_message_can_always_be_printed():
    problem = parse(1, rb'{"\ud800": 1, "\ud800": 2}').problem
    assert problem.encode()
    assert len(parse(1, b'{"%b": 1, "%b": 2}' % (b"k" * 10_000, b"k" * 10_000)).problem) < 200


def test_a_deep_line_is_found_wherever_the_recursion_limit_is():
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        assert parse(1, b'{"a": ' + b"[" * 5_000_000).code == "too-deep"
    finally:
        sys.setrecursionlimit(before)


# ---- lines of a JSONL file ------------------------------------------------------------------------------------------------------------------


def test_a_byte_order_mark_crlf_and_blank_lines_are_taken(tmp_path: Path):
    path = put(tmp_path, BOM + b'{"a": 1}\r\n\r\n \t\n{"a": 2}')
    assert [(line.number, line.row) for line in lines(path)] == [(1, {"a": 1}), (4, {"a": 2})]


def test_a_bad_line_hides_no_other(tmp_path: Path):
    path = put(tmp_path, b'{"a": 1}\n{"a": \n[]\n{"a": 2}\n')
    assert verdicts(path) == [(1, ""), (2, "not-json"), (3, "not-an-object"), (4, "")]


def test_a_line_that_is_too_long_hides_no_other(tmp_path: Path):
    path = put(tmp_path, b'{"a": 1}\n{"a": "' + b"x" * (MAX_LINE_BYTES + 3_000_000) + b'"}\n{"a": 2}\n')
    assert verdicts(path) == [(1, ""), (2, "line-too-long"), (3, "")]


def test_a_file_with_the_line_ends_of_old_macs_says_so(tmp_path: Path):
    (line,) = lines(put(tmp_path, b'{"a": 1}\r{"a": 2}\r'))
    assert line.code == "not-json"
    assert "tr '\\r' '\\n'" in line.fix


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32-be"])
def test_every_line_of_a_file_in_another_unicode_is_named(tmp_path: Path, encoding: str):
    path = put(tmp_path, '{"a": 1}\n{"a": 2}\n'.encode(encoding))
    assert {code for _, code in verdicts(path)} == {"not-utf8"}


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.json", "rows.csv", "rows.tsv", "rows", "rows.jsonl.gz"])
@pytest.mark.parametrize("raw", [b"", b"\n", BOM, b" \r\n\t\n"])
def test_an_empty_file_holds_no_rows(tmp_path: Path, name: str, raw: bytes):
    assert list(lines(put(tmp_path, raw, name))) == []


# ---- blocks -----------------------------------------------------------------------------------------------------------------------------------


def from_blocks(path: Path) -> list[tuple[int, bytes]]:
    found = []
    for block in blocks(path):
        for number, raw in enumerate(block.raw.removesuffix(b"\n").split(b"\n"), block.first_number):
            if raw.strip(b" \t\r"):
                found.append((number, raw))
    return found


@pytest.mark.parametrize(
    "raw",
    [
        JSONL,
        BOM + JSONL.replace(b"\n", b"\r\n\r\n\n"),
        b"\n" * 3_000_000 + JSONL,
        b"".join(b'{"a": "%s"}\n' % (b"x" * size) for size in (5, 2**20 - 11, 2**20 - 10, 3 * 2**20, 1)),
        JSONL[:-1],
        b"",
        b"\n",
    ],
    ids=["plain", "crlf", "many blank lines", "lines of a block's size", "no last line end", "empty", "blank"],
)
def test_blocks_hold_the_same_lines_with_the_same_numbers(tmp_path: Path, raw: bytes):
    path = put(tmp_path, raw)
    assert [parse(number, line) for number, line in from_blocks(path)] == list(lines(path))


@pytest.mark.parametrize("size", [-1, 0, 1, 2**20 - 30, 2**20, 20_000_000])
def test_a_line_that_is_too_long_is_so_in_blocks_too(tmp_path: Path, size: int):
    long = b'{"a": 1}' + b" " * (MAX_LINE_BYTES + size - 9)
    path = put(tmp_path, b'{"b": 1}\n' * 200_000 + long + b'\n{"c": 1}\n')
    found = [(number, raw) for number, raw in from_blocks(path) if number >= 200_000]
    assert [(number, parse(number, raw).code) for number, raw in found] == [line for line in verdicts(path) if line[0] >= 200_000]
    assert [number for number, _ in found] == [200_000, 200_001, 200_002]
    assert all(len(block.raw) <= MAX_LINE_BYTES + 2**20 for block in blocks(path))


def test_what_a_fast_reader_gets_of_a_line_that_is_too_long_is_never_json(tmp_path: Path):
    path = put(tmp_path, b'{"a": 1}' + b" " * (MAX_LINE_BYTES + 100) + b"\n")
    (block,) = blocks(path)
    with pytest.raises(ValueError):
        json.loads(block.raw)


def test_progress_counts_the_file_as_it_lies_on_the_disk(tmp_path: Path):
    path = put(tmp_path, gzip.compress(JSONL * 20_000), "rows.jsonl.gz")
    for read in (lines, blocks):
        seen: list[int] = []
        for _ in read(path, progress=seen.append):
            pass
        assert seen == sorted(seen)
        assert seen[-1] == path.stat().st_size


# ---- what a file is ---------------------------------------------------------------------------------------------------------------------------

PRETTY = json.dumps(ROWS, indent=2, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("name", "raw", "container"),
    [
        ("rows.jsonl", JSONL, "jsonl"),
        ("rows.json", JSONL, "jsonl"),
        ("rows.csv", JSONL, "jsonl"),
        ("rows", JSONL, "jsonl"),
        ("rows.json", json.dumps(ROWS).encode(), "json"),
        ("rows.jsonl", json.dumps(ROWS).encode(), "json"),
        ("rows.txt", PRETTY, "json"),
        ("rows.jsonl", BOM + PRETTY, "json"),
        ("rows.json", json.dumps({"data": ROWS}).encode(), "json"),
        ("rows.json", json.dumps({"version": '1, "2"', "n": 3, "ok": True, "data": ROWS}).encode(), "json"),
        ("rows.jsonl", json.dumps({"rows": ROWS, "after": [1]}, indent=1).encode(), "json"),
        ("rows.jsonl", b'{"data": [{"a": 1},\n{"a": 2}]}', "json"),
        ("rows.jsonl", b"\n".join(json.dumps(row, indent=2).encode() for row in ROWS), "json"),
        ("rows.csv", table(ROWS), "csv"),
        ("rows.tsv", table(ROWS, "\t"), "tsv"),
        ("rows.txt", table([{"prompt": "a", "completion": "b"}]), "csv"),
        ("rows", table([{"prompt": "a", "completion": "b"}], "\t"), "tsv"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("packing", ["", ".gz", ".zst"])
def test_a_file_is_known_by_its_content_before_its_name(tmp_path: Path, name: str, raw: bytes, container: str, packing: str):
    pack: Callable[[bytes], bytes] = {"": bytes, ".gz": gzip.compress, ".zst": zstd.compress}[packing]
    path = put(tmp_path, pack(raw), name)
    assert container_of(path) == container + packing
    expected = [{"prompt": "a", "completion": "b"}] if b"prompt" in raw else ROWS if b"messages" in raw else [{"a": 1}, {"a": 2}]
    assert [line.row for line in lines(path)] == expected
    assert [line.number for line in lines(path)] == list(range(1, len(expected) + 1))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"PK\x03\x04....", "ZIP"),
        (b"BZh91AY", "bzip2"),
        (gzip.compress(gzip.compress(JSONL, mtime=0), mtime=0), "packed twice"),
        (b"\x80\x04\x95\x00", "pickle"),
        (b"ARROW1\x00\x00", "Arrow"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"SQLite format 3\x00", "SQLite"),
        (gzip.compress(b"PAR1....", mtime=0), "packed once more"),
    ],
)
def test_what_holds_no_rows_is_named(tmp_path: Path, raw: bytes, words: str):
    with pytest.raises(DataError, match=words) as caught:
        list(lines(put(tmp_path, raw)))
    assert caught.value.fix


def test_what_cannot_be_opened_is_named(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for path, words in ((tmp_path / "none", "does not exist"), (tmp_path, "a folder"), (tmp_path / "pipe", "no regular file")):
        for read in (lines, blocks):
            with pytest.raises(DataError, match=words):
                list(read(path))


# ---- JSON documents ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"[]", []),
        (b"[ {} ]", [(1, "")]),
        (b'[{"a": 1}, 5, "x,]", null, [{}], {"a": NaN}, {"a": 1, "a": 2}, {"b": 1}]',
         [(1, ""), (2, "not-an-object"), (3, "not-an-object"), (4, "not-an-object"), (5, "not-an-object"), (6, "not-a-number"), (7, "duplicate-key"), (8, "")]),
        (b'[{"a": \xff}, {"a": "\xff"}, {"b": 1}]', [(1, "not-utf8"), (2, "not-utf8"), (3, "")]),
        (b'[{"a" 1}, {"b": 1}]', [(1, "not-json"), (2, "")]),
        (b'[{"a": 1} {"b": 1}]', [(1, ""), (2, "not-json")]),
        (b'[{"a": 1}, ]', [(1, ""), (2, "not-json")]),
        (b'[{"a": 1}', [(1, ""), (2, "not-json")]),
        (b'[{"a": 1}, {"b": ', [(1, ""), (2, "not-json")]),
        (b'[{"a": 1}] x', [(1, ""), (2, "not-json")]),
        (b"[" + b'{"a":' * 1_000_000 + b"1" + b"}" * 1_000_000 + b', {"b": 1}]', [(1, "too-deep"), (2, "")]),
        (b"[{}," + b"[" * 1_000_000, [(1, ""), (2, "not-json")]),
        (b'[{"a": "' + b"x" * (MAX_LINE_BYTES + 10) + b'"}, {"b": 1}]', [(1, "line-too-long"), (2, "")]),
        (b'[{"a": 1}, {"a": "' + b"x" * (4 * MAX_LINE_BYTES), [(1, ""), (2, "line-too-long")]),
        (b'[{"a": ' + b"9" * 1_000_000 + b'}, {"b": 1}]', [(1, "huge-number"), (2, "")]),
        (b'{"data": [{"a": 1}], "more": {"x": [1]}}', [(1, "")]),
        (b'{"data": [{"a": 1}], "more" 1}', [(1, ""), (2, "not-json")]),
        (b'{"data": [{"a": 1}]', [(1, ""), (2, "not-json")]),
        (b'{\n"a": 1\n}\n{\n"a": 2, }\n{\n"a": 3\n}', [(1, ""), (2, "not-json"), (3, "")]),
        (b'{\n"a": 1\n},\n{\n"a": 2\n}', [(1, ""), (2, "not-json")]),
    ],
    ids=lambda value: repr(value)[:40],
)  # fmt: skip
def test_each_row_of_a_document_has_its_verdict(tmp_path: Path, raw: bytes, expected: list[tuple[int, str]]):
    path = put(tmp_path, raw, "rows.json")
    assert container_of(path) == "json"
    assert verdicts(path) == expected


def test_rows_of_a_document_may_lie_across_any_border_of_what_is_read(tmp_path: Path):
    rows = [{"a": "x" * size, "b": '\\"]},{', "n": size} for size in (*range(0, 3000, 7), 2**20, 3 * 2**20, 1, 2**21)]
    path = put(tmp_path, json.dumps(rows, indent=1).encode(), "rows.json")
    assert [line.row for line in lines(path)] == rows


def test_two_lists_of_rows_in_a_document_are_refused(tmp_path: Path):
    path = put(tmp_path, b'{"train": [{"a": 1}], "test": [{"a": 1}]}', "rows.json")
    with pytest.raises(DataError, match="several lists of rows beside `train`"):
        list(lines(path))


def test_a_row_that_holds_a_list_is_no_document(tmp_path: Path):
    path = put(tmp_path, json.dumps(ROWS[0]).encode(), "rows.json")
    assert [line.row for line in lines(path)] == ROWS[:1]
    path = put(tmp_path, json.dumps(ROWS[0], indent=2).encode(), "rows.json")
    assert [line.row for line in lines(path)] == ROWS[:1]


# ---- tables -----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_cells_are_text_but_for_columns_of_json(tmp_path: Path, mark: str):
    rows = [
        {"prompt": 'a, "b"; c\r\nd', "completion": '{"intent": "x"}', "label": "TRUE", "tools": "", "id": "007", "text": "[1]"},
        {
            "prompt": [{"role": "user", "content": "u"}],
            "completion": "null",
            "label": "false",
            "tools": [{"type": "function"}],
            "id": "1e5",
            "text": "",
        },
    ]
    path = put(tmp_path, BOM + table(rows, mark), "rows.csv")
    assert [line.row for line in lines(path)] == [
        {"prompt": 'a, "b"; c\r\nd', "completion": '{"intent": "x"}', "label": True, "id": "007", "text": "[1]"},
        {
            "prompt": [{"role": "user", "content": "u"}],
            "completion": "null",
            "label": False,
            "tools": [{"type": "function"}],
            "id": "1e5",
            "text": "",
        },
    ]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"text\na\n\nb\n", [(1, ""), (2, "")]),
        (b"a,b\n1,2\n1\n1,2,3\n3,4", [(1, ""), (2, "not-csv"), (3, "not-csv"), (4, "")]),
        (b'a,b\n"x"y,2\n3,4\n', [(1, "not-csv"), (2, "")]),
        (b'a,b\n1,2\n3,"4\n5,6\n', [(1, ""), (2, "not-csv")]),
        (b"a,b\n1,\xff\n3,4\n", [(1, "not-utf8"), (2, "")]),
        (b"a,messages\n1,\"[{'role': 'user'}]\"\n3,[]\n", [(1, "not-json"), (2, "")]),
        (b'a,messages\n1,"[{""a"": NaN}]"\n', [(1, "not-a-number")]),
        (b"a,b\n1," + b"x" * (MAX_LINE_BYTES + 10) + b"\n3,4\n", [(1, "line-too-long")]),
        (b'a,b\n1,"' + b"x\n" * (MAX_LINE_BYTES // 2 + 10), [(1, "line-too-long")]),
        (b'a,b\n1,"' + b"x" * 1_000_000 + b'"\n3,4\n', [(1, ""), (2, "")]),
        (b"a,b\r1,2\r3,4\r", [(1, ""), (2, "")]),
        (b"a,b\n1,\x00\n", [(1, "")]),
        (b"\n,,\n \na,b\n1,2\n,\n  \n3,4\n", [(1, ""), (2, "")]),
        (b'text\na\n""\n \n', [(1, ""), (2, ""), (3, "")]),
        (b"a,b\n1" + b"," * 1_000_000 + b"\n1,2\n", [(1, "not-csv"), (2, "")]),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_each_record_of_a_table_has_its_verdict(tmp_path: Path, raw: bytes, expected: list[tuple[int, str]]):
    assert verdicts(put(tmp_path, raw, "rows.csv")) == expected


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b",prompt\n0,a\n", "Column 1 of rows.csv has no name"),
        (b"a,b, a\n", "two columns 'a'"),
        (b'a,"b\nc"\n', "no name, but a text"),
        (b"\xff,b\n", "no name, but a text"),
        (b'a,"b"c\n', "first record is not CSV"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_table_needs_a_header(tmp_path: Path, raw: bytes, words: str):
    with pytest.raises(DataError, match=words) as caught:
        list(lines(put(tmp_path, raw, "rows.csv")))
    assert caught.value.fix


# ---- Parquet ----------------------------------------------------------------------------------------------------------------------------------


def test_parquet_gives_the_rows_it_was_made_of(tmp_path: Path):
    rows = [*ROWS, ROWS[0] | {"tools": [{"name": "f"}]}]
    rows[1] = {"messages": [*ROWS[1]["messages"], {"role": "tool", "content": "x", "tool_call_id": "1"}]}
    path = parquet(tmp_path, rows)
    assert container_of(path) == "parquet"
    assert [line.row for line in lines(path)] == rows
    assert [line.number for line in lines(path)] == [1, 2, 3, 4]


def test_parquet_values_that_json_lacks_are_named(tmp_path: Path):
    path = parquet(tmp_path, [{"x": 1.5, "b": b"abc"}, {"x": float("nan"), "b": None}, {"x": 1.0, "b": b"\xff"}])
    assert verdicts(path) == [(1, ""), (2, "not-a-number"), (3, "bad-type")]
    assert next(lines(path)).row == {"x": 1.5, "b": "abc"}


def test_parquet_columns_of_json_text_are_read(tmp_path: Path):
    path = parquet(tmp_path, [{"messages": json.dumps(ROWS[0]["messages"]), "id": 1}])
    assert next(lines(path)).row == ROWS[0] | {"id": 1}


def test_broken_parquet_could_not_be_read(tmp_path: Path):
    whole = parquet(tmp_path, ROWS).read_bytes()
    for raw in (whole[:-1], whole[: len(whole) // 2], whole[:-40] + b"\xff" * 30 + whole[-10:], b"PAR1" + b"\xff" * 1000, b"PAR1"):
        with pytest.raises(DataError, match=r"its Parquet is broken"):
            list(lines(put(tmp_path, raw, "broken.parquet")))


def test_parquet_without_its_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError) as caught:
        list(lines(put(tmp_path, b"PAR1....", "rows.parquet")))
    assert caught.value.fix == 'pip install "anytune[data]"'


# ---- packed files -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress], ids=["gzip", "zstd"])
def test_several_members_are_read_as_one(tmp_path: Path, pack: Callable[[bytes], bytes]):
    path = put(tmp_path, pack(JSONL[:100]) + pack(JSONL[100:]) + pack(b""))
    assert [line.row for line in lines(path)] == ROWS


def test_frames_that_readers_are_to_skip_are_skipped(tmp_path: Path):
    path = put(tmp_path, b"\x50\x2a\x4d\x18\x05\x00\x00\x00hello" + zstd.compress(JSONL))
    assert [line.row for line in lines(path)] == ROWS


@pytest.mark.parametrize("pack", [gzip.compress, zstd.compress], ids=["gzip", "zstd"])
def test_packing_that_is_cut_off_or_broken_could_not_be_read(tmp_path: Path, pack: Callable[[bytes], bytes]):
    whole = pack(os.urandom(3_000_000).hex().encode() + b"\n" + JSONL)
    wrong = bytearray(whole)
    wrong[len(whole) // 2 : len(whole) // 2 + 50] = b"\xff" * 50
    for raw in (whole[:-5], whole[: len(whole) // 2], whole[:3] if pack is gzip.compress else whole[:5], bytes(wrong), whole + b"junk"):
        with pytest.raises(DataError, match="packing is broken") as caught:
            list(lines(put(tmp_path, raw)))
        assert caught.value.fix


def test_a_small_file_of_one_row_many_times_is_no_bomb(tmp_path: Path):
    path = put(tmp_path, zstd.compress(b'{"a": 1}\n' * 1_000_000))
    assert sum(1 for _ in blocks(path)) > 5


def test_there_is_a_limit_to_what_is_unpacked(tmp_path: Path):
    path = put(tmp_path, gzip.compress(JSONL * 10))
    with pytest.raises(DataError, match=r"more than 500 bytes, the most that is unpacked"), open_bytes(path, max_bytes=500) as stream:
        stream.read()


# ---- which file it is -------------------------------------------------------------------------------------------------------------------------


def test_a_file_is_described_by_the_hash_of_its_bytes(tmp_path: Path):
    path = put(tmp_path, gzip.compress(JSONL))
    found = describe(path, "train")
    assert (found.sha256, found.size_bytes) == (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)


def test_a_missing_an_empty_and_a_folder_are_refused(tmp_path: Path):
    (tmp_path / "empty.jsonl").touch()
    os.mkfifo(tmp_path / "pipe")
    refused = {"none.jsonl": "does not exist", "empty.jsonl": "is empty", ".": "no regular file", "pipe": "no regular file"}
    for path, words in ((tmp_path / name, words) for name, words in refused.items()):
        with pytest.raises(DataError, match=words):
            describe(path, "train")
