"""How a scenario says which abilities it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.backend import Ability

__all__ = ["needed", "needs"]

_Test = TypeVar("_Test", bound="Callable[..., object]")


def needs(*abilities: Ability) -> Callable[[_Test], _Test]:
    """Let a scenario run only where all of these are declared; where one is not, scenario B33 checks that it is refused."""

    def mark(test: _Test) -> _Test:
        test.__dict__["needs"] = abilities
        return test

    return mark


def needed(test: object) -> tuple[Ability, ...]:
    """Give what `needs` said about a scenario."""
    found: tuple[Ability, ...] = getattr(test, "needs", ())
    return found
