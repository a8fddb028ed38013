"""The rule, as it stood when rows were first asked. Whoever bends it after the answers were seen is told on."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from anytune.evaluation.spec import EvaluationSpec

__all__ = ["FIXED", "first", "fixed"]

FIXED = {"rule", "primary", "graders", "group_by", "rows", "seed", "repeats", "drift"}
"""Keys of a spec that say what has to be shown, and on what. Models, prices, folders and speed may change."""

_FILE = "rules.json"


def fixed(spec: EvaluationSpec) -> str:
    """Give the sha256 of what was fixed beforehand: two specs with the same one ask for the same.

    Example:
        >>> from anytune.evaluation.spec import EvaluationSpec
        >>> spec = EvaluationSpec(data="test.jsonl", arms={"tuned": {"type": "nearest"}})
        >>> fixed(spec) == fixed(spec.model_copy(update={"name": "other"}))
        True
    """
    said = json.dumps(spec.model_dump(mode="json", include=FIXED), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(said.encode()).hexdigest()


def first(folder: Path, data_sha256: str, spec: EvaluationSpec) -> str:
    """Give the sha256 of the rule under which these rows were first asked in a folder; now, where they never were.

    Args:
        folder: Of the evaluation; nobody else writes in it meanwhile.
        data_sha256: Of the held-out rows: with other rows another rule may be fixed.
        spec: The spec at hand.
    """
    path = folder / _FILE
    rules: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if data_sha256 not in rules:
        rules[data_sha256] = fixed(spec)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(rules, indent=1), encoding="utf-8")
        part.replace(path)
    return rules[data_sha256]
