"""Lengths of rows as a picture: in the terminal, as PNG and as SVG.

Where short and long rows lie far apart, the bins double (…, 64, 128, 256, …); where they lie close together, all bins are equally wide. The
rows of a bin that ends at 2,048 fit into 2,048 tokens.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple
from xml.sax.saxutils import escape

from anytune.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Bin", "bins", "png", "svg", "text"]

MOST_BINS = 16

_WIDE = 8
"""Where the longest is so many times the shortest, bins double."""

_STEPS = (1, 2, 5)
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_BAR = "#0f766e"


class Bin(NamedTuple):
    """How many rows have `low` to `high` tokens, both included."""

    low: int
    high: int
    rows: int


def bins(lengths: Mapping[int, int], most: int = MOST_BINS) -> tuple[Bin, ...]:
    """Sort lengths into bins.

    Args:
        lengths: How many rows have each length.
        most: Most bins there may be, at least 4.

    Example:
        >>> [tuple(one) for one in bins({3: 2, 9: 1, 40: 1})]
        [(3, 4, 2), (5, 8, 0), (9, 16, 1), (17, 32, 0), (33, 64, 1)]
    """
    if not lengths:
        return ()
    shortest, longest = min(lengths), max(lengths)
    edges = list(_doubling(shortest, longest, most) if longest >= _WIDE * max(shortest, 1) else _even(shortest, longest, most))
    counts = [0] * len(edges)
    place = 0
    for length in sorted(lengths):
        while length > edges[place]:
            place += 1
        counts[place] += lengths[length]
    lows = [_below(shortest, edges), *(edge + 1 for edge in edges[:-1])]
    return tuple(Bin(low, high, rows) for low, high, rows in zip(lows, edges, counts, strict=True))


def text(found: Sequence[Bin], *, width: int = 80, plain: bool = False) -> str:
    """Draw bins as lines of a terminal, none longer than `width` characters.

    Args:
        found: The bins.
        width: Characters of a line; below 30 the bars go first.
        plain: ASCII only, for terminals that show nothing else.

    Example:
        >>> print(text([Bin(1, 2, 4), Bin(3, 4, 1)], width=30, plain=True))
        1-2 | ################# 4  80%
        3-4 | ####              1  20%
    """
    whole = sum(one.rows for one in found) or 1
    names = [_name(one, "-" if plain else "–") for one in found]
    ends = [f"{one.rows:,}" for one in found]
    left, right = max(map(len, names), default=0), max(map(len, ends), default=0)
    room = max(0, width - left - right - 9)
    most = max((one.rows for one in found), default=0) or 1
    rule = "|" if plain else "│"
    return "\n".join(
        f"{name:>{left}} {rule} {_bar(one.rows / most * room, plain=plain):<{room}} {end:>{right}} {one.rows / whole:>4.0%}"
        for name, end, one in zip(names, ends, found, strict=True)
    )


def svg(found: Sequence[Bin], title: str) -> str:
    """Draw bins as an SVG element that needs nothing from outside."""
    width, line, left, top = 720, 22, 150, 34
    most = max((one.rows for one in found), default=0) or 1
    height = top + line * len(found) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" fill="currentColor"',
        ' font-family="sans-serif" font-size="13">',
        f"<title>{escape(title)}</title>",
        f'<text x="0" y="16" font-weight="bold">{escape(title)}</text>',
    ]
    for number, one in enumerate(found):
        y = top + line * number
        bar = (width - left - 90) * one.rows / most
        parts += [
            f'<text x="{left - 8}" y="{y + 14}" text-anchor="end">{_name(one)}</text>',
            f'<rect x="{left}" y="{y + 2}" width="{bar:.1f}" height="{line - 6}" fill="{_BAR}"/>',
            f'<text x="{left + bar + 6:.1f}" y="{y + 14}">{one.rows:,}</text>',
        ]
    return "\n".join([*parts, "</svg>"])


def png(found: Sequence[Bin], title: str, path: Path) -> None:
    """Draw bins into a PNG file.

    Raises:
        ConfigError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - a large library, for pictures only
        from matplotlib.figure import Figure  # noqa: PLC0415 - as above
    except ImportError as error:
        raise ConfigError("A PNG needs matplotlib, which is not installed.", fix='pip install "anytune[data]"') from error
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    places = range(len(found))
    axes.bar(places, [one.rows for one in found], width=0.9, color=_BAR)
    axes.set_xticks(list(places), [_name(one) for one in found], rotation=45, ha="right", fontsize=8)
    axes.set(xlabel="tokens", ylabel="rows")
    axes.set_title(title, parse_math=False)  # a file's name is no formula
    axes.spines[["top", "right"]].set_visible(False)
    try:
        figure.savefig(path, format="png", dpi=150)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", fix="Give another path.") from error


def _name(one: Bin, dash: str = "–") -> str:
    return f"{one.low:,}" if one.low == one.high else f"{one.low:,}{dash}{one.high:,}"


def _doubling(shortest: int, longest: int, most: int) -> Iterator[int]:
    """Give upper edges at powers of 2 (or of 4, 8, … where there are too many)."""
    low, high = math.ceil(math.log2(max(shortest, 1))), math.ceil(math.log2(longest))
    step = math.ceil((high - low + 1) / most)
    exponent = high - (high - low) // step * step
    while exponent <= high:
        yield 2**exponent
        exponent += step


def _even(shortest: int, longest: int, most: int) -> Iterator[int]:
    """Give upper edges at multiples of 1, 2 or 5 times a power of 10."""
    widths = (step * 10**power for power in range(20) for step in _STEPS)
    width = next(width for width in widths if longest // width - (shortest - 1) // width < most)
    edge = max(shortest - 1, -1) // width * width + width
    while edge < longest:
        yield edge
        edge += width
    yield edge


def _below(shortest: int, edges: Sequence[int]) -> int:
    """Give the first bin's lower end: as far below its upper end as the bins' shape says."""
    first = edges[0]
    if shortest == 0:
        return 0
    if len(edges) > 1 and edges[1] == 2 * first:
        return first // 2 + 1
    width = edges[1] - first if len(edges) > 1 else 1
    return min(shortest, max(first - width + 1, 0))


def _bar(length: float, *, plain: bool) -> str:
    if plain:
        return "#" * max(round(length), 1 if length else 0)
    eighths = max(round(length * 8), 1 if length else 0)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()
