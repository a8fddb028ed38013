"""One row's JSON, read strictly: what readers disagree about is named, with what to do about it, instead of being taken in silence."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NamedTuple

__all__ = ["BOM", "MAX_DEPTH", "MAX_LINE_BYTES", "Line", "Parser", "Wrong", "brief", "parse"]

MAX_LINE_BYTES = 16 * 1024 * 1024
"""Longest line that is read; a row of a million tokens has about 4 MiB."""

MAX_DEPTH = 64
"""Deepest nesting that is read. A chat row with tools has about 12 levels; recursive readers give up, or crash, somewhere beyond 500."""

BOM = b"\xef\xbb\xbf"

_MAX_DIGITS = 400
_INTEGERS = range(-(2**63), 2**64)
_SAFE_DIGITS = 18
_SHOWN = 60
_LONGEST_SECRET = 4000

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_FOREIGN_WORD = re.compile(r"None|True|False|undefined|nan|inf")


class Line(NamedTuple):
    """One row of a file.

    Attributes:
        number: Its 1-based line of a JSONL file, or the record's number in other containers.
        row: What it holds; empty where there is a problem.
        problem: What is wrong with it, in words that complete "The line is …".
        code: The problem's code in `anytune.codes`.
        fix: What to do about it.
    """

    number: int
    row: dict[str, Any]
    problem: str = ""
    code: str = ""
    fix: str = ""


class Wrong(NamedTuple):
    """Why a JSON text is not taken: a code of `anytune.codes`, words that complete "The line is …", and what to do."""

    code: str
    problem: str
    fix: str


def parse(number: int, raw: bytes) -> Line:
    r"""Read one line of a JSONL file, however it is broken; never raises.

    Args:
        number: Its 1-based number. A byte-order mark is taken at the start of line 1 only.
        raw: The line, with or without its end.

    Example:
        >>> parse(3, b'{"text": "a", "text": "b"}').code
        'duplicate-key'
    """
    return Parser().line(number, raw)


def brief(name: str) -> str:
    """Quote a key or column for a message: escaped, and cut where it is long."""
    if len(name) > _SHOWN:
        from anytune.data.check.secrets import hidden  # noqa: PLC0415 - a secret that is cut off is not known as one any more

        name = hidden(name[:_LONGEST_SECRET])
    return repr(name if len(name) <= _SHOWN else f"{name[:_SHOWN]}…")


class Parser:
    """Reads JSON texts one after the other; not for several threads at once."""

    def __init__(self) -> None:
        """Make the hooks once: they are slower to make than most rows are to read."""
        self._wrong: list[Wrong] = []
        self._decode = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=self._integer, parse_float=self._float, parse_constant=self._constant
        ).decode

    def line(self, number: int, raw: bytes) -> Line:
        """Read a row, as `parse` does."""
        raw = raw.rstrip(b"\r\n")
        row, wrong = self.value(raw.removeprefix(BOM) if number == 1 else raw)
        if wrong is not None:
            return Line(number, {}, wrong.problem, wrong.code, wrong.fix)
        if not isinstance(row, dict):
            fix = "Each line of a JSONL file is one row: a JSON object in braces."
            return Line(number, {}, f"a JSON {_name(row)}, not an object", "not-an-object", fix)
        return Line(number, row)

    def value(self, raw: bytes) -> tuple[Any, Wrong | None]:
        """Read any JSON value, and say what is wrong with it."""
        if len(raw) > MAX_LINE_BYTES:
            return None, too_long()
        if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and _too_deep(raw):
            return None, Wrong(
                "too-deep", f"nested too deeply (more than {MAX_DEPTH} levels)", "Flatten it, or put the inner part into a string."
            )
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            return None, _not_utf8(raw, error.start)
        self._wrong.clear()
        try:
            value = self._decode(text)
        except json.JSONDecodeError as error:
            return None, _not_utf8(raw, 0) if _is_utf16(raw) else _not_json(text, error)
        except RecursionError:  # the caller's own stack is nearly used up
            return None, Wrong("too-deep", "nested too deeply to be read here", "Flatten it, or put the inner part into a string.")
        return value, self._wrong[0] if self._wrong else None

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = brief(next(name for name in names if names.count(name) > 1))
            self._wrong.append(Wrong("duplicate-key", f"ambiguous: the key {twice} stands twice in one object", f"Keep one {twice}."))
        return found

    def _integer(self, digits: str) -> int:
        if len(digits) <= _SAFE_DIGITS:
            return int(digits)
        if len(digits) <= _MAX_DIGITS and (value := int(digits)) in _INTEGERS:
            return value
        self._wrong.append(_huge(f"a whole number of {len(digits.lstrip('-'))} digits, beyond 64 bits"))
        return 0

    def _float(self, digits: str) -> float:
        if len(digits) > _MAX_DIGITS:
            self._wrong.append(_huge(f"a number of {len(digits)} characters"))
            return 0.0
        value = float(digits)
        if math.isinf(value):
            self._wrong.append(_huge("a number that is too large for a float"))
        return value

    def _constant(self, word: str) -> float:
        self._wrong.append(Wrong("not-a-number", f"not JSON: it holds {word}, which JSON does not have", "Use null, or leave the key out."))
        return 0.0


def too_long() -> Wrong:
    """Say that a line is longer than what is read."""
    return Wrong("line-too-long", f"longer than {MAX_LINE_BYTES // 2**20} MiB", "Split the row, or see whether line ends are missing.")


def _name(value: object) -> str:
    names = {list: "list", str: "string", bool: "true or false", int: "number", float: "number", type(None): "null"}
    return names.get(type(value), type(value).__name__)


def _huge(what: str) -> Wrong:
    return Wrong("huge-number", f"not JSON that all readers take: it holds {what}", "Write it as a string, or round it.")


def _too_deep(raw: bytes) -> bool:
    """Count brackets outside of strings: no parser is asked, so no stack can be used up."""
    depth = 0
    for byte in _STRING.sub(b"", raw).translate(None, _NO_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _is_utf16(raw: bytes) -> bool:
    return raw.startswith((b"\xff\xfe", b"\xfe\xff")) or raw.count(0) * 4 >= len(raw) > 0


def _not_utf8(raw: bytes, start: int) -> Wrong:
    if raw.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        found = "UTF-32"
    elif _is_utf16(raw):
        found = "UTF-16"
    else:
        problem = f"not UTF-8 (from byte {start + 1} on: 0x{raw[start]:02x})"
        return Wrong("not-utf8", problem, "Save the file as UTF-8; where it came from Windows: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW")
    return Wrong("not-utf8", f"not UTF-8: it looks like {found}", f"Save the file as UTF-8: iconv -f {found} -t UTF-8 OLD > NEW")


def _not_json(text: str, error: json.JSONDecodeError) -> Wrong:
    what, fix = _hint(text, error)
    return Wrong("not-json", f"not JSON: {what} (column {error.pos + 1})", fix)


def _hint(text: str, error: json.JSONDecodeError) -> tuple[str, str]:
    """Say what a person most likely did."""
    at, rest = error.pos, text[error.pos : error.pos + 20]
    before = text[:at].rstrip(" \t\n\r")[-1:]
    if error.msg == "Extra data":
        return _extra(text, at, rest)
    if rest.startswith("\ufeff"):
        return "a byte-order mark in the middle of the file", "Files were joined: remove the mark."
    if rest.startswith("'"):
        return "single quotes", "It was written by Python's str(): write rows with json.dumps(row)."
    if _FOREIGN_WORD.match(rest):
        return "a word of another language", "JSON has null, true and false: write rows with json.dumps(row)."
    if (before == "," and rest[:1] in {"}", "]"}) or "trailing comma" in error.msg:
        return "a comma stands before a closing bracket", "Remove the comma."
    if error.msg.startswith("Unterminated string") or not rest.strip():
        return "it ends too early", "Write each row on one line, as json.dumps(row) does; if it is the last one, the file may be cut off."
    if error.msg.startswith("Invalid control character"):
        return "a control character stands in a string as it is", r"Write it as \n, \t or \u00XX, as json.dumps does."
    return f"{error.msg[:1].lower()}{error.msg[1:].rstrip(': ')}", "Correct the line; json.dumps(row) writes JSON."


def _extra(text: str, at: int, rest: str) -> tuple[str, str]:
    if text[:at].rstrip(" \t").endswith("\r"):
        return "rows end with CR alone, as old Macs wrote them", "Convert the line ends: tr '\\r' '\\n' < OLD > NEW"
    if rest.startswith(","):
        return "a comma follows the row", "Remove the commas at the ends of lines, or put the rows into a list and name the file .json."
    return "something follows the row", "Put each row on its own line."
