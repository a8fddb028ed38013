"""What a data file is, by its content first and its name last."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal, NamedTuple

from anytune.data.files.compressed import Packing, open_bytes, open_file, packing_of
from anytune.data.files.strict import BOM
from anytune.errors import DataError

__all__ = ["WRAPPED", "Container", "container_of", "plain_suffix", "sniff"]

Kind = Literal["jsonl", "json", "csv", "tsv", "parquet"]

_HEAD_BYTES = 2**16
_BLANK = b" \t\r\n"
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'

WRAPPED = re.compile(
    rb"\s*\{\s*(?:"
    + _STRING
    + rb"\s*:\s*(?:"
    + _STRING
    + rb'|[-+.\w]++)\s*,\s*)*+"(data|rows|examples|instances|records|samples|train|dataset)"'
    rb"\s*:\s*\[(?=\s*(?:[{\]]|\Z))",
    re.DOTALL,
)
"""An object around one list of rows: `{"version": "1", "data": [{…`; only plain values may stand before the list."""

_COLUMNS = re.compile(
    rb"""(?:^|[,;\t])"?(?:messages|conversations|prompt|completion|chosen|rejected|text|instruction|input|output)"?(?=[,;\t\r\n]|$)""",
    re.IGNORECASE,
)

_FOREIGN = {
    b"PK\x03\x04": ("a ZIP archive or an Excel workbook", "Unpack it; save a sheet as CSV (UTF-8)."),
    b"BZh": ("packed by bzip2", "Unpack it: bunzip2 FILE"),
    b"\xfd7zXZ\x00": ("packed by xz", "Unpack it: unxz FILE"),
    b"\x04\x22\x4d\x18": ("packed by LZ4", "Unpack it: unlz4 FILE"),
    b"7z\xbc\xaf\x27\x1c": ("a 7-Zip archive", "Unpack it: 7z x FILE"),
    b"\x1f\x8b": ("packed twice", "Unpack it once."),
    b"\x28\xb5\x2f\xfd": ("packed twice", "Unpack it once."),
    b"PARE": ("an encrypted Parquet file", "Write it without encryption."),
    b"ARROW1": ("an Arrow file", "Write it as Parquet, or as JSONL: datasets.Dataset.to_json(path)."),
    b"\xff\xff\xff\xff": ("an Arrow stream", "Write it as Parquet, or as JSONL: datasets.Dataset.to_json(path)."),
    b"Obj\x01": ("an Avro file", "Write it as Parquet or JSONL."),
    b"SQLite format 3\x00": ("a SQLite database", "Export the table as CSV."),
    b"%PDF-": ("a PDF document", "Training data is JSONL, JSON, CSV or Parquet."),
    b"\x80\x04\x95": ("a pickle, which runs code when it is opened", "Write it as JSONL where it came from."),
    b"\x80\x05\x95": ("a pickle, which runs code when it is opened", "Write it as JSONL where it came from."),
    b"version https://git-lfs.github.com/": ("a Git LFS pointer, not the data itself", "Fetch the data: git lfs pull"),
    b"\x89PNG": ("a picture", "Training data is JSONL, JSON, CSV or Parquet; pictures go into rows as data: addresses."),
    b"\xff\xd8\xff": ("a picture", "Training data is JSONL, JSON, CSV or Parquet; pictures go into rows as data: addresses."),
    b"<!doctype html": ("a web page", "Download the file itself; a page often means that a login is needed."),
    b"<html": ("a web page", "Download the file itself; a page often means that a login is needed."),
}


class Container(NamedTuple):
    """What holds the rows, and how it is packed."""

    kind: Kind
    packing: Packing

    @property
    def name(self) -> str:
        """`jsonl`, `csv.gz`, …, as reports show it."""
        return f"{self.kind}.{self.packing}" if self.packing else self.kind


def container_of(path: str | Path) -> str:
    """Tell what a file is: `jsonl`, `json`, `csv`, `tsv` or `parquet`, with `.gz` or `.zst` where it is packed.

    Raises:
        DataError: It cannot be read, or is something else (an archive, a web page, …).
    """
    return sniff(Path(path)).name


def sniff(path: Path) -> Container:
    """Tell what a file is, from its first 64 KiB; raises as `container_of` does."""
    with open_file(path) as file:
        packing = packing_of(file.peek(4)[:4])
    with open_bytes(path) as stream:
        head = stream.read(_HEAD_BYTES)
    if head.startswith(b"PAR1"):
        if packing:
            raise DataError(f"{path} is a Parquet file that was packed once more.", fix="Unpack it: Parquet packs its columns itself.")
        return Container("parquet", packing)
    _refuse_foreign(path, head)
    text = head.removeprefix(BOM).lstrip(_BLANK)
    kind = _kind(text, plain_suffix(path.name), whole=len(head) < _HEAD_BYTES)
    if kind in {"csv", "tsv", "json"} and head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path} is UTF-16, not UTF-8.", fix="Save it as UTF-8: iconv -f UTF-16 -t UTF-8 OLD > NEW")
    return Container(kind, packing)


def plain_suffix(name: str) -> str:
    """Give a file name's suffix in small letters, without the one that only says how it is packed."""
    name = name.lower().removesuffix(".gz").removesuffix(".zst")
    return f".{name.rpartition('.')[2]}" if "." in name else ""


def _refuse_foreign(path: Path, head: bytes) -> None:
    start = head[:64].lower() if head[:1] == b"<" else head
    for magic, (what, fix) in _FOREIGN.items():
        if start.startswith(magic):
            raise DataError(f"{path} cannot be read: it is {what}.", fix=fix)


def _kind(text: bytes, suffix: str, *, whole: bool) -> Kind:
    named: Kind | None = {".csv": "csv", ".tsv": "tsv"}.get(suffix)  # type: ignore[assignment] # the two are kinds
    line, end, rest = text.partition(b"\n")
    single = not rest.strip(_BLANK) and (whole or not end)
    complete = _is_json(line) if end or whole else None
    if text[:1] == b"[":
        return _of_list(text, suffix, named, single=single, complete=complete)
    if text[:1] == b"{":
        return _of_object(text, suffix, named, single=single, complete=complete)
    if named or suffix in {".jsonl", ".json", ".ndjson"}:
        return named or "jsonl"
    if _COLUMNS.search(line) and re.search(rb"[,;\t]", line):
        return "tsv" if b"\t" in line else "csv"
    return "jsonl"


def _of_list(text: bytes, suffix: str, named: Kind | None, *, single: bool, complete: bool | None) -> Kind:
    if complete and not single:
        return "jsonl"  # a list on each line: wrong, and named line by line
    rows = text[1:].lstrip(_BLANK)[:1] in {b"{", b"]", b""}
    if rows:
        return "json"
    return named or ("jsonl" if suffix in {".jsonl", ".ndjson"} else "json")


def _of_object(text: bytes, suffix: str, named: Kind | None, *, single: bool, complete: bool | None) -> Kind:
    if complete and not single:
        return "jsonl"
    if WRAPPED.match(text) and (complete is False or suffix not in {".jsonl", ".ndjson"}):
        return "json"
    if complete is False:
        opening = text.partition(b"\n")[0].rstrip(_BLANK)[-1:]
        if opening in {b"{", b"["} or (opening in {b",", b":"} and suffix == ".json"):
            return "json"
        return named or "jsonl"
    return "jsonl"


def _is_json(line: bytes) -> bool:
    if line.count(b"[") + line.count(b"{") > _HEAD_BYTES // 64:
        return False  # too deep to ask a recursive reader
    try:
        json.loads(line.removeprefix(BOM))
    except (ValueError, RecursionError):
        return False
    return True
