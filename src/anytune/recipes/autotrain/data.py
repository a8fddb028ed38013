"""Where AutoTrain's data lies: a folder with a file for each split, a single file, or a dataset of the Hub."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from anytune.codes import finding
from anytune.data.files import resolve
from anytune.data.files.shards import choose, found, join
from anytune.errors import ConfigError, DataError
from anytune.paths import home
from anytune.recipes.autotrain.columns import Columns, own

if TYPE_CHECKING:
    from anytune.recipes.autotrain.config import Config
    from anytune.values import Finding

__all__ = ["Files", "files"]

_ENDINGS = ("csv", "jsonl", "json", "parquet")
"""In AutoTrain's order: where `train.csv` and `train.jsonl` lie side by side, it takes the table."""
_DATASET = re.compile(r"[\w][\w.-]*(?:/[\w][\w.-]*)?")


class Files(NamedTuple):
    """The rows of a config, as a spec names them, and what to know about them."""

    train: Path
    validation: Path | None
    findings: tuple[Finding, ...]


def files(config: Config, columns: Columns) -> Files:
    """Find the splits, and have their rows as anytune's own.

    Raises:
        ConfigError: A split is named in a way that has no word here.
        DataError: There is no such data, or its columns are not what the config says.
    """
    train = _split(config, config["train_split"])
    said = [] if (done := _rows(train, columns)) == train else [_rewritten("train", done)]
    if config["valid_split"] is None:
        return Files(done, None, tuple(said))
    validation = _split(config, config["valid_split"])
    ready = _rows(validation, columns)
    said += [] if ready == validation else [_rewritten("validation", ready)]
    return Files(done, ready, tuple(said))


def _rows(path: Path, columns: Columns) -> Path:
    if str(path).startswith("hf:"):
        if columns.usual:
            return path
        return own(resolve(str(path)), columns)
    return own(path, columns)


def _rewritten(role: str, path: Path) -> Finding:
    return finding("rewritten", f"The {role} rows were written as anytune's own into {path}.", "Translate again when the data changes.")


def _split(config: Config, split: str) -> Path:
    if "[" in split or "+" in split:
        raise ConfigError(f"The split {split!r} is a part or a sum of splits.", fix="Name one split; `anytune data split` cuts files.")
    where = config["data_path"]
    place = _local(config, where)
    if place is None:
        if not _DATASET.fullmatch(where) or Path(where).suffix.lstrip(".") in _ENDINGS:
            raise DataError(f"There is no data at {where}.", fix="Check `data.path`; AutoTrain takes it relative to the working folder.")
        return Path(f"hf:{where}:{split.replace(':', '/')}")
    if place.is_file():
        if config["valid_split"] is not None:
            raise ConfigError(
                f"{where} is one file and holds one split.", fix="Give its folder as `data.path`, or leave `valid_split` null."
            )
        return place
    named = (place / f"{split}.{ending}" for ending in _ENDINGS)
    return next((file for file in named if file.is_file()), None) or _sorted(place, split)


def _local(config: Config, where: str) -> Path | None:
    """Give what lies there, seen from the working folder as AutoTrain does, else from the config's own."""
    path = Path(where).expanduser()
    places = [path, *([config.folder / path] if config.folder is not None else [])]
    return next((place.resolve() for place in places if place.exists()), None)


def _sorted(folder: Path, split: str) -> Path:
    """Take the split as `datasets.load_dataset(folder, split=…)` finds it: by the names of files and folders."""
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    paths = [folder / name for name in choose(found(names), split.replace(":", "/"), str(folder))]
    if len(paths) == 1:
        return paths[0]
    marks = [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]
    target = home() / "datasets" / f"{hashlib.sha256(chr(10).join(marks).encode()).hexdigest()[:32]}.jsonl"
    join(paths, target)
    return target
