"""Where a config comes from: a YAML file as for `autotrain --config`, or the arguments of `autotrain llm`."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError
from anytune.recipes.autotrain.config import Config, backend_word, trainer_of, unknown, value
from anytune.recipes.autotrain.words import PARAMS, TRAINERS
from anytune.settings import read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["FLAGS", "KEYS", "from_argv", "from_yaml"]

KEYS = {
    "": ("task", "base_model", "project_name", "log", "backend", "data", "params", "hub"),
    "data": ("path", "train_split", "valid_split", "chat_template", "column_mapping"),
    "hub": ("username", "token", "push_to_hub"),
}
"""The keys of a YAML by their section; `params` and `data.column_mapping` take the words of `PARAMS`."""

_VERBS = ("train", "deploy", "inference")
FLAGS = (*_VERBS, "backend", *PARAMS)
"""The flags of `autotrain llm`, with `_` for `-`; it takes either."""

_VARIABLE = re.compile(r"\$\{(\w+)\}")
_START = "Start with `task:`, `base_model:`, `project_name:` and `data:`; docs/how-to/autotrain.md has an example."


def from_yaml(path: Path) -> Config:
    """Read an AutoTrain YAML; a token in it is never read.

    Raises:
        ConfigError: It cannot be read, is for another task, or a key is wrong or unknown.
    """
    if str(path).startswith(("http:", "https:")):
        raise ConfigError("A config is read from a file, not from an address.", fix="Download it, and look at it first.")
    raw = read_yaml(path, what="the AutoTrain config", fix=_START)
    _known(raw, "")
    trainer = trainer_of(raw.get("task"))
    data, hub, params = (_section(raw, name) for name in ("data", "hub", "params"))
    _known(data, "data")
    _known(hub, "hub")
    columns = _section(data, "column_mapping", "data.")
    said: dict[str, tuple[str, Any]] = {"trainer": ("task", trainer)}
    for key, name in (("base_model", "model"), ("project_name", "project_name")):
        if raw.get(key) is None:
            raise ConfigError(f"{path} names no `{key}`.", fix=_START)
        said[name] = (key, raw[key])
    if data.get("path") is None:
        raise ConfigError(f"{path} names no `data.path`.", fix="Add a folder with train.jsonl, or a dataset of the Hub.")
    said |= {"log": ("log", raw["log"])} if raw.get("log") is not None else {}
    names = {"path": "data_path", "train_split": "train_split", "valid_split": "valid_split", "chat_template": "chat_template"}
    said |= {name: (f"data.{key}", data[key]) for key, name in names.items() if key in data}
    said |= {key: (f"hub.{key}", _variable(hub[key])) for key in ("username", "push_to_hub") if hub.get(key) is not None}
    for where, section in (("data.column_mapping", columns), ("params", params)):
        for name, each in section.items():
            if name not in PARAMS:
                raise unknown(name, PARAMS, f"`{where}`")
            said[name] = (f"{where}.{name}", each)
    clear = any(_clear(section.get("token")) for section in (hub, params, columns))
    given = {name: value(name, each, where) for name, (where, each) in said.items() if name != "token"}
    return Config(_checked(given), backend_word(raw.get("backend")), path.resolve().parent, clear)


def from_argv(arguments: Sequence[str]) -> Config:
    """Read the arguments of `autotrain llm`; a token among them is never read.

    Raises:
        ConfigError: A flag is wrong or unknown, or it asks for something else than training.
    """
    given: dict[str, Any] = {}
    rest = list(arguments)
    while rest:
        name, raw = _taken(rest)
        given[name] = raw
    for verb, instead in (("deploy", "`anytune deploy JOB` does."), ("inference", "`anytune chat JOB` does.")):
        if given.pop(verb, None):
            raise ConfigError(f"`autotrain llm --{verb}` was never made.", fix=instead)
    if not given.pop("train", None):
        raise ConfigError("Nothing is to be done.", fix="Give --train.")
    for name in ("model", "project_name", "data_path"):
        if name not in given:
            raise ConfigError(f"`--{name.replace('_', '-')}` is missing.", fix=f"Give --{name.replace('_', '-')}.")
    clear = _clear(given.pop("token", None))
    backend = backend_word(given.pop("backend", None))
    typed = {name: value(name, raw, f"--{name.replace('_', '-')}") for name, raw in given.items()}
    return Config(_checked(typed), backend, None, clear)


def _taken(rest: list[str]) -> tuple[str, Any]:
    """Take one flag, and its value where it has one, from the front of the arguments."""
    flag, sign, inline = rest.pop(0).partition("=")
    name = flag.removeprefix("--").replace("-", "_")
    if not flag.startswith("--") or name not in FLAGS:
        raise unknown(flag, [f"--{known.replace('_', '-')}" for known in FLAGS], "the flags of `autotrain llm`")
    if name in _VERBS or (name in PARAMS and PARAMS[name].kind is bool):
        if sign:
            raise ConfigError(f"`{flag}` takes no value.", fix="Leave the value out.")
        return name, True
    if sign:
        return name, inline
    if not rest:
        raise ConfigError(f"`{flag}` needs a value.", fix="Give one after it.")
    return name, rest.pop(0)


def _checked(given: dict[str, Any]) -> dict[str, Any]:
    trainer = given.get("trainer", PARAMS["trainer"].default)
    if trainer not in TRAINERS:
        raise ConfigError(f"AutoTrain has no trainer {trainer!r}.", fix=f"There are: {', '.join(TRAINERS)}.")
    return given


def _known(section: dict[str, Any], name: str) -> None:
    for key in section:
        if key not in KEYS[name]:
            raise unknown(key, KEYS[name], f"`{name}`" if name else "the config")


def _section(raw: dict[str, Any], name: str, above: str = "") -> dict[str, Any]:
    found = raw.get(name) or {}
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise ConfigError(f"`{above}{name}` holds no settings.", fix="Write names with values below it.")
    return found


def _variable(raw: Any) -> Any:
    """Give what `${NAME}` stands for, as AutoTrain does for the account's name."""
    found = _VARIABLE.fullmatch(raw) if isinstance(raw, str) else None
    return os.environ.get(found[1], "") if found else raw


def _clear(token: Any) -> bool:
    return bool(token) and not (isinstance(token, str) and token.startswith("$"))
