"""Names that load when they are first used (PEP 562), so that importing a package costs next to nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["loader"]


def loader(package: str, homes: Mapping[str, str]) -> Callable[[str], Any]:
    """Give the `__getattr__` of a package.

    Args:
        package: Its `__name__`.
        homes: Public names, each with the module that defines it.

    Example:
        >>> load = loader("anytune", {"Status": "anytune.values"})
        >>> load("Status").RUNNING.value
        'running'
    """

    def load(name: str) -> Any:
        try:
            home = homes[name]
        except KeyError:
            raise AttributeError(f"module {package!r} has no attribute {name!r}") from None
        from importlib import import_module  # noqa: PLC0415 - only needed once a name is asked for

        value = getattr(import_module(home), name)
        setattr(sys.modules[package], name, value)
        return value

    return load
