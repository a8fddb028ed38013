"""Memory does not grow with the file, nor with what somebody put into it: measured in processes of their own."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

READ = """
import sys, time
from pathlib import Path
from anytune.data.files import blocks, lines
from anytune.errors import DataError
def peak():
    # not getrusage: its maximum is handed down from the process that started this one
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024
path = Path(sys.argv[1])
list(lines(Path(sys.argv[2])))  # what the reading itself needs is loaded
before, begin, count, said = peak(), time.monotonic(), 0, ""
try:
    for item in {"lines": lines, "blocks": blocks}[sys.argv[3]](path):
        count += 1
        said = getattr(item, "code", "")
except DataError as error:
    said = str(error)
print(count, peak() - before, round(time.monotonic() - begin, 2), said.replace(chr(10), " "))
"""

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the peak")

ROW = {"messages": [{"role": "user", "content": "question " * 30}, {"role": "assistant", "content": "Antwort ä " * 40}]}


class Seen:
    def __init__(self, printed: str) -> None:
        count, mib, seconds, self.said = printed.rstrip("\n").split(" ", 3)
        self.count, self.mib, self.seconds = int(count), int(mib), float(seconds)


def read(path: Path, small: Path, how: str = "lines") -> Seen:
    shown = subprocess.run([sys.executable, "-c", READ, str(path), str(small), how], capture_output=True, text=True, check=True)
    return Seen(shown.stdout)


def as_jsonl(path: Path, rows: int) -> None:
    line = json.dumps(ROW).encode() + b"\n"
    with path.open("wb") as file:
        for _ in range(rows // 1000):
            file.write(line * 1000)


def as_gzip(path: Path, rows: int) -> None:
    line = json.dumps(ROW).encode() + b"\n"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(rows // 1000):
            file.write(line * 1000)


def as_json(path: Path, rows: int) -> None:
    one = json.dumps(ROW).encode()
    with path.open("wb") as file:
        file.write(b"[" + one)
        for _ in range(rows // 1000):
            file.write((b",\n" + one) * 1000)
        file.write(b"]")


def as_csv(path: Path, rows: int) -> None:
    cell = json.dumps(ROW["messages"]).replace('"', '""')
    with path.open("wb") as file:
        file.write(b"messages\n")
        for _ in range(rows // 1000):
            file.write(f'"{cell}"\n'.encode() * 1000)


def as_parquet(path: Path, rows: int) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist(
        [{"messages": [dict(turn, content=f"{turn['content']}{n}") for turn in ROW["messages"]]} for n in range(1000)]
    )
    with pq.ParquetWriter(path, table.schema) as writer:
        for _ in range(rows // 1000):
            writer.write_table(table)


@pytest.mark.parametrize("make", [as_jsonl, as_gzip, as_json, as_csv, as_parquet])
def test_ten_times_the_rows_take_no_more_memory(tmp_path: Path, make: Callable[[Path, int], None]):
    suffix = make.__name__[3:].replace("gzip", "jsonl.gz")
    paths = [tmp_path / f"{name}.{suffix}" for name in ("tiny", "small", "large")]
    for path, rows in zip(paths, (1_000, 5_000, 50_000), strict=True):
        make(path, rows)
    small, large = (read(path, paths[0]) for path in paths[1:])
    assert large.count > 9 * small.count > 40_000
    assert large.mib < small.mib + 16
    assert large.mib < 48


def test_blocks_of_a_large_file_take_a_few_megabytes(tmp_path: Path):
    as_jsonl(tmp_path / "tiny.jsonl", 1_000)
    as_jsonl(tmp_path / "large.jsonl", 100_000)
    assert read(tmp_path / "large.jsonl", tmp_path / "tiny.jsonl", "blocks").mib < 16


HUGE = 2**28


def sparse(path: Path, head: bytes) -> None:
    """Write a file of zeros that takes no room on the disk."""
    with path.open("wb") as file:
        file.write(head)
        file.truncate(HUGE)


def zeros(path: Path, head: bytes) -> None:
    """Pack 10 GiB of zeros, as members of 256 MiB each: a bomb is small because it says the same again and again."""
    path.write_bytes(gzip.compress(head) + gzip.compress(bytes(HUGE), compresslevel=9) * 40)


@pytest.mark.parametrize(
    ("name", "head", "how", "said"),
    [
        ("line.jsonl", b'{"a": "', "lines", "line-too-long"),
        ("line.jsonl", b'{"a": "', "blocks", ""),
        ("list.json", b'[{"a": "', "lines", "line-too-long"),
        ("plain.json", b'["', "lines", "line-too-long"),
        ("cell.csv", b"a,b\n1,", "lines", "line-too-long"),
        ("quoted.csv", b'a,b\n1,"', "lines", "line-too-long"),
        ("head.csv", b"a,b", "lines", "line-too-long"),
        ("ten.jsonl.gz", b"", "lines", "decompression bomb"),
        ("ten.jsonl.gz", b"", "blocks", "decompression bomb"),
        ("ten.json.gz", b'[{"a": "', "lines", "line-too-long"),
        ("ten.csv.gz", b"a,b\n", "lines", "line-too-long"),
    ],
)
def test_what_is_huge_in_one_piece_is_never_held(tmp_path: Path, name: str, head: bytes, how: str, said: str):
    as_jsonl(tmp_path / "tiny.jsonl", 1_000)
    (zeros if name.endswith(".gz") else sparse)(tmp_path / name, head)
    seen = read(tmp_path / name, tmp_path / "tiny.jsonl", how)
    assert seen.mib < 120
    assert said in seen.said
    assert seen.count <= 2
