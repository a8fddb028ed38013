"""From one file to another: every row is judged, written in a dialect, and nothing is there unless all of it is.

A conversion that would change what is learned (a masked turn that would be trained, tools or images that would be missing) is refused
unless the caller allows it; rows that are wrong, or that the dialect has no word for, are refused always.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from anytune.codes import finding
from anytune.data.files import describe, resolve, write
from anytune.data.formats import trl
from anytune.data.formats.losses import Losses
from anytune.data.formats.reading import OWN, Reading
from anytune.data.formats.registry import dialect_named, written
from anytune.errors import ConfigError, DataError
from anytune.values import Finding, LocalFile, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anytune.data.check.collector import Collector
    from anytune.data.files import Line
    from anytune.data.formats.registry import Dialect

__all__ = ["Conversion", "convert", "prepare"]

_BOM = b"\xef\xbb\xbf"
_EDITION = 1
"""Goes up when a writer writes otherwise than before, so that no file of an older anytune is taken for today's."""

_PACKED = frozenset({".gz", ".zst"})
_TABLES = frozenset({".csv", ".tsv", ".parquet", ".xlsx"})
_TOLD_ROWS = 1000
_REPAIR = "Correct or remove these rows (`anytune data check` explains each), then convert again."


class Conversion(Value):
    """What was written.

    Attributes:
        path: The new file.
        sha256: Of its bytes, in hex.
        size_bytes: How large it is.
        rows: How many rows it holds.
        format: How the source was read.
        to: The dialect that was written.
        findings: How the source was read, and what reading left out (`read-as`, `lossy-read`).
        losses: What the dialect has no word for (`dropped-feature`).
    """

    path: Path
    sha256: str
    size_bytes: int
    rows: int
    format: str
    to: str
    findings: tuple[Finding, ...] = ()
    losses: tuple[Finding, ...] = ()


class _Refused(Exception):
    """Ends the writing of a file that is not to be; the temporary one goes with it."""


class _Pass(NamedTuple):
    """One way through a file: what it read and what it found."""

    reading: Reading
    losses: Losses
    wrong: Collector

    @classmethod
    def over(cls, path: Path) -> _Pass:
        from anytune.data.check.collector import Collector  # noqa: PLC0415 - the check imports the formats

        return cls(Reading(path), Losses("dropped-feature"), Collector())

    def errors(self, *, allow_loss: bool) -> tuple[Finding, ...]:
        """Give what forbids the writing."""
        lost = () if allow_loss else tuple(f for f in (*self.reading.findings(), *self.losses.findings()) if f.severity == "error")
        return (*self.wrong.findings(), *lost)


def convert(
    source: str | Path,
    target: Path,
    *,
    to: str,
    method: str | None = None,
    allow_loss: bool = False,
    progress: Callable[[int], object] | None = None,
) -> Conversion:
    """Write a file's rows in another dialect, as JSONL; the target appears whole or not at all.

    Args:
        source: A data file of any format and container that is read, a folder of them, or `hf:owner/name`.
        target: The file to write; `.gz` and `.zst` at its end compress it. One that is there is replaced.
        to: The dialect, one of `DIALECTS`.
        method: What the rows are for (`sft`, `dpo`, `orpo`, `reward`, `clm`, `kto`, `rft`): rows of other kinds are then refused.
        allow_loss: Write also what changes what is learned.
        progress: Called now and then with the number of rows so far.

    Raises:
        ConfigError: There is no such dialect, or the target's name promises another container than JSONL.
        DataError: The source cannot be read or holds no rows; or, with `findings`, rows are wrong or too much would be lost.
    """
    _of_lines(target)
    dialect, path = dialect_named(to), resolve(source)
    wanted = _for_file(dialect, path, to)
    walk = _Pass.over(path)
    try:
        made = write(
            _rows(walk, wanted, method, allow_loss=allow_loss, progress=progress, judged=True),
            target,
            bom=wanted.bom,
            source=path,
        )
    except _Refused:
        raise _refusal(walk, path, to, allow_loss=allow_loss) from None
    return Conversion(
        path=target.resolve(),
        sha256=made.sha256,
        size_bytes=made.size_bytes,
        rows=made.rows,
        format=walk.reading.format,
        to=to,
        findings=walk.reading.findings(),
        losses=walk.losses.findings(),
    )


def prepare(
    path: Path,
    *,
    method: str,
    dialect: str,
    folder: Path,
    role: Literal["train", "validation"] = "train",
    allow_loss: bool = False,
) -> tuple[LocalFile, tuple[Finding, ...]]:
    """Give the file that is to be sent: the original where it is right already, else one written into a folder, once per content.

    Args:
        path: A file that was checked.
        method: What it is for.
        dialect: What the target reads.
        folder: Where such files are kept.
        role: What the file is for.
        allow_loss: Write also what changes what is learned.

    Returns:
        The file, and what was found on the way. An error among the findings means that nothing was written: the file is the original then.

    Raises:
        ConfigError: There is no such dialect.
        DataError: The file cannot be read.
    """
    original = describe(path, role)
    wanted = _for_file(dialect_named(dialect), path, dialect)
    walk = _Pass.over(path)
    if dialect == "anytune" and walk.reading.container == "jsonl" and walk.reading.format in OWN:
        return original, ()  # nothing is ever written otherwise there, so a long file need not be read
    same = _compared(walk, wanted, method)
    found = (*walk.reading.findings(), *walk.losses.findings(), *walk.wrong.findings())
    if walk.errors(allow_loss=allow_loss) or same:
        return original, found
    target = folder / f"{original.sha256}.{dialect}.{method}.{_EDITION}.jsonl"
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write(_rows(_Pass.over(path), wanted, method, allow_loss=allow_loss, judged=False), target, bom=wanted.bom)
    return describe(target, role), found


def _of_lines(target: Path) -> None:
    """Refuse a name that the next reader would take for a table."""
    ending = next((suffix for suffix in reversed(target.suffixes) if suffix.lower() not in _PACKED), "")
    if ending.lower() in _TABLES:
        better = f"{target.name.partition('.')[0]}.jsonl"
        raise ConfigError(f"{target} would hold JSON lines, and its name says {ending}.", fix=f"Call it {better}.")


def _compared(walk: _Pass, wanted: Dialect, method: str) -> bool:
    """Go through the file once, and tell whether it is already what the dialect wants, byte for byte where that counts."""
    path = walk.reading.path
    same = walk.reading.container == "jsonl"
    if same and wanted.hosted:
        with path.open("rb") as stream:
            same = (stream.read(len(_BOM)) == _BOM) == wanted.bom
    before = 0
    for line in walk.reading:
        row = _written(walk, line, wanted, method)
        # A blank line between rows is passed over here, and a host may take it for a broken row.
        same = same and row == line.row and not (wanted.hosted and line.number != before + 1)
        before = line.number
    if before == 0:
        walk.wrong.add([finding("no-rows", f"{path.name} holds no rows.", "Put one JSON object a line into it.")])
    return same and not walk.reading.changed


def _rows(
    walk: _Pass,
    wanted: Dialect,
    method: str | None,
    *,
    allow_loss: bool,
    judged: bool,
    progress: Callable[[int], object] | None = None,
) -> Iterator[dict[str, Any]]:
    """Give the rows as they are to be written; at the end, or with the first wrong one on, nothing more comes.

    Raises:
        _Refused: Something forbids the writing.
    """
    count = 0
    refused = False
    for count, line in enumerate(walk.reading, start=1):
        if progress is not None and count % _TOLD_ROWS == 0:
            progress(count)
        row = _written(walk, line, wanted, method, judged=judged)
        refused = refused or row is None
        if row is not None and not refused:
            yield row
    if progress is not None:
        progress(count)
    if count == 0:
        walk.wrong.add([finding("no-rows", f"{walk.reading.path.name} holds no rows.", "Put rows into it.")])
    if walk.errors(allow_loss=allow_loss):
        raise _Refused


def _written(walk: _Pass, line: Line, wanted: Dialect, method: str | None, *, judged: bool = False) -> dict[str, Any] | None:
    """Write one row, and note what is wrong with it or lost."""
    if line.problem:
        walk.wrong.add([finding(line.code, f"The line is {line.problem}.", line.fix or _REPAIR, row=line.number)])
        return None
    if judged and (wrong := _judged(line, method)):
        walk.wrong.add(wrong)
        return None
    try:
        row, losses = written(wanted.write, line.row, method)
    except DataError as error:
        walk.wrong.add([finding("unknown-row", error.message, error.fix, row=line.number)])
        return None
    if row is None:
        walk.wrong.add(finding("refused-feature", f"{loss.what}: {loss.why}.", loss.fix, row=line.number) for loss in losses)
        return None
    walk.losses.take(line.number, losses)
    return row


def _judged(line: Line, method: str | None) -> list[Finding]:
    from anytune.data.check.judge import judge  # noqa: PLC0415 - jsonschema comes with it

    return [found for found in judge(line.number, line.row, method) if found.severity == "error"]


def _for_file(wanted: Dialect, path: Path, name: str) -> Dialect:
    """Choose between the two forms that TRL has for conversations: one for the whole file, since a data set has one set of columns."""
    if name != "trl":
        return wanted
    with suppress(AttributeError, KeyError, TypeError):  # a row that is not good is named on the way through the file
        if trl.splittable(line.row for line in Reading(path) if not line.problem):
            return wanted._replace(write=partial(trl.write, split=True))
    return wanted


def _refusal(walk: _Pass, source: Path, to: str, *, allow_loss: bool) -> DataError:
    errors = (*walk.errors(allow_loss=allow_loss), *walk.reading.hints)
    if walk.wrong.findings():
        return DataError(f"{source.name} was not converted: rows of it are wrong or have no form in {to!r}.", findings=errors, fix=_REPAIR)
    fix = "Say `--allow-loss` (`allow_loss=True`) if that is meant, or choose a dialect that holds it."
    return DataError(f"{source.name} was not converted: as {to!r} it would teach something else.", findings=errors, fix=fix)
