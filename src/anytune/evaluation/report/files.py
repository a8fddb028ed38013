"""Writing an evaluation where somebody wants it, by the ending of the name; reading the record back."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from anytune.errors import ConfigError
from anytune.evaluation.report.junit import junit
from anytune.evaluation.report.markdown import markdown
from anytune.evaluation.report.page import html
from anytune.evaluation.report.pictures import charts
from anytune.evaluation.values import Evaluation
from anytune.report import put

if TYPE_CHECKING:
    from pathlib import Path

    from anytune.values import Value

__all__ = ["plain", "read", "save", "writable"]

_VERSION = 1


def save(evaluation: Evaluation, path: Path) -> None:
    """Write it as `.html`, `.md`, `.json` (the record itself) or `.xml` (JUnit); a folder's name gets the charts as PNG.

    A file is whole or not there.

    Raises:
        ConfigError: The ending is another one, or it cannot be written.
    """
    writable(path)
    if not path.suffix:
        charts(evaluation, path)
        return
    text = {".html": html, ".md": markdown, ".xml": junit, ".json": _record}[path.suffix](evaluation)
    put(path, text)


def writable(path: Path) -> None:
    """Refuse a name that no report can be written under, before the work that it would tell of.

    Raises:
        ConfigError: The ending is none of those of `save`, or the folder is not there.
    """
    if path.suffix not in {".html", ".md", ".json", ".xml", ""}:
        fix = "Give the file one of these endings, or the name of a folder for the charts."
        raise ConfigError(f"A report is written as .html, .md, .json or .xml, not as {path.name!r}.", fix=fix)
    wrong = ""
    if not path.parent.is_dir():
        wrong = f"there is no folder {path.parent}"
    elif path.suffix and path.is_dir():
        wrong = "it is a folder"
    elif not path.suffix and path.is_file():
        wrong = "charts need a folder, and it is a file"
    if wrong:
        raise ConfigError(f"The report {path} cannot be written: {wrong}.", fix="Name a file in a folder that you may write to.")


def read(path: Path) -> Evaluation:
    """Read the record of an evaluation.

    Raises:
        ConfigError: It cannot be read, is no such record, or is one of a newer anytune.
    """
    fix = "Give the evaluation.json that `anytune evaluate` wrote."
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read the evaluation {path}: {error.strerror}.", fix="Check the path.") from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not JSON: {str(error).partition(chr(10))[0]}.", fix=fix) from error
    version = raw.get("version") if isinstance(raw, dict) else None
    if isinstance(version, int) and version > _VERSION:
        raise ConfigError(f"{path} is of a newer anytune (record version {version}).", fix="Upgrade anytune: `pip install -U anytune`.")
    try:
        return Evaluation.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{path} is no record of an evaluation: `{place}`: {first['msg']}.", fix=fix) from error


def plain(value: Value) -> Any:
    """Give a value as JSON has it; numbers that JSON has no word for as pydantic reads them back."""
    return _plain(value.model_dump(mode="json"))


def _record(evaluation: Evaluation) -> str:
    return json.dumps(plain(evaluation), ensure_ascii=True, allow_nan=False, indent=1) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
