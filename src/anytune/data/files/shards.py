"""Which files of a dataset hold a split, and several of them as one."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from anytune.data.files.containers import plain_suffix
from anytune.data.files.reading import lines
from anytune.data.files.writing import write
from anytune.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Splits", "choose", "declared", "found", "join"]

Splits = dict[str, dict[str, list[str]]]
"""Files by configuration, then by split."""

_SUFFIXES = (".jsonl", ".ndjson", ".parquet", ".json", ".csv", ".tsv")
_NOT_ROWS = frozenset({
    "config.json", "dataset_dict.json", "dataset_info.json", "dataset_infos.json", "metadata.json", "package.json", "state.json",
})  # fmt: skip
_WORDS = {
    "train": "train", "training": "train",
    "validation": "validation", "valid": "validation", "val": "validation", "dev": "validation",
    "test": "test", "testing": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
_SHARD = re.compile(r"^(?P<split>.+?)-\d{4,}-of-\d{4,}$")


def found(names: Sequence[str]) -> Splits:
    """Sort a dataset's data files by what their folders and names say; anything else, scripts above all, is passed over.

    Example:
        >>> found(["data/train-00000-of-00001.parquet", "load.py"])
        {'default': {'train': ['data/train-00000-of-00001.parquet']}}
    """
    splits: Splits = {}
    for name in sorted(filter(_holds_rows, names)):
        *folders, file = PurePosixPath(name).parts
        stem = file.lower().partition(".")[0]
        shard = _SHARD.match(stem)
        split = shard["split"] if shard else _word(stem) or next(filter(None, map(_word, reversed(folders))), "train")
        config = "/".join(folder for folder in folders if folder != "data" and _word(folder) is None and folder != split)
        splits.setdefault(config or "default", {}).setdefault(split, []).append(name)
    return splits


def declared(card: Mapping[str, Any], names: Sequence[str]) -> Splits:
    """Read what a dataset's card says about its files (`configs`); empty if it says nothing."""
    splits: Splits = {}
    configs = card.get("configs")
    for config in configs if isinstance(configs, list) else ():
        if not isinstance(config, dict):
            continue
        named = str(config.get("config_name", "default"))
        for split, pattern in _patterns(config.get("data_files")):
            files = [name for name in sorted(names) if _holds_rows(name) and fnmatch.fnmatchcase(name, pattern)]
            if files:
                splits.setdefault(named, {}).setdefault(split, []).extend(files)
    return splits


def choose(splits: Splits, wanted: str, where: str) -> list[str]:
    """Give the files of one split.

    Args:
        splits: All there are.
        wanted: `split`, `config/split`, or nothing: then the training split of the default or only configuration.
        where: The dataset's name, for errors.

    Raises:
        DataError: There is none, or it cannot be told which is meant.
    """
    if not splits:
        raise DataError(
            f"{where} holds no data files: JSONL, JSON, CSV, TSV or Parquet. Loading scripts are never run.",
            fix="Look for a Parquet copy that the Hub made: hf:OWNER/NAME@refs/convert/parquet",
        )
    config, _, split = wanted.rpartition("/")
    if not config and split in splits and not any(split in inner for inner in splits.values()):
        config, split = split, ""
    if not config:
        config = "default" if "default" in splits else next(iter(splits)) if len(splits) == 1 else ""
    inner = splits.get(config)
    if inner is None:
        said = f"no configuration {config!r}" if config else "several configurations"
        raise DataError(f"{where} has {said}; it has {_listed(splits)}.", fix="Name one: hf:OWNER/NAME:CONFIG/SPLIT")
    if not split:
        split = "train" if "train" in inner else next(iter(inner)) if len(inner) == 1 else ""
    if split not in inner:
        said = f"no split {split!r}" if split else "several splits"
        raise DataError(f"{where} ({config}) has {said}; it has {_listed(inner)}.", fix="Name one: hf:OWNER/NAME:SPLIT")
    return _one_form(inner[split])


def join(paths: Sequence[Path], target: Path) -> None:
    """Write the rows of several files into one JSONL file, in order; nothing is done if it is there already.

    Raises:
        DataError: A file cannot be read, or a row of one is broken.
    """
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    write(_rows(paths), target)


def _rows(paths: Sequence[Path]) -> Iterator[dict[str, Any]]:
    for path in paths:
        for line in lines(path):
            if line.problem:
                raise DataError(f"Row {line.number} of {path.name} is {line.problem}.", fix=line.fix)
            yield line.row


def _holds_rows(name: str) -> bool:
    path = PurePosixPath(name)
    hidden = any(part.startswith((".", "_")) for part in path.parts)
    return plain_suffix(path.name) in _SUFFIXES and path.name not in _NOT_ROWS and not hidden


def _word(text: str) -> str | None:
    return next((_WORDS[part] for part in re.split(r"[^a-z]+", text.lower()) if part in _WORDS), None)


def _patterns(files: Any) -> Iterator[tuple[str, str]]:
    """Read `data_files` in its forms: a pattern, several, or a list of splits with their patterns."""
    for entry in files if isinstance(files, list) else [files]:
        if isinstance(entry, str):
            yield "train", entry
        elif isinstance(entry, dict):
            paths = entry.get("path")
            for path in paths if isinstance(paths, list) else [paths]:
                if isinstance(path, str):
                    yield str(entry.get("split", "train")), path


def _one_form(names: list[str]) -> list[str]:
    """Keep one kind of file: the same rows often lie there twice, as JSONL and as Parquet."""
    counts = Counter(plain_suffix(name) for name in names)
    most = max(counts, key=lambda suffix: (counts[suffix], -_SUFFIXES.index(suffix)))
    return [name for name in names if plain_suffix(name) == most]


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names))
