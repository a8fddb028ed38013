"""Writing rows: the whole file, or what was there before."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

import pytest

from anytune.data.files import lines, write
from anytune.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = [{"text": "ä\u2028\n„辞書“"}, {"text": "\ud800"}, {"n": 2**64 - 1, "f": 0.1}]


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz", "rows.jsonl.zst"])
def test_rows_come_back_as_they_were(tmp_path: Path, name: str):
    written = write(iter(ROWS), tmp_path / name)
    raw = written.path.read_bytes()
    assert [line.row for line in lines(tmp_path / name)] == ROWS
    assert (written.path, written.rows) == (tmp_path / name, 3)
    assert (written.sha256, written.size_bytes) == (hashlib.sha256(raw).hexdigest(), len(raw))


def test_letters_are_written_as_they_are_with_unix_line_ends(tmp_path: Path):
    raw = write(ROWS[:1], tmp_path / "rows.jsonl").path.read_bytes()
    assert raw == '{"text": "ä\u2028\\n„辞書“"}\n'.encode()


def test_a_byte_order_mark_is_written_where_it_is_asked_for(tmp_path: Path):
    path = write(ROWS, tmp_path / "rows.jsonl", bom=True).path
    assert path.read_bytes().startswith(b"\xef\xbb\xbf{")
    assert [line.row for line in lines(path)] == ROWS


def test_the_same_rows_give_the_same_packed_bytes(tmp_path: Path):
    first, second = (write(ROWS, tmp_path / name, compression="gzip") for name in ("a.jsonl", "b.jsonl"))
    assert first.sha256 == second.sha256
    assert gzip.decompress(first.path.read_bytes()).count(b"\n") == 3


def left_after(folder: Path, rows: Any) -> list[str]:
    (folder / "rows.jsonl").write_text("before")
    with pytest.raises((DataError, KeyError, KeyboardInterrupt)):
        write(rows, folder / "rows.jsonl")
    assert (folder / "rows.jsonl").read_text() == "before"
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("error", [KeyError("x"), DataError("x"), KeyboardInterrupt()])
def test_rows_that_fail_half_way_leave_what_was_there(tmp_path: Path, error: BaseException):
    def rows() -> Iterator[dict[str, Any]]:
        for _ in range(10_000):
            yield {"text": "x" * 1000}
        raise error

    assert left_after(tmp_path, rows()) == ["rows.jsonl"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), b"bytes", {1, 2}, object()])
def test_a_value_that_is_no_json_is_named_by_its_row(tmp_path: Path, value: Any):
    with pytest.raises(DataError, match="Row 2 cannot be written as JSON"):
        write([{"a": 1}, {"a": value}], tmp_path / "rows.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_the_source_is_never_overwritten(tmp_path: Path):
    path = write(ROWS, tmp_path / "rows.jsonl").path
    (tmp_path / "link.jsonl").symlink_to(path)
    for target in (path, tmp_path / "link.jsonl", tmp_path / "." / "rows.jsonl"):
        with pytest.raises(DataError, match="would overwrite the file that is read"):
            write((line.row for line in lines(path)), target, source=path)
    assert [line.row for line in lines(path)] == ROWS


def test_where_nothing_can_be_written_the_reason_is_told(tmp_path: Path):
    for target in (tmp_path / "none" / "rows.jsonl", tmp_path):
        with pytest.raises(DataError, match="cannot be written") as caught:
            write(ROWS, target)
        assert caught.value.fix


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full")
def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    real = os.fsync

    def full(handle: int) -> None:
        real(handle)
        with open("/dev/full", "wb", buffering=0) as disk:
            disk.write(b"x")

    monkeypatch.setattr(os, "fsync", full)
    assert left_after(tmp_path, ROWS) == ["rows.jsonl"]


def test_a_file_keeps_its_permissions_when_it_is_written_anew(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.touch()
    path.chmod(0o600)
    write(ROWS, path)
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_written_is_json_for_everybody(tmp_path: Path):
    path = write(ROWS, tmp_path / "rows.jsonl").path
    assert [json.loads(raw) for raw in path.read_bytes().splitlines()] == ROWS
