"""What a conversion leaves out, said once per reason with the rows that it concerns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from anytune.codes import finding
from anytune.data.files.strict import brief

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from anytune.codes import Severity
    from anytune.values import Finding

__all__ = ["Loss", "Losses", "left_out", "named"]

MAX_ROWS = 10_000
"""Most lines that one finding lists; beyond them only the count goes on."""
_MAX_LOSSES = 200
"""Most different losses that are kept apart: the keys that a file invents must not fill the memory."""


class Loss(NamedTuple):
    """One thing that a format has no word for.

    Attributes:
        what: What is left out or said in another way, such as `tools`.
        why: Why, and what becomes of it, for a person.
        severity: `error` where something else would be learned, `warning` where something is left out that is not learned, `info` where the
            same is said in other words.
        fix: What to do about it.
    """

    what: str
    why: str
    severity: Severity = "warning"
    fix: str = ""


class Losses:
    """Counts losses over rows, in bounded memory."""

    def __init__(self, code: Literal["lossy-read", "dropped-feature"]) -> None:
        """Begin with nothing lost; `code` is what the findings are made with."""
        self._code = code
        self._rows: dict[Loss, list[int]] = {}
        self._counts: dict[Loss, int] = {}

    def take(self, number: int, losses: Iterable[Loss]) -> None:
        """Note what row `number` loses."""
        for loss in losses:
            known = loss
            if loss not in self._counts and len(self._counts) >= _MAX_LOSSES:
                known = Loss("more", "further things are left out, too many to name", loss.severity)
            rows = self._rows.setdefault(known, [])
            self._counts[known] = self._counts.get(known, 0) + 1
            if len(rows) < MAX_ROWS:
                rows.append(number)

    def findings(self) -> tuple[Finding, ...]:
        """Give one finding per loss; what changes learning comes first."""
        order = {"error": 0, "warning": 1, "info": 2}
        return tuple(
            finding(
                self._code,
                f"{loss.what}: {loss.why} ({_rows(self._counts[loss])}).",
                loss.fix,
                rows=rows,
                severity=loss.severity,
            )
            for loss, rows in sorted(self._rows.items(), key=lambda item: order[item[0].severity])
        )


def left_out(row: Mapping[str, object], known: Iterable[str]) -> list[Loss]:
    """List the keys of a row that are not among the known ones and say something."""
    return [
        Loss(named(key), "media files are left out, and what was said of them stays", "error")
        if key in {"images", "videos", "audios"}
        else Loss(named(key), "the key is left out")
        for key in sorted(row.keys() - set(known))
        if row[key] not in (None, "", [], {})
    ]


def named(key: str) -> str:
    """Quote a key: escaped, and cut where it is long."""
    return f"`{brief(key)[1:-1]}`"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
