"""The rows of a spec as AutoTrain finds them: a folder with `train.jsonl`, or a dataset of the Hub, and the names of the columns."""

from __future__ import annotations

import hashlib
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.codes import finding
from anytune.data.files import container_of, describe, lines, resolve
from anytune.data.formats import convert
from anytune.data.formats.canonical import fits
from anytune.errors import DataError
from anytune.paths import home

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anytune.spec import TrainingSpec
    from anytune.values import Finding

__all__ = ["Data", "data_of"]

_HEAD_ROWS = 32
_HUB = re.compile(r"hf:(?P<repo>[^@:]+)(?:@(?P<revision>[^:]+))?(?::(?P<split>.+))?")
_PAIRS: Mapping[str, str] = {"prompt_text_column": "prompt", "text_column": "chosen", "rejected_text_column": "rejected"}
_FILES = {"train": "train", "validation": "validation"}


class Data(NamedTuple):
    """Where AutoTrain finds the rows.

    Attributes:
        path: A folder, or a dataset of the Hub.
        train_split: The split to learn from.
        valid_split: The split to validate on.
        chat: Whether cells hold messages.
        columns: What `column_mapping` says.
        findings: What was written or is lost.
    """

    path: str
    train_split: str
    valid_split: str | None
    chat: bool
    columns: Mapping[str, str]
    findings: tuple[Finding, ...]


def data_of(spec: TrainingSpec) -> Data:
    """Find the spec's rows for AutoTrain; rows that it could not read as they lie are written for it, once per content.

    Raises:
        DataError: They cannot be read, or AutoTrain would learn something else from them.
    """
    return _on_hub(spec) if str(spec.train).startswith("hf:") else _here(spec)


def _here(spec: TrainingSpec) -> Data:
    method = spec.method.type
    sources = {"train": resolve(spec.train)} | ({} if spec.validation is None else {"validation": resolve(spec.validation)})
    said = list(_dropped(spec))
    if _lie_right(sources, method):
        folder = sources["train"].resolve().parent
    else:
        folder, written = _written(sources, method)
        said += written
    chat, columns = _columns(_head(folder / "train.jsonl"), method)
    valid = "validation" if "validation" in sources else None
    return Data(str(folder), "train", valid, chat, columns, tuple(said))


def _on_hub(spec: TrainingSpec) -> Data:
    parts = _HUB.fullmatch(str(spec.train))
    if parts is None:
        raise DataError(f"{spec.train} names no dataset.", fix="Write hf:OWNER/NAME, then @REVISION and :SPLIT if needed.")
    said = list(_dropped(spec))
    if parts["revision"]:
        said.append(finding("lost", f"AutoTrain has no word for the revision of `train` ({parts['revision']}).", "It takes the newest."))
    valid = None if spec.validation is None else _HUB.fullmatch(str(spec.validation))
    same = valid is not None and valid["repo"] == parts["repo"]
    if spec.validation is not None and not same:
        said.append(finding("lost", "AutoTrain takes both splits from one dataset: `validation` is left out.", "Put them into one."))
    try:
        head = _head(resolve(str(spec.train)))
    except DataError as error:
        head = []
        said.append(finding("not-checked", f"The columns are a guess: {error.message}", "Correct `data.column_mapping`."))
    chat, columns = _columns(head, spec.method.type)
    split, validation = _split(parts["split"]), _split(valid["split"]) if same and valid is not None else None
    return Data(parts["repo"], split, validation, chat, columns, tuple(said))


def _split(said: str | None) -> str:
    return (said or "train").replace("/", ":")


def _lie_right(sources: Mapping[str, Path], method: str) -> bool:
    """Tell whether AutoTrain would find and read the files as they lie."""
    folder = sources["train"].resolve().parent
    if (folder / "train.csv").exists():  # AutoTrain takes a table before JSONL
        return False
    for role, path in sources.items():
        if path.resolve() != folder / f"{_FILES[role]}.jsonl" or container_of(path) != "jsonl":
            return False
        rows = _head(path)
        if not rows or not all(_read(row, method) for row in rows):
            return False
    return True


def _read(row: dict[str, Any], method: str) -> bool:
    """Tell whether AutoTrain reads such a row as anytune does."""
    if fits(row) != "anytune":
        return False
    if method in {"sft", "clm"}:
        return set(row) in ({"text"}, {"messages"})
    return set(row) == {"prompt", "chosen", "rejected"} and all(isinstance(side, str) for side in row.values())


def _written(sources: Mapping[str, Path], method: str) -> tuple[Path, list[Finding]]:
    marks = [f"{role} {describe(path, 'train').sha256}" for role, path in sorted(sources.items())]
    mark = hashlib.sha256("\n".join([method, *marks]).encode()).hexdigest()[:32]
    folder = home() / "datasets" / f"autotrain-{mark}"
    folder.mkdir(parents=True, exist_ok=True)
    said = [finding("rewritten", f"The rows were written as AutoTrain reads them into {folder}.", "Move the folder where you like.")]
    for role, path in sources.items():
        done = convert(path, folder / f"{_FILES[role]}.jsonl", to="autotrain", method=method)
        said += [each for each in (*done.findings, *done.losses) if each.severity != "info"]
    return folder, said


def _head(path: Path) -> list[dict[str, Any]]:
    return [line.row for line in islice(lines(path), _HEAD_ROWS) if not line.problem]


def _columns(head: list[dict[str, Any]], method: str) -> tuple[bool, Mapping[str, str]]:
    """Tell whether rows hold messages, and name the columns."""
    first = head[0] if head else {}
    if method in {"sft", "clm"}:
        text = "text" in first or (not head and method == "clm")
        return not text, {"text_column": "text" if text else "messages"}
    return isinstance(first.get("chosen"), list), _PAIRS


def _dropped(spec: TrainingSpec) -> list[Finding]:
    if spec.validation is None or str(spec.train).startswith("hf:"):
        return []
    return [finding("lost", "AutoTrain itself drops a local validation split.", "Put the dataset on the Hub, or train with anytune.")]
