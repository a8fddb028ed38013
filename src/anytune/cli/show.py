"""Where output goes: results to stdout, everything else to stderr. With `--json`, stdout gets JSON and nothing else."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from anytune.errors import redact

if TYPE_CHECKING:
    from rich.console import Console

    from anytune.values import Finding

__all__ = ["Json", "document", "findings", "note", "notes", "plain", "result", "size", "table"]

Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else there.")]
"""The option that every command has."""

_CONTROL = {code: None for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
_ID_CHARS = 14
"""What a narrow terminal shows of an id at least: its time in milliseconds (10), a few characters more, and dots."""

_ROWS = 3
"""Rows of a finding that are named; more follow as dots."""

_STYLES = {"error": "bold red", "warning": "yellow", "info": "dim"}


def plain(text: object) -> str:
    """Take control characters out of a text from outside: models, logs and providers must not steer the terminal."""
    return str(text).translate(_CONTROL)


def document(value: object) -> None:
    """Print one JSON document as one line on stdout, at once."""
    plainly = _jsonable(value)
    text = json.dumps(plainly, ensure_ascii=False)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:  # a terminal of another encoding, or half a character: escapes say the same
        text = json.dumps(plainly)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def result(text: object) -> None:
    """Print a result for people on stdout."""
    sys.stdout.write(plain(text) + "\n")
    sys.stdout.flush()


def notes() -> Console:
    """Give the console on stderr, for progress and remarks."""
    from rich.console import Console  # noqa: PLC0415 - `--json` and `--help` do without

    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def note(text: object, style: str | None = None) -> None:
    """Print a remark on stderr; whoever wrote it, no key is in it."""
    notes().print(redact(plain(text)), style=style)


def findings(found: Iterable[Finding], *, most: int = 5) -> None:
    """Print findings on stderr, the gravest first, one a line, each with its row; of each code only the first `most`.

    What to do stands after each, or once after the last where it is the same for all of a code.
    """
    gravity = tuple(_STYLES)
    by_code: dict[tuple[str, str], list[Finding]] = {}
    for finding in found:
        by_code.setdefault((finding.severity, finding.code), []).append(finding)
    for (severity, code), alike in sorted(by_code.items(), key=lambda item: gravity.index(item[0][0])):
        lines = [_where(finding) + finding.message for finding in alike[:most]]
        if len(alike) > most:
            lines.append(f"… and {sum(map(_count, alike[most:])):,} more of `{code}`; `--json` lists them all.")
        if len({finding.fix for finding in alike}) == 1:
            lines[-1] += f" {alike[0].fix}"
        else:
            lines[:most] = [f"{line} {finding.fix}" for line, finding in zip(lines, alike[:most], strict=False)]
        for line in lines:
            note(f"{severity}: {line}".rstrip(), _STYLES[severity])


def _where(finding: Finding) -> str:
    """Name the file and the rows, where the message does not do that itself."""
    file = f"{finding.file} " if finding.file else ""
    if len(finding.rows) > 1:
        if str(finding.rows[0]) in re.findall(r"\d+", finding.message):
            return f"{file.rstrip()}: " if file else ""
        rows = ", ".join(map(str, finding.rows[:_ROWS]))
        return f"{file}rows {rows}{', …' if len(finding.rows) > _ROWS else ''}: "
    return f"{file}row {finding.row}: " if finding.row is not None else ""


def _count(finding: Finding) -> int:
    """Count what a finding stands for: a check lists 100 of a code, and the last one says how many more there are."""
    more = re.match(r"([\d,]+) more findings like", finding.message)
    return int(more[1].replace(",", "")) if more else 1


def record(fields: Mapping[str, object]) -> None:
    """Print fields on stdout as YAML; empty ones are left out."""
    import yaml  # noqa: PLC0415 - `--json` and `--help` do without

    filled = {key: value for key, value in _jsonable(fields).items() if value not in (None, "", [], {})}
    result(yaml.safe_dump(filled, sort_keys=False, allow_unicode=True, width=120).rstrip())


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print a table on stdout, or the remark `empty` on stderr where there are no rows."""
    from rich import box  # noqa: PLC0415 - `--json` does without
    from rich.console import Console  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above
    from rich.text import Text  # noqa: PLC0415 - as above

    lines = [[Text("" if cell is None else plain(cell)) for cell in row] for row in rows]
    if not lines:
        note(empty)
        return
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:  # on a narrow terminal so much of an id is enough to name it; all else is wanted whole
        short = heading == "id"
        grid.add_column(heading, overflow="ellipsis" if short else "fold", min_width=_ID_CHARS if short else None)
    for line in lines:
        grid.add_row(*line)
    # A pipe has no width: a table cut at 80 columns would lose ids.
    Console(highlight=False, width=None if sys.stdout.isatty() else 200).print(grid)


def size(count: int) -> str:
    """Write a number of bytes for people.

    Example:
        >>> size(1_500_000)
        '1.5 MB'
    """
    amount = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:  # noqa: PLR2004 - SI prefixes
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def _jsonable(value: object) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [_jsonable(item) for item in items]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    isoformat = getattr(value, "isoformat", None)
    return isoformat() if isoformat is not None else str(value)
