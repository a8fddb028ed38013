"""Right or wrong, or how much of it, by JSON: equal as a whole, field by field, or of a given schema."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - pydantic reads annotations when it runs
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import Field, PrivateAttr, model_validator

from anytune.errors import ConfigError
from anytune.evaluation.graders.compared import Answered, Compared
from anytune.evaluation.graders.reading import Leaves, json_of
from anytune.evaluation.needs import need
from anytune.evaluation.values import Grade

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.evaluation.graders.base import Desk
    from anytune.evaluation.graders.templates import Scene

__all__ = ["JsonExact", "JsonFields", "JsonSchema"]

_NO_JSON = Grade(score=0.0, note="no JSON")
_SHOWN = 120


class _Json(Compared):
    fenced: bool = True
    """Also take JSON out of a Markdown code fence."""

    def compared(self, text: str, right: str) -> Grade:
        """Read both, then compare. An answer that is no JSON is wrong; a right answer that is none is an error."""
        try:
            expected = json_of(right, fenced=self.fenced)
        except ValueError:
            return Grade(score=None, error="the right answer is no JSON")
        try:
            found = json_of(text, fenced=self.fenced)
        except ValueError:
            return _NO_JSON
        return self.matched(found, expected)

    def matched(self, found: Any, expected: Any) -> Grade:
        """Grade a value by the right one."""
        raise NotImplementedError


class JsonExact(_Json):
    """The text is the right JSON: keys in any order, numbers by value, lists in order."""

    type: ClassVar[str] = "json_exact"

    @property
    def binary(self) -> bool:
        """Right or wrong."""
        return True

    def matched(self, found: Any, expected: Any) -> Grade:
        """Compare, and name a place that differs."""
        leaves = Leaves()
        got, wanted = leaves.of(found), leaves.of(expected)
        return Grade(score=float(got == wanted), note=_differs(leaves, got - wanted, wanted - got))


class JsonFields(_Json):
    """How many fields are right: the harmonic mean (F1) of the share of right fields among those given and those wanted.

    Objects and lists are taken apart down to their leaves, each of which is a field with its path.
    """

    type: ClassVar[str] = "json_fields"
    ordered: bool = True
    """Places in lists count; False compares lists' members in any order."""
    ignore_case: bool = False
    """Of texts, and surplus whitespace in them."""

    def matched(self, found: Any, expected: Any) -> Grade:
        """Count fields."""
        leaves = Leaves(ordered=self.ordered, folded=self.ignore_case)
        got, wanted = leaves.of(found), leaves.of(expected)
        right = (got & wanted).total()
        precision, recall = right / got.total(), right / wanted.total()
        f1 = 2 * right / (got.total() + wanted.total())
        return Grade(
            score=f1,
            note=_differs(leaves, got - wanted, wanted - got),
            parts={"precision": precision, "recall": recall, "exact": float(got == wanted)},
        )


class JsonSchema(Answered):
    """The text is JSON that a JSON Schema allows. References lead nowhere outside of the schema."""

    type: ClassVar[str] = "json_schema"
    rules: dict[str, Any] | None = Field(default=None, alias="schema")
    """The JSON Schema."""
    file: Path | None = None
    """Or a file that holds it, relative to the spec."""
    fenced: bool = True
    """Also take JSON out of a Markdown code fence."""
    _validator: Any = PrivateAttr()

    @property
    def binary(self) -> bool:
        """Right or wrong."""
        return True

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.rules is None) is (self.file is None):
            raise ValueError("give `schema` or `file`")
        return self

    def prepare(self, desk: Desk) -> None:
        """Read and check the schema."""
        super().prepare(desk)
        rules = _read(desk.folder / self.file) if self.file is not None else self.rules
        self._validator = _validator(rules)

    def judged(self, text: str, scene: Scene) -> Grade:
        """Hold the JSON against the schema."""
        del scene
        try:
            found = json_of(text, fenced=self.fenced)
        except ValueError:
            return _NO_JSON
        try:
            wrong = next(self._validator.iter_errors(found), None)
        except RecursionError:
            return Grade(score=0.0, note="nested too deeply")
        except TimeoutError:
            return Grade(score=None, error="a `pattern` of the schema took longer than 1 s: write it without nested repeats")
        except need("referencing.exceptions").Unresolvable:
            return Grade(score=None, error="a `$ref` of the schema leads nowhere")
        if wrong is None:
            return Grade(score=1.0)
        return Grade(score=0.0, note=f"{wrong.json_path[:_SHOWN]} fails `{wrong.validator}`")


def _validator(rules: Any) -> Any:
    """Make a validator that asks nobody for references, breaks off patterns that take long, and finds repeats in linear time."""
    import jsonschema  # noqa: PLC0415 - heavy, and only this grader needs it
    from referencing import Registry  # noqa: PLC0415 - as above

    kind = jsonschema.validators.validator_for(rules, default=jsonschema.Draft202012Validator)
    try:
        kind.check_schema(rules)
    except (jsonschema.SchemaError, RecursionError) as error:
        words = error.message if isinstance(error, jsonschema.SchemaError) else "it is nested too deeply"
        raise ConfigError(f"`schema` is no JSON Schema: {words[:_SHOWN]}.", fix="Correct it.") from None
    extend: Any = jsonschema.validators.extend
    return extend(kind, {"pattern": _pattern, "uniqueItems": _unique})(rules, registry=Registry())


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    import jsonschema  # noqa: PLC0415 - loaded already

    del schema
    if validator.is_type(instance, "string") and need("regex").search(pattern, instance, timeout=1.0, concurrent=True) is None:
        yield jsonschema.ValidationError("the pattern is not found")


def _unique(validator: Any, wanted: Any, instance: Any, schema: Any) -> Iterator[Any]:
    import jsonschema  # noqa: PLC0415 - loaded already

    del schema
    leaves = Leaves()
    if wanted and validator.is_type(instance, "array") and len({frozenset(leaves.of(each).items()) for each in instance}) < len(instance):
        yield jsonschema.ValidationError("its members are not unique")


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"`file`: cannot read {path}: {error.strerror}.", fix="Check the path.") from error
    except (ValueError, RecursionError):
        raise ConfigError(f"`file`: {path} holds no JSON.", fix="Give a file with a JSON Schema.") from None


def _differs(leaves: Leaves, more: Any, less: Any) -> str:
    """Name one place that differs."""
    for what, found in (("wrong or missing", less), ("too many", more)):
        if found:
            return f"{what}: {leaves.path(next(iter(found))[0])[:_SHOWN]}"
    return ""
