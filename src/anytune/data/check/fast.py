"""The short way for plain rows: what it takes is good, what it does not take is judged by the schemas.

A plain row is text and nothing else: a system's message or none, then user and assistant in turns, or a prompt and its completion. Most
files hold nothing else. msgspec reads such rows into the types below, and nothing else into them; a few comparisons of whole columns
tell the rest. Whatever is different in any way is left to `anytune.data.files.parse` and `anytune.data.check.judge`; that these find
nothing wrong with a row taken here is property-tested (tests/unit/data/test_fast_agrees.py).
"""

from __future__ import annotations

from itertools import cycle, islice
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import UNSET, UnsetType

from anytune.data.rows import Text
from anytune.data.rows.lessons import blank

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from anytune.data.rules import Rules

__all__ = ["Columns", "allowed", "pieces", "plain", "plain_row", "worded"]

Columns = list[tuple[str, ...]]
"""Texts of rows that have the same roles: one column a message, in order. Their number tells the roles: where it is odd, the first is the
system's. A prompt and its completion have an empty first column."""

_PIECE_BYTES = 2**16
"""Rows that are read together: few enough for the processor's cache, and for one odd row among them not to matter."""

_METHODS = frozenset({None, "sft"})
_SPACE = b" \t\r\n"


class _System(msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="role", tag="system"):
    content: str


class _User(msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="role", tag="user"):
    content: str


class _Assistant(msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="role", tag="assistant"):
    content: str


class _Row(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    messages: list[_System | _User | _Assistant] | UnsetType = UNSET
    prompt: str | UnsetType = UNSET
    completion: str | UnsetType = UNSET


_decode = msgspec.json.Decoder(_Row).decode
_TYPES = {"system": _System, "user": _User, "assistant": _Assistant}
_content, _messages, _prompt, _completion = map(attrgetter, ("content", "messages", "prompt", "completion"))
_first = itemgetter(0)


def allowed(method: str | None, rules: Rules) -> bool:
    """Tell whether plain rows are good for a method and a target."""
    return method in _METHODS and rules.last_role in {None, "assistant"} and "system" not in rules.refuses | rules.drops


def pieces(raw: bytes) -> Iterator[bytes]:
    """Cut a block of lines into smaller ones."""
    start = 0
    while start < len(raw):
        end = raw.find(b"\n", start + _PIECE_BYTES) + 1 or len(raw)
        yield raw[start:end]
        start = end


def plain(lines: bytes) -> list[tuple[Sequence[int], Columns]] | None:
    r"""Read lines that are all plain rows.

    Args:
        lines: One line or several, none of them blank.

    Returns:
        Rows of the same roles together: their places among the lines, from 0, and their texts. None where any line is not plain.

    Example:
        >>> plain(b'{"prompt": "2 + 2?", "completion": "4"}\n{"prompt": "3 + 3?", "completion": "6"}')
        [(range(0, 2), [('', ''), ('2 + 2?', '3 + 3?'), ('4', '6')])]
        >>> plain(b'{"prompt": "2 + 2?"}')
    """
    try:
        rows = list(map(_decode, lines.removesuffix(b"\n").split(b"\n")))
    except (msgspec.MsgspecError, ValueError):
        return None
    found = _pairs(rows) if rows[0].messages is UNSET else _talks(rows)
    if found is None:
        return None
    keys = sum(len(places) * (1 + 2 * len(columns) if columns[0][0] else 2) for places, columns in found)
    return found if _once(lines, keys) else None


def plain_row(raw: dict[str, Any]) -> list[str] | None:
    """Give the texts of a row that was read in another way, where it is plain."""
    try:
        row = msgspec.convert(raw, _Row)
    except msgspec.MsgspecError:
        return None
    found = _pairs([row]) if row.messages is UNSET else _talks([row])
    return None if found is None else [column[0] for column in found[0][1]]


def worded(texts: Sequence[str]) -> list[Text]:
    """Give a plain row's texts as `anytune.data.rows.texts` does."""
    if not texts[0]:
        return [Text(None, "user", texts[1], trained=False), Text(None, "assistant", texts[2], trained=True)]
    return [Text(index, role, text, role == "assistant") for index, (role, text) in enumerate(zip(_roles(len(texts)), texts, strict=True))]


def _pairs(rows: list[_Row]) -> list[tuple[Sequence[int], Columns]] | None:
    prompts, completions = tuple(map(_prompt, rows)), tuple(map(_completion, rows))
    return [(range(len(rows)), [("",) * len(rows), prompts, completions])] if _said(prompts) and _said(completions) else None


def _talks(rows: list[_Row]) -> list[tuple[Sequence[int], Columns]] | None:
    talks = list(map(_messages, rows))
    if not all(talks):
        return None
    sizes = set(map(len, talks))
    found: list[tuple[Sequence[int], Columns]] = []
    for size in sorted(sizes):
        places: Sequence[int] = range(len(talks))
        if len(sizes) > 1:
            places = [place for place, talk in enumerate(talks) if len(talk) == size]
        columns: Columns = []
        for role, messages in zip(_roles(size), zip(*map(talks.__getitem__, places), strict=True), strict=False):
            texts = tuple(map(_content, messages))
            if set(map(type, messages)) != {_TYPES[role]} or not _said(texts):
                return None
            columns.append(texts)
        if size < 2 or len(columns) != size:  # noqa: PLR2004 - a question and its answer
            return None
        found.append((places, columns))
    return found


def _once(lines: bytes, keys: int) -> bool:
    """Tell whether no key stands twice in an object (msgspec reads the last): there are so many keys as were read.

    A key ends with a quote and a colon. So do keys of JSON inside of a text, but with a backslash before the quote, where no known key has
    one. A text that begins with a colon counts as a key too many, and its row goes the long way.
    """
    dense = lines.translate(None, _SPACE)
    found = dense.count(b'":')
    return found == keys or found - dense.count(b'\\":') == keys


def _said(texts: Sequence[str]) -> bool:
    """Tell whether no text is missing or blank; few are looked at closely, since blank ones begin and end with what shows nothing."""
    if not all(texts):
        return False
    begins = "".join(set(map(_first, texts)))
    if begins.isprintable() and " " not in begins:
        return True
    return not any(map(blank, texts))


def _roles(size: int) -> list[str]:
    return ["system"] * (size & 1) + list(islice(cycle(("user", "assistant")), size & ~1))
