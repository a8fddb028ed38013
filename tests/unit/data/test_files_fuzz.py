"""Whatever bytes a data file holds: it is read to its end with a verdict on each row, or refused in our own words."""

from __future__ import annotations

import gzip
import json
import sys
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anytune.codes import CODES
from anytune.data.files import Line, blocks, container_of, lines, parse, write
from anytune.errors import DataError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    import random
    from pathlib import Path

ROW = {"messages": [{"role": "user", "content": 'ä\n"[{,;\t'}, {"role": "assistant", "content": "x"}], "n": [1, -2.5, None, True]}
TEXT = json.dumps(ROW).encode()
GOOD = {
    "jsonl": b"\n".join([TEXT] * 5),
    "json": json.dumps([ROW] * 5, indent=1).encode(),
    "wrapped": json.dumps({"v": 1, "data": [ROW] * 3, "z": {}}).encode(),
    "csv": b'prompt,completion,messages\r\n"a ""b"", c",d,"[{""role"": ""user""}]"\r\ne,"f\ng",\r\n' * 2,
    "tsv": b"prompt\tcompletion\na\tb\nc\td\n",
}
TOKENS = [
    b"{", b"}", b"[", b"]", b'"', b"\\", b",", b":", b"\n", b"\r", b"\r\n", b"\t", b" ", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"NaN", b"1e999",
    b"9" * 30, b"null", b'"a"', b'{"a": 1}', b"[" * 70, b'{"data": [', b";", b"PAR1", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"\\ud800", b"a,b\n",
]  # fmt: skip
NAMES = st.sampled_from(["rows.jsonl", "rows.json", "rows.csv", "rows.tsv", "rows.txt", "rows"])
PACKED = st.sampled_from([bytes, bytes, gzip.compress, zstd.compress])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def read(path: Path) -> list[Line]:
    """Read a file, and see that every row has its verdict."""
    try:
        found = list(lines(path))
    except DataError:
        return []
    numbers = [line.number for line in found]
    assert numbers == sorted(set(numbers))
    assert all(number >= 1 for number in numbers)
    for line in found:
        assert isinstance(line.row, dict)
        assert bool(line.problem) == bool(line.code) == bool(line.fix)
        assert not line.problem or (line.row == {} and line.code in CODES)
        assert "\n" not in line.problem
        line.problem.encode()
    if container_of(path).startswith("jsonl"):
        assert [parse(number, raw) for number, raw in from_blocks(path)] == found
    else:
        assert numbers == list(range(1, len(found) + 1))
    return found


def from_blocks(path: Path) -> list[tuple[int, bytes]]:
    return [
        (number, raw)
        for block in blocks(path)
        for number, raw in enumerate(block.raw.removesuffix(b"\n").split(b"\n"), block.first_number)
        if raw.strip(b" \t\r")
    ]


@given(st.binary(max_size=300), NAMES, PACKED)
def test_any_bytes(folder: Path, raw: bytes, name: str, pack: Any):
    path = folder / name
    path.write_bytes(pack(raw))
    read(path)


@given(st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join), NAMES)
@example(b'{"data": [\n', "rows.json")
@example(b'[{"a": 1},\n{"a": 2}', "rows.jsonl")
def test_any_heap_of_tokens(folder: Path, raw: bytes, name: str):
    path = folder / name
    path.write_bytes(raw)
    read(path)


@pytest.mark.parametrize("kind", GOOD)
@given(data=st.data())
def test_any_damage_to_a_good_file(folder: Path, kind: str, data: st.DataObject):
    raw = GOOD[kind]
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(raw)))
        end = place + data.draw(st.sampled_from([0, 0, 1, 2, 10, 50]))
        raw = raw[:place] + data.draw(st.sampled_from([b"", *TOKENS])) + raw[end:]
    path = folder / f"rows.{kind if kind != 'wrapped' else 'json'}"
    path.write_bytes(raw)
    read(path)


@settings(deadline=None)
@given(st.randoms(use_true_random=False), st.sampled_from(["gzip", "zstd"]))
def test_any_damage_to_a_packed_file(folder: Path, dice: random.Random, packing: str):
    raw = bytearray((gzip.compress if packing == "gzip" else zstd.compress)(GOOD["jsonl"] * 20))
    for _ in range(dice.randint(1, 3)):
        raw[dice.randrange(len(raw))] = dice.randrange(256)
    path = folder / "rows.jsonl"
    path.write_bytes(raw[: dice.choice([len(raw), dice.randrange(len(raw))])])
    read(path)


@pytest.fixture(scope="module")
def parquet(folder: Path) -> bytes:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    path = folder / "good.parquet"
    pq.write_table(pa.Table.from_pylist([ROW | {"n": "x"}] * 50), path)
    return path.read_bytes()


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_any_damage_to_a_parquet_file(folder: Path, parquet: bytes, dice: random.Random):
    raw = bytearray(parquet)
    for _ in range(dice.randint(1, 5)):
        raw[dice.randrange(4, len(raw))] = dice.randrange(256)
    path = folder / "rows.parquet"
    path.write_bytes(raw)
    read(path)


# ---- what is read, beside other readers ---------------------------------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.text(st.characters(categories=["Cs", "L"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=30,
)
JSON_ROWS = st.dictionaries(st.text(max_size=5), VALUES, max_size=5)


@given(JSON_ROWS, st.booleans())
def test_what_is_taken_is_what_the_standard_library_reads(row: dict[str, Any], ascii_only: bool):
    raw = json.dumps(row, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    line = parse(1, raw)
    if line.problem:
        assert line.code in {"huge-number", "not-a-number", "not-utf8"}
    else:
        assert line.row == json.loads(raw)


@given(JSON_ROWS)
def test_what_orjson_writes_and_reads_is_taken_as_it_reads_it(row: dict[str, Any]):
    try:
        raw = orjson.dumps(row)
    except (TypeError, orjson.JSONEncodeError):  # beyond 64 bits, or a lone surrogate
        return
    line = parse(1, raw)
    assert (line.problem, line.row) == ("", orjson.loads(raw))


@given(st.lists(st.sampled_from([token for token in TOKENS if b"\n" not in token]), max_size=25).map(b"".join))
def test_what_is_taken_is_json_to_orjson_too(raw: bytes):
    line = parse(2, b'{"a": ' + raw + b"}")
    if not line.problem and "\\ud800" not in json.dumps(line.row):
        assert orjson.loads(b'{"a": ' + raw + b"}") == line.row


@given(st.lists(JSON_ROWS, max_size=8), st.sampled_from(["rows.jsonl", "rows.jsonl.gz", "rows.jsonl.zst"]), st.booleans())
def test_what_is_written_is_what_is_read(folder: Path, rows: list[dict[str, Any]], name: str, bom: bool):
    path = folder / name
    try:
        written = write(rows, path, bom=bom)
    except DataError as error:
        if "cannot be written as JSON" not in str(error):
            raise
        return
    found = read(path)
    assert len(found) == written.rows == len(rows)
    assert all(line.row == row or line.code == "huge-number" for line, row in zip(found, rows, strict=True))
