"""From a definition to a grader: built-in types by their home, others by entry points of the group `anytune.graders`, loaded when named."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError
from anytune.evaluation.graders.base import HOPELESS, Grader
from anytune.evaluation.values import Grade
from anytune.settings import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

    from anytune.evaluation.graders.base import Desk
    from anytune.evaluation.values import Case, Sample

__all__ = ["GROUP", "graded", "known_types", "parsed"]

GROUP = "anytune.graders"

_ROOM = "anytune.evaluation.graders"
_HOMES = {
    "bleu": "likeness:Bleu",
    "chrf": "likeness:Chrf",
    "contains": "texts:Contains",
    "exact": "texts:Exact",
    "json_exact": "structured:JsonExact",
    "json_fields": "structured:JsonFields",
    "json_schema": "structured:JsonSchema",
    "judge": "judge:Judge",
    "label_model": "asked:LabelModel",
    "multi": "multi:Multi",
    "normalized": "texts:Normalized",
    "numeric": "numeric:Numeric",
    "python": "sandbox:Python",
    "regex": "texts:Regex",
    "rouge": "likeness:Rouge",
    "score_model": "asked:ScoreModel",
    "sql_result": "sql:SqlResult",
    "string_check": "checks:StringCheck",
    "text_similarity": "checks:TextSimilarity",
    "tool_calls": "calls:ToolCalls",
}
"""Module and class of each type of our own."""


def known_types() -> tuple[str, ...]:
    """Give the types that a spec may name, sorted: our own and those of plugins, none of which is imported."""
    return tuple(sorted({*_HOMES, *_plugins()}))


def parsed(raw: Mapping[str, Any], desk: Desk) -> Grader:
    """Make the grader that a definition asks for.

    Args:
        raw: As a spec has it: `type`, a `name` (the type by default), and the type's own keys.
        desk: What it may work with.

    Raises:
        ConfigError: No such type is known, a plugin is broken, or a key is missing, unknown or wrong; the grader and the key are named.

    Example:
        >>> from anytune.evaluation.graders import Desk
        >>> from anytune.evaluation.values import Case, Sample
        >>> grader = parsed({"type": "exact"}, Desk())
        >>> grader.name, grader.grade(Case(id="1", row=1, messages=(), reference="Elbe"), Sample(text="Elbe")).score
        ('exact', 1.0)
    """
    kind, name = raw.get("type"), raw.get("name", raw.get("type"))
    if not isinstance(kind, str) or not isinstance(name, str) or not name:
        raise ConfigError("A grader has no `type`, or a `name` that is no text.", fix=f"Give it one of: {', '.join(known_types())}.")
    try:
        return _home(kind).parsed({**raw, "name": name}, desk)
    except ConfigError as error:
        fix = error.fix.replace("docs/reference/spec.md", "docs/reference/graders.md")
        raise ConfigError(f"Grader {name!r}: {error.message}", fix=fix) from error
    except Exception as error:
        if kind in _HOMES:
            raise
        raise ConfigError(f"Grader {name!r}: its plugin failed with {type(error).__name__}: {error}.", fix="Tell its author.") from error


def graded(grader: Grader, case: Case, sample: Sample) -> Grade:
    """Grade one answer, and take a grader that raises for one that says nothing: a plugin's mistake costs its own score alone.

    Raises:
        BackendError: A grading model cannot be asked at all: a wrong key, no such model, no credit.
    """
    try:
        return grader.grade(case, sample)
    except HOPELESS:
        raise
    except Exception as error:  # noqa: BLE001 - a plugin may raise anything; its text may quote the row
        return Grade(score=None, error=f"the grader {grader.name!r} failed with {type(error).__name__}")


def _home(kind: str) -> type[Grader]:
    if kind in _HOMES:
        module, _, word = _HOMES[kind].partition(":")
        found: type[Grader] = getattr(importlib.import_module(f"{_ROOM}.{module}"), word)
        return found
    plugins = _plugins()
    if kind not in plugins:
        guess = nearest(kind, [*_HOMES, *plugins])
        others = ", ".join(plugins) or "none"
        raise ConfigError(
            f"no type {kind!r} is known. Built in: {', '.join(_HOMES)}; from plugins: {others}.",
            fix=f"Did you mean {guess!r}?" if guess else f"Install the distribution that brings it (entry-point group {GROUP}).",
        )
    return _loaded(plugins[kind])


def _plugins() -> dict[str, EntryPoint]:
    """Give the announced graders by name, sorted, without importing any of them. A name of our own is ours."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - reads the whole environment's metadata

    return {point.name: point for point in sorted(entry_points(group=GROUP), key=lambda point: point.name) if point.name not in _HOMES}


def _loaded(point: EntryPoint) -> type[Grader]:
    origin = point.dist.name if point.dist else point.value
    try:
        found = point.load()
    except Exception as error:
        raise ConfigError(
            f"type {point.name!r} of {origin} cannot be imported: {type(error).__name__}: {error}.",
            fix=f"Reinstall it: `pip install --force-reinstall {origin}`.",
        ) from error
    if not (isinstance(found, type) and issubclass(found, Grader)):
        raise ConfigError(f"{point.value} of {origin} is no anytune.evaluation.graders.Grader.", fix="Tell its author.")
    return found
