"""How durations are written on the command line: `90s`, `30m`, `1h`, `2d`, or plain seconds."""

from __future__ import annotations

import re

import typer

__all__ = ["human", "seconds"]

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def seconds(text: str) -> float:
    """Read a duration, in seconds.

    Raises:
        typer.BadParameter: It is no duration, or not above 0.

    Example:
        >>> seconds("1.5h")
        5400.0
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip().lower())
    if match is None or float(match[1]) <= 0:
        raise typer.BadParameter(f"{text!r} is no duration: write 90s, 30m, 1h or 2d.")
    return float(match[1]) * _UNITS[match[2]]


def human(duration_s: float) -> str:
    """Write a duration for people.

    Example:
        >>> human(3725)
        '1h 2m'
    """
    whole = max(0, round(duration_s))
    if whole < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{whole}s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes}m {rest}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes}m"
