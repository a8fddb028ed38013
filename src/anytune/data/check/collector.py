"""Findings as they come, in bounded memory: the first of a kind one by one, the rest counted."""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from anytune.values import Finding

__all__ = ["MAX_LISTED", "MAX_ROWS", "Collector"]

MAX_LISTED = 100
"""Findings of one code that are listed one by one."""

MAX_ROWS = 10_000
"""Lines that one finding lists; its message counts the rest."""

_OPAQUE = re.compile(r"(?=[A-Za-z_+/=-]*[0-9])[A-Za-z0-9_+/=-]{16}|://")
"""Without a long word that holds a digit, no message holds a key; rows' own addresses are not quoted."""

_GRAVITY = {"error": 0, "warning": 1, "info": 2}


@dataclass
class _Kind:
    """Findings of one code, severity and file."""

    listed: list[Finding] = field(default_factory=list)
    more: int = 0
    rows: array[int] = field(default_factory=lambda: array("Q"))


class Collector:
    """Keeps what is found in one check.

    A file in which every row is wrong takes no more memory than one with a hundred such rows and the lines of ten thousand.
    """

    def __init__(self, left_out: frozenset[str] = frozenset()) -> None:
        """Begin with nothing found.

        Args:
            left_out: Codes that are not kept.
        """
        self._left_out = left_out
        self._kinds: dict[tuple[str, str, str | None], _Kind] = {}

    def add(self, found: Iterable[Finding], file: Literal["train", "validation"] | None = None) -> None:
        """Take findings in.

        Args:
            found: Any findings.
            file: Which file they are in, where they do not say it themselves.
        """
        for one in found:
            if one.code in self._left_out:
                continue
            finding = one if file is None or one.file is not None else one.model_copy(update={"file": file})
            kind = self._kinds.setdefault((finding.code, finding.severity, finding.file), _Kind())
            if len(kind.listed) < MAX_LISTED:
                kind.listed.append(_clean(_cut(finding)))
                continue
            kind.more += 1
            lines = finding.rows or ((finding.row,) if finding.row is not None else ())
            kind.rows.extend(lines[: MAX_ROWS - len(kind.rows)])

    def findings(self) -> tuple[Finding, ...]:
        """Give all, the gravest first, else in the order in which their codes were met."""
        return tuple(sorted(self._all(), key=lambda finding: _GRAVITY[finding.severity]))

    def _all(self) -> Iterator[Finding]:
        for kind in self._kinds.values():
            yield from kind.listed
            if kind.more:
                rows = tuple(dict.fromkeys(kind.rows))
                message = f"{kind.more:,} more findings like the {MAX_LISTED} listed before; `rows` holds {len(rows):,} of their lines."
                first = kind.listed[0]
                yield first.model_copy(update={"message": message, "row": next(iter(rows), None), "rows": rows, "message_index": None})


def _clean(finding: Finding) -> Finding:
    """Take secrets out of a finding's words: a role, a key or a tool's name that is quoted may be one."""
    if not _OPAQUE.search(finding.message) and not _OPAQUE.search(finding.fix):
        return finding
    from anytune.data.check.secrets import hidden  # noqa: PLC0415 - detect-secrets takes 0.2 s, and few messages hold long words

    return finding.model_copy(update={"message": hidden(finding.message), "fix": hidden(finding.fix)})


def _cut(finding: Finding) -> Finding:
    return finding if len(finding.rows) <= MAX_ROWS else finding.model_copy(update={"rows": finding.rows[:MAX_ROWS]})
