"""From a spec to arms: what each asks, and the candidates among which development rows choose."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.data.formats import read
from anytune.errors import ConfigError, DataError
from anytune.evaluation import spec as words
from anytune.evaluation.arms.base import Asking
from anytune.evaluation.arms.kinds import Again, Copying, FewShot, Prompt, Recalling, Retrieval, ZeroShot
from anytune.evaluation.arms.search import Search

if TYPE_CHECKING:
    from pathlib import Path

    from anytune.evaluation.arms.base import Arm
    from anytune.evaluation.arms.pool import Pool
    from anytune.evaluation.spec import EvaluationSpec

__all__ = ["Candidate", "built", "variants"]

_CHOSEN = ("system", "k")
"""Settings of arms that may have several values."""

_REFUSED = frozenset({"model", "messages", "n", "stream", "stream_options"})
"""Parameters that would ask something else, or bring something else than one whole answer."""


class Candidate(NamedTuple):
    """One way to fill in the settings of an arm that were left to the development rows.

    Attributes:
        setting: What is chosen: `system`, `k`, `checkpoint`, or several joined by `+`.
        word: This candidate in a word or number; of prompts `prompt 1`, `prompt 2`, … in the spec's order.
        values: The value of each setting.
    """

    setting: str
    word: str
    values: dict[str, Any]


def variants(spec: EvaluationSpec, name: str) -> list[Candidate]:
    """Give the candidates of an arm: all combinations of what it leaves open; empty where nothing is left open.

    An arm that repeats another takes the candidate that was chosen for that one.
    """
    arm = spec.arms[name]
    open_ = {setting: value for setting in _CHOSEN if isinstance(value := getattr(arm, setting, None), tuple)}
    model = getattr(arm, "model", None)
    if model is not None and isinstance(steps := spec.models[model].checkpoint, tuple):
        open_["checkpoint"] = steps
    if not open_:
        return []
    choices = [[(setting, number, value) for number, value in enumerate(values, start=1)] for setting, values in open_.items()]
    return [
        Candidate(
            "+".join(open_),
            ", ".join(f"prompt {number}" if setting == "system" else str(value) for setting, number, value in chosen),
            {setting: value for setting, _, value in chosen},
        )
        for chosen in product(*choices)
    ]


def built(spec: EvaluationSpec, name: str, pool: Pool | None, candidate: Candidate | None = None) -> Arm:
    """Make an arm.

    Args:
        spec: The spec that has it.
        name: Its name there.
        pool: The training rows that may be shown; None where there are none.
        candidate: Fills in what the arm leaves open.

    Raises:
        ConfigError: It needs training rows and there are none, or it leaves something open.
        DataError: The documents of an arm cannot be read.
    """
    arm = spec.arms[name]
    if isinstance(arm, words.Again):
        of = built(spec, arm.of, pool, candidate)
        if not isinstance(of, Asking):
            raise ConfigError(f"Arm {name!r} repeats {arm.of!r}, which asks no model.", fix="Name an arm that asks one.")
        return Again(name, of)
    if isinstance(arm, words.Captured):
        return Recalling(name, arm.file, repeats=spec.repeats)
    if isinstance(arm, words.Nearest):
        return Copying(name, _needed(pool, name), k=arm.k)
    chosen = candidate.values if candidate is not None else {}
    arm = arm.model_copy(update={setting: value for setting, value in chosen.items() if setting in _CHOSEN})
    left = [setting for setting in _CHOSEN if isinstance(getattr(arm, setting, None), tuple)]
    whom = _whom(spec, arm, chosen.get("checkpoint"))
    if left or whom is None:
        raise ConfigError(
            f"Arm {name!r} leaves {' and '.join(left) or 'the checkpoint'} open.",
            fix="Give development rows to choose on (`dev`), or one value.",
        )
    k: int = getattr(arm, "k", 0)
    match arm:
        case words.ZeroShot():
            return ZeroShot(name, **whom)
        case words.Prompt():
            return Prompt(name, str(arm.system), **whom)
        case words.FewShot():
            return FewShot(name, _needed(pool, name), k=k, choose=arm.choose, seed=spec.seed, **whom)
        case words.Retrieval():
            documents, search = _library(arm, pool, name)
            return Retrieval(name, documents, search, k=k, template=arm.template, **whom)


def _whom(spec: EvaluationSpec, arm: Any, checkpoint: int | None) -> dict[str, Any] | None:
    """Say whom an arm asks and how; None where the checkpoint is open."""
    model = spec.models[arm.model]
    several = isinstance(model.checkpoint, tuple)
    if several and checkpoint is None:
        return None
    if several:
        model = model.model_copy(update={"checkpoint": checkpoint})
    params = {**spec.params, **model.params, **arm.params}
    if refused := sorted(_REFUSED & params.keys()):
        raise ConfigError(
            f"Model {arm.model!r} cannot be asked with `params.{refused[0]}`.", fix="Take it out: each question has one whole answer."
        )
    who = model.model_dump(mode="json", include={"job", "checkpoint", "backend", "model", "base_url", "deploy"}, exclude_none=True)
    return {
        "model": f"{arm.model}@{checkpoint}" if several else arm.model,
        "target": json.dumps({"word": arm.model} | who, sort_keys=True),
        "params": params,
    }


def _needed(pool: Pool | None, name: str) -> Pool:
    if pool is None or not pool.examples:
        why = "`train` is not given" if pool is None else f"none is left. {pool.left_out}".rstrip()
        raise ConfigError(
            f"Arm {name!r} needs training rows, and {why}", fix="Give training rows that ask other things than the held-out ones."
        )
    return pool


def _library(arm: words.Retrieval, pool: Pool | None, name: str) -> tuple[list[str], Search]:
    """Give the texts of a retrieval arm, and what they are found by."""
    if arm.documents is not None:
        texts = _documents(arm.documents)
        return texts, Search(texts)
    pool = _needed(pool, name)
    pairs = [f"Question: {example.question}\nAnswer: {_told(example.case.reference, example.case.tool_calls)}" for example in pool.examples]
    return pairs, pool.search


def _told(reference: str | None, calls: tuple[dict[str, Any], ...]) -> str:
    return reference or json.dumps([call.get("function", call) for call in calls], ensure_ascii=False)


def _documents(path: Path) -> list[str]:
    if path.suffix.lower() in {".txt", ".md"}:
        try:
            found = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"The documents {path} cannot be read: {error}.", fix="Give UTF-8 text, one document a line.") from error
    else:
        found = [_text(path, line.number, line.problem, line.row) for line in read(path)]
    texts = [text for text in found if text]
    if not texts:
        raise DataError(f"{path.name} has no documents.", fix="Give rows with `text`, or a .txt file with one document a line.")
    return texts


def _text(path: Path, number: int, problem: str | None, row: dict[str, Any]) -> str:
    text = row.get("text")
    if problem or not isinstance(text, str):
        raise DataError(f"Row {number} of {path.name} is {problem or 'no document'}.", fix='Give rows like {"text": "…"}.')
    return text
