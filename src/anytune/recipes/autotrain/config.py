"""A config as AutoTrain's own flat words, whether it came from a YAML or from a command line, with every value of its type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from anytune.errors import ConfigError
from anytune.recipes.autotrain.words import BACKENDS, PARAMS, TASKS
from anytune.settings import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["Config", "backend_word", "trainer_of", "unknown", "value"]

_NOTHING = frozenset({"", "none", "null"})


@dataclass(frozen=True)
class Config:
    """What somebody asked AutoTrain for.

    Attributes:
        given: The words that were said, with their values; `PARAMS` has the defaults of the others.
        backend: The backend, in our words.
        folder: Where else relative paths may begin, beside the working folder: the config's own.
        clear_token: Whether a token stood there in clear. It was not read.
    """

    given: Mapping[str, Any]
    backend: str = "autotrain"
    folder: Path | None = None
    clear_token: bool = False

    def __getitem__(self, name: str) -> Any:
        """Give a word's value: what was said, or AutoTrain's default."""
        return self.given[name] if name in self.given else PARAMS[name].default


def value(name: str, raw: Any, where: str = "") -> Any:
    """Give a word's value in its type; `1e-4` is a number, whatever YAML says.

    Raises:
        ConfigError: It has another type.
    """
    word, shown = PARAMS[name], where or name
    if word.empty and (raw is None or (isinstance(raw, str) and raw.strip().lower() in _NOTHING)):
        return None
    if name == "block_size":
        raw = _single(raw, shown)
    try:
        return TypeAdapter(word.kind).validate_python(raw)
    except ValidationError as error:
        said = error.errors(include_url=False)[0]["msg"]
        raise ConfigError(f"`{shown}` is {raw!r}: {said}.", fix=f"AutoTrain's default is {word.default!r}.") from None


def unknown(name: str, known: Iterable[str], where: str) -> ConfigError:
    """Say that AutoTrain has no such word, and which one is nearest."""
    guess = nearest(name, sorted(known))
    fix = f"Did you mean `{guess}`?" if guess else "docs/how-to/autotrain.md lists the words."
    return ConfigError(f"AutoTrain has no `{name}` in {where}.", fix=fix)


def trainer_of(task: object) -> str:
    """Give the trainer of a task.

    Raises:
        ConfigError: The task is none for language models.
    """
    if isinstance(task, str) and task in TASKS:
        return TASKS[task]
    if not isinstance(task, str):
        raise ConfigError("The config names no `task`.", fix="Add one: llm-sft, llm-dpo, llm-orpo, llm-reward or llm-generic.")
    guess = nearest(task, list(TASKS))
    fix = f"Did you mean `{guess}`?" if guess else f"Known: {', '.join(sorted(TASKS))}. Run other tasks with AutoTrain itself."
    raise ConfigError(f"Task {task!r} trains no language model; only those are taken.", fix=fix)


def backend_word(said: object) -> str:
    """Give our word for AutoTrain's backend; our own words are taken as they are.

    Raises:
        ConfigError: It is no word, or a place that is not supported.

    Example:
        >>> backend_word("spaces-t4-small"), backend_word("local-cli"), backend_word("trl")
        ('autotrain@spaces:t4-small', 'autotrain', 'trl')
    """
    if said is None:
        return "autotrain"
    if not isinstance(said, str) or not said:
        raise ConfigError(f"`backend` is {said!r}.", fix="Say local, or spaces-t4-small, for instance.")
    if said in {"local", "local-cli", "local-ui"}:
        return "autotrain"
    if said.startswith("spaces-"):
        return f"autotrain@spaces:{said.removeprefix('spaces-')}"
    for begin, instead in BACKENDS.items():
        if said.startswith(begin):
            raise ConfigError(f"AutoTrain's backend {said!r} is not supported.", fix=instead)
    return said


def _single(raw: Any, shown: str) -> Any:
    sizes = [part.strip() for part in raw.split(",")] if isinstance(raw, str) else raw
    if not isinstance(sizes, list):
        return raw
    if len(sizes) != 1:
        raise ConfigError(f"`{shown}` is a list; AutoTrain 0.8.36 itself fails on one.", fix="Give one number.")
    return sizes[0]
