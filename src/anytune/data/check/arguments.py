"""Holding a call's arguments against the tool's JSON Schema, in bounded time.

Schemas and arguments come out of data files that others wrote, so nothing in them may cost much or reach out:

- a reference must stay within the schema; nothing is ever fetched;
- every keyword that is evaluated is paid for out of a budget, whatever references and branches make of it;
- a regular expression is tried only where a bound on its work is low (see `work`), and passes otherwise;
- larger schemas and arguments than the limits below are not compared, nor are schemas with keywords whose cost cannot be counted
  (`unevaluatedProperties`, `unevaluatedItems`, `$dynamicRef`).

Calls that are not compared for these reasons have the finding `not-checked`.
"""

from __future__ import annotations

import functools
import re
import threading
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, UnknownType, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from anytune.data.rows.lessons import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

__all__ = ["MAX_ARGUMENTS_CHARS", "MAX_SCHEMA_CHARS", "MAX_STEPS", "Misfit", "Schema", "TooCostly", "work"]

MAX_SCHEMA_CHARS = 64 * 1024
"""Longest schema, as JSON text, that is judged."""
MAX_ARGUMENTS_CHARS = 256 * 1024
"""Longest arguments that are held against a schema."""
MAX_STEPS = 20_000
"""Keywords evaluated for one call, about 0.1 s; a common call takes under 50."""
MAX_PATTERN_WORK = 1_000_000
"""Most steps that a regular expression may take by the bound of `work`; about 20 ms."""

_MAX_ERRORS = 3
_LONGEST_PATTERN = 500
_MOST_WAYS = 64
_MAX_DEPTH = 64
_WORK_A_STEP = 500
_UNCOUNTED = frozenset({"unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"})
_BROKEN = (Unresolvable, UnknownType, re.error, ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What jsonschema raises where a reference leads to nothing, or to what is no schema."""


class TooCostly(Exception):
    """Comparing would take more than `MAX_STEPS`."""


class Misfit(NamedTuple):
    """One way in which arguments do not fit: where (`city`, `days.0`; empty for the whole), and words that continue it."""

    path: str
    words: str


class Schema:
    """A tool's `parameters`, compiled.

    Args:
        parameters: The JSON Schema.

    Attributes:
        counted: What it costs to hold arguments against it can be counted.

    Raises:
        ValueError: It is no valid schema; the words continue "`parameters` …".
    """

    def __init__(self, parameters: dict[str, Any]) -> None:
        """Compile, or say what is wrong."""
        self.counted = _bounded(parameters)
        if parameters.get("type", "object") != "object":
            raise ValueError("must describe an object (`type` is not `object`)")
        if not _plain(parameters):
            _metaschema(parameters)
        self._validator = _Counting(parameters, registry=Registry())

    def misfits(self, arguments: dict[str, Any]) -> list[Misfit]:
        """Say how arguments do not fit; the first few ways.

        Raises:
            TooCostly: It would take too long to find out.
            ValueError: The schema refers to something that is not there, or to itself without end.
        """
        _PURSE.left = MAX_STEPS
        found: list[Misfit] = []
        try:
            for error in self._validator.iter_errors(arguments):
                found.append(Misfit(".".join(map(shown, error.absolute_path)), _said(error)))
                if len(found) == _MAX_ERRORS:
                    break
        except RecursionError:
            raise ValueError("refers to itself without end") from None
        except _BROKEN:
            raise ValueError("refers to a part of itself that is not there, or no schema") from None
        return found


def work(pattern: str, length: int) -> int | None:
    """Bound the steps of a regular expression on so many characters; None where no useful bound is seen.

    The bound is cautious and easy to see: a repetition that follows a group, and a reference back, have none; every other repetition may
    take each length, and every `?` and `|` doubles the ways. Characters that are escaped or in brackets count like others.

    Example:
        >>> work(r"^[0-9]{4}-[0-9]{2}$", 7), work(r"^(a+)+$", 30)
        (64, None)
    """
    if len(pattern) > _LONGEST_PATTERN or re.search(r"\)[*+{]|\\[1-9]|\(\?P=", pattern):
        return None
    repeats = len(re.findall(r"[*+{]", pattern)) + (not pattern.startswith("^"))
    forks = len(re.findall(r"[?|]", pattern))
    if repeats + forks > _MOST_WAYS:
        return None
    bound = int((length + 1) ** repeats) << forks
    return bound if bound <= MAX_PATTERN_WORK else None


class _Purse(threading.local):
    """What is left to spend on one call; every thread has its own."""

    left = MAX_STEPS

    def pay(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooCostly


_PURSE = _Purse()


def _metaschema(schema: dict[str, Any]) -> None:
    """Ask the metaschema; without `format`, since Python's regular expressions are not JavaScript's."""
    for error in Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema):
        first = SchemaError.create_from(error)
        where = ".".join(shown(str(step)) for step in first.absolute_path)
        raise ValueError(f"is no valid JSON Schema{f' at `{where}`' if where else ''} (`{first.validator}`)")


def _plain(schema: object) -> bool:
    """Tell at once that a schema of the most common keywords is valid; the metaschema judges all others, and takes 50 times as long."""
    if not isinstance(schema, dict):
        return isinstance(schema, bool)
    return all(key in _PLAIN and _PLAIN[key](value) for key, value in schema.items())


def _text(value: object) -> bool:
    return isinstance(value, str)


def _names(value: object) -> bool:
    return isinstance(value, list) and all(map(_text, value)) and len(set(value)) == len(value)


_TYPES = frozenset({"string", "number", "integer", "boolean", "object", "array", "null"})
_PLAIN: dict[str, Callable[[Any], bool]] = {
    "type": lambda value: isinstance(value, str) and value in _TYPES,
    "description": _text,
    "title": _text,
    "format": _text,
    "properties": lambda value: isinstance(value, dict) and all(map(_plain, value.values())),
    "items": _plain,
    "additionalProperties": _plain,
    "required": _names,
    "enum": lambda value: isinstance(value, list),
    "default": lambda _: True,
}


def _bounded(schema: dict[str, Any]) -> bool:
    """Refuse depth and references that lead outside before any recursion begins; tell whether all keywords can be counted."""
    waiting: list[tuple[object, int]] = [(schema, 0)]
    counted = True
    while waiting:
        value, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise ValueError(f"is nested deeper than {_MAX_DEPTH} levels")
        if isinstance(value, dict):
            if isinstance(target := value.get("$ref"), str) and not target.startswith("#"):
                raise ValueError("refers to something outside of itself (`$ref`)")
            counted = counted and value.keys().isdisjoint(_UNCOUNTED)
            waiting.extend((inner, depth + 1) for inner in value.values())
        elif isinstance(value, list):
            waiting.extend((inner, depth + 1) for inner in value)
    return counted


def _paid(name: str, keyword: Callable[..., Any]) -> Callable[..., Any]:
    """Make a keyword be paid for, and its regular expressions be tried only where that is cheap."""

    def evaluate(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        patterns, subjects = _patterns(name, value, instance, schema)
        longest = max(map(len, subjects), default=0)
        cost = [_tried(pattern, longest) for pattern in patterns]
        _PURSE.pay(_price(name, value, instance) + len(subjects) * sum(steps or 0 for steps in cost) // _WORK_A_STEP)
        return () if None in cost else keyword(validator, value, instance, schema) or ()

    return evaluate


def _patterns(name: str, value: Any, instance: Any, schema: Any) -> tuple[Iterable[str], Collection[str]]:
    """Give the regular expressions that a keyword will try, and on what."""
    if name == "pattern":
        return ((value,), (instance,)) if isinstance(instance, str) else ((), ())
    if name in {"patternProperties", "additionalProperties"} and isinstance(instance, dict):
        return schema.get("patternProperties", ()), instance
    return (), ()


def _price(name: str, value: object, instance: object) -> int:
    many = len(value) if isinstance(value, dict | list) else 0
    size = len(instance) if isinstance(instance, dict | list) else 0
    return 1 + (size * size if name == "uniqueItems" else many + size) // 8


@functools.lru_cache(maxsize=512)
def _tried(pattern: str, length: int) -> int | None:
    """Give the bound of `work` for a pattern that Python reads without remark."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(pattern)
    except (re.error, Warning, RecursionError, OverflowError):
        return None
    return work(pattern, length)


def _said(error: ValidationError) -> str:
    value: Any = error.validator_value
    schema: Any = error.schema
    given: Any = error.instance
    match error.validator:
        case "required":
            lacking = [name for name in value if name not in given]
            return f"lacks `{shown(lacking[0])}`" if lacking else "lacks a key"
        case "additionalProperties":
            known = schema.get("properties", {})
            extra = [name for name in given if name not in known]
            return f"has the key `{shown(extra[0])}`, which the tool does not take" if extra else "has a key that the tool does not take"
        case "type":
            return f"is not of type {' or '.join(value) if isinstance(value, list) else value}"
        case "enum":
            return "is none of the values that the tool names"
        case _:
            return f"does not fit `{shown(str(error.validator))}`"


_extend: Any = extend  # jsonschema leaves it untyped
_Counting = _extend(Draft202012Validator, {name: _paid(name, keyword) for name, keyword in Draft202012Validator.VALIDATORS.items()})
