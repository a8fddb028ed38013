"""What a job loses on its way from one place to another, by the rules that preflight goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from anytune.methods import Method
from anytune.portability.rows import ROWS, taken
from anytune.preflight.losses import lost
from anytune.spec import Adapter, TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.backend import Ability, Capabilities
    from anytune.settings import Settings

__all__ = ["ADAPTERS", "METHODS", "Move", "move"]

METHODS: dict[str, type[Settings]] = {cls.model_fields["type"].default: cls for cls in get_args(get_args(Method)[0])}
"""The methods of a spec by their words."""
ADAPTERS: dict[str, type[Settings]] = {cls.model_fields["type"].default: cls for cls in get_args(get_args(Adapter)[0])}
"""The adapters of a spec by their words."""

_SET = 1
"""What stands for the value of a setting: which ones are lost depends on their names alone."""


class Move(NamedTuple):
    """What is lost between two places; everything is sorted.

    Attributes:
        methods: Methods that the new place does not offer.
        adapters: Types of adapters that it does not offer.
        settings: Dotted names that it has no word for.
        rows: Kinds of rows that it does not learn from, or not as they stand.
        abilities: What it cannot do beside the musts.
    """

    methods: tuple[str, ...]
    adapters: tuple[str, ...]
    settings: tuple[str, ...]
    rows: tuple[str, ...]
    abilities: tuple[Ability, ...]

    @property
    def size(self) -> int:
        """How many things are lost."""
        return sum(len(part) for part in self)


def move(old: Capabilities, new: Capabilities) -> Move:
    """Hold everything that can be said at one place against another.

    Example:
        >>> from anytune.backend import Capabilities
        >>> one = Capabilities(methods=frozenset({"sft", "dpo"}), settings=frozenset({"seed", "beta"}), tag="key", settle_s=0)
        >>> two = Capabilities(methods=frozenset({"sft"}), settings=frozenset({"seed"}), tag="key", settle_s=0)
        >>> move(one, two).methods, move(one, two).settings
        (('dpo',), ('beta',))
    """
    methods, adapters, settings = set(), set(), set()
    for spec in _specs(old):
        missing = lost(spec, new)
        methods |= {missing.method} if missing.method else set()
        adapters |= {missing.adapter} if missing.adapter else set()
        settings |= set(missing.settings)
    return Move(
        tuple(sorted(methods)),
        tuple(sorted(adapters)),
        tuple(sorted(settings)),
        tuple(kind for kind, row in ROWS.items() if (was := taken(row, old)) is not None and _worse(was, taken(row, new))),
        tuple(sorted(old.abilities - new.abilities)),
    )


def _worse(was: tuple[str, ...], becomes: tuple[str, ...] | None) -> bool:
    return becomes is None or bool(set(becomes) - set(was))


def _specs(able: Capabilities) -> Iterator[TrainingSpec]:
    """Give a spec for each method with each adapter, in which everything is set that the place has a word for."""
    options: dict[str, dict[str, Any]] = {}
    for name in able.settings:
        room, _, rest = name.partition(".")
        if room == "options":
            backend, _, word = rest.partition(".")
            options.setdefault(backend, {})[word] = _SET
    words = {name.removeprefix("adapter.") for name in able.settings if name.startswith("adapter.")}
    adapters = [_filled(ADAPTERS[word], words) for word in sorted(able.adapters & ADAPTERS.keys())]
    for word in sorted(able.methods & METHODS.keys()):
        for adapter in adapters or (None,):
            parts: dict[str, Any] = {"method": _filled(METHODS[word], able.settings), "adapter": adapter}
            yield TrainingSpec.model_construct(options=options, **parts)


def _filled(cls: type[Settings], names: frozenset[str] | set[str]) -> Settings:
    values = {name: _SET for name in cls.model_fields if name in names and name != "type"}
    return cls.model_construct(_fields_set={*values, "type"}, **values)
