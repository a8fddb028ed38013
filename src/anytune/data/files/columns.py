"""Parquet as a stream: a few rows at a time, as the dictionaries they were made of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from anytune.data.files.cells import row_of
from anytune.data.files.strict import MAX_DEPTH, Line, Parser, brief
from anytune.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa  # type: ignore[import-untyped]

__all__ = ["rows"]

_BATCH_ROWS = 64
"""Rows that are held at once: more are hardly faster, and a row may have megabytes."""


class _Unfit(Exception):
    """A value that no JSON row can hold: its code, the problem, what to do."""


def rows(path: Path) -> Iterator[Line]:
    """Read a Parquet file's rows; their numbers count from 1. Empty values are left out: Parquet fills absent keys with them.

    Raises:
        DataError: It cannot be read, or pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and heavy
        import pyarrow.parquet as pq  # type: ignore[import-untyped] # noqa: PLC0415 - the same
    except ImportError as error:
        raise DataError(f"{path} is a Parquet file, and pyarrow is not installed.", fix='pip install "anytune[data]"') from error
    parser, number = Parser(), 0
    try:
        with pq.ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:
            _refuse_depth(path, file.schema_arrow)
            for batch in file.iter_batches(_BATCH_ROWS, use_threads=False):
                for record in batch.to_pylist(maps_as_pydicts="lossy"):
                    number += 1
                    yield _line(number, record, parser)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, DataError):
            raise
        said = str(error).partition("\n")[0].rstrip(".")
        raise DataError(f"{path} cannot be read: its Parquet is broken ({said}).", fix="Fetch or write it again.") from error


def _refuse_depth(path: Path, schema: pa.Schema) -> None:
    level: list[Any] = [field.type for field in schema]
    for _ in range(MAX_DEPTH):
        level = [kind.field(place).type for kind in level for place in range(kind.num_fields)]
        if not level:
            return
    raise DataError(f"The columns of {path} are nested more than {MAX_DEPTH} levels deep.", fix="Flatten them.")


def _line(number: int, record: dict[str, Any], parser: Parser) -> Line:
    row: dict[str, Any] = {}
    for name, value in record.items():
        if value is None:
            continue
        try:
            row[name] = _plain(value)
        except _Unfit as unfit:
            code, problem, fix = unfit.args
            return Line(number, {}, f"wrong in column {brief(name)}: {problem}", code, fix)
    return row_of(number, row, parser)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key if isinstance(key, str) else str(key): _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            raise _Unfit("bad-type", "it holds bytes that are no text", "Leave the column out, or write it as text (base64).") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise _Unfit("not-a-number", f"it holds {value}, which JSON does not have", "Write empty values instead.")
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    return str(value)
