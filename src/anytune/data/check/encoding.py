"""Traces of text that was once decoded with the wrong encoding. Says what kind and where, never what the text is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["damage"]

_SUSPECT = re.compile(
    # UTF-8's first and second byte of a letter, as Latin-1 and Windows-1252 have them
    "[\u00c2-\u00f4][\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\u017d"
    "\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\u017e\u0178]"
    # the same in Windows-1251, for Cyrillic letters; and in Mac Roman
    "|[\u0420\u0421][\u00a0-\u00bf\u0402-\u040f\u0452-\u045f\u2013-\u2122]"
    "|\u221a[\u0080-\u2264]"
)
_AS_JAPANESE = re.compile(r"[縺繧繝][\u4e00-\u9fff\uff61-\uff9f]{1,3}[縺繧繝]")
"""What begins kana in UTF-8 (E3 81, E3 82, E3 83), read as Shift JIS; in Japanese these three are rare, and never so close."""

_KANA = re.compile(r"[\u3041-\u30ff]{2}")
_LOST_TWICE = "锟斤拷"
"""Two replacement characters in UTF-8, read as GBK."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_NAMES = {
    "latin-1": "Latin-1",
    "macroman": "Mac Roman",
    "sloppy-windows-1250": "Windows-1250",
    "sloppy-windows-1251": "Windows-1251",
    "sloppy-windows-1252": "Windows-1252",
    "sloppy-windows-1253": "Windows-1253",
    "sloppy-windows-1254": "Windows-1254",
    "sloppy-windows-1257": "Windows-1257",
}


def damage(text: str) -> Iterator[str]:
    r"""Tell what in a text shows that it was decoded wrongly.

    Yields:
        Words for each kind, with the number of the first character concerned, from 1.

    Example:
        >>> list(damage("na\u00c3\u00afve"))
        ['UTF-8 that was read as Latin-1 (from character 3)']
        >>> list(damage("na\u00efve"))
        []
    """
    if (lost := text.find("\ufffd")) >= 0:
        count = text.count("\ufffd")
        yield f"U+FFFD, which stands for a lost character ({count} times, first at character {lost + 1})"
    if (mark := text.find("\ufeff")) >= 0:
        yield f"a byte-order mark (U+FEFF) as text (at character {mark + 1})"
    if surrogate := _SURROGATE.search(text):
        yield (
            f"half of a surrogate pair (U+{ord(surrogate[0]):04X}, at character {surrogate.start() + 1}), which cannot be written as UTF-8"
        )
    if suspect := _SUSPECT.search(text):
        yield from _misread(text, suspect.start())
    if _LOST_TWICE in text:
        yield f"replacement characters that were read as GBK (at character {text.index(_LOST_TWICE) + 1})"
    if (found := _AS_JAPANESE.search(text)) and _KANA.search(text[found.start() :].encode("cp932", "ignore").decode("utf-8", "ignore")):
        yield f"UTF-8 that was read as Shift JIS (from character {found.start() + 1})"


def _misread(text: str, start: int) -> Iterator[str]:
    """Ask ftfy, which knows what scripts are likely: it repairs what is surely damage, and leaves the rest."""
    import ftfy  # noqa: PLC0415 - only where something looks wrong
    from ftfy.badness import is_bad  # noqa: PLC0415 - the same

    if not is_bad(text):
        return
    steps = ftfy.fix_encoding_and_explain(text).explanation or []
    read_as = next((step.parameter for step in steps if step.action == "encode"), None)
    if read_as is not None or any(step.parameter == "decode_inconsistent_utf8" for step in steps):
        name = _NAMES.get(str(read_as), "a single-byte encoding")
        yield f"UTF-8 that was read as {name} (from character {start + 1})"
