"""How long a host asks to wait."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from anytune.values import now

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["retry_after"]


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read `retry-after-ms`, else `retry-after`, in seconds; None where neither can be read.

    A date is held against the reply's own `date` where it has one: the two are by the same clock.

    Example:
        >>> retry_after({"retry-after": "7", "retry-after-ms": "250"})
        0.25
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    asked = headers.get("retry-after")
    seconds = _number(asked)
    if seconds is not None or asked is None:
        return seconds
    until = _date(asked)
    return None if until is None else max((until - (_date(headers.get("date")) or now())).total_seconds(), 0.0)


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _date(text: str | None) -> datetime | None:
    try:
        found = parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo else found.replace(tzinfo=UTC)
