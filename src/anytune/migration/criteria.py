"""OpenAI's Evals as graders of our evaluation: the `testing_criteria` of an exported eval, taken as they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["judges", "read_criteria"]

_TAKEN = frozenset({"string_check", "text_similarity", "label_model", "score_model", "python", "multi"})
_OF_EVALS = frozenset({"id"})
"""Keys that an eval's export adds, and no grader has."""
_FIX = 'Give an exported eval: JSON with "testing_criteria", or its list alone. An eval\'s API answers `GET /v1/evals/{id}` with it.'


def read_criteria(path: Path) -> tuple[dict[str, Any], ...]:
    """Read graders from an exported eval (an object with `testing_criteria`), a list of them, or one alone.

    Names are made different where they are not: an evaluation tells graders by them.

    Raises:
        ConfigError: The file cannot be read, holds none, or one is of a type that no grader has.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"Cannot read {path}: {error.strerror}.", fix=_FIX) from error
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON.", fix=_FIX) from error
    found = raw.get("testing_criteria", [raw] if "type" in raw else None) if isinstance(raw, dict) else raw
    if not isinstance(found, list) or not found or not all(isinstance(each, dict) for each in found):
        raise ConfigError(f"{path} holds no `testing_criteria`.", fix=_FIX)
    graders: list[dict[str, Any]] = []
    for number, each in enumerate(found, start=1):
        kind = each.get("type")
        if kind not in _TAKEN:
            fix = f"Those that are taken: {', '.join(sorted(_TAKEN))}. Leave it out, or write it as one of them."
            raise ConfigError(f"Criterion {number} of {path.name} is of type {kind!r}.", fix=fix)
        name = str(each.get("name") or kind)
        same = sum(one["name"].partition(" #")[0] == name for one in graders)
        told = {key: value for key, value in each.items() if key not in _OF_EVALS}
        graders.append(told | {"name": f"{name} #{same + 1}" if same else name})
    return tuple(graders)


def judges(graders: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Name the models that graders ask, each once: an evaluation's `models` has to hold them."""
    return tuple(dict.fromkeys(_judges(graders)))


def _judges(graders: Sequence[dict[str, Any]]) -> Iterator[str]:
    for grader in graders:
        inner = grader.get("graders")
        if grader.get("type") in {"score_model", "label_model"} and isinstance(grader.get("model"), str):
            yield grader["model"]
        if isinstance(inner, dict):
            yield from _judges([each for each in inner.values() if isinstance(each, dict)])
