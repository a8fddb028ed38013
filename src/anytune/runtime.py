"""What a job or a deployment works with: the ledger, the retry layer and the clock. A seam for tests, made once otherwise."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from anytune import profiles
from anytune.retry import Retry

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.backend import Backend
    from anytune.ledger import Ledger

__all__ = ["Runtime", "runtime"]


@dataclass
class Runtime:
    """The surroundings of jobs and deployments.

    Attributes:
        ledger_url: A SQLAlchemy URL; None for `ANYTUNE_LEDGER` or the default.
        retry: The retry layer.
        clock: Gives monotonic seconds.
        sleep: Waits for seconds.
        backends: Backends that are set up already, by word; others are configured when they are first named.
    """

    ledger_url: str | None = field(default=None, repr=False)  # a database's has its password
    retry: Retry = field(default_factory=Retry)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Any] = time.sleep
    backends: dict[str, Backend] = field(default_factory=dict)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger, opened on first use."""
        from anytune.ledger import Ledger  # noqa: PLC0415 - SQLAlchemy is not needed to name a class

        return Ledger.open(self.ledger_url)

    def backend(self, word: str | Backend) -> Backend:
        """Give the backend of a word, the same instance every time.

        Raises:
            BackendMissing: Nothing of that name is installed.
            ConfigError: Its profile is wrong.
        """
        if not isinstance(word, str):
            self.backends[word.name] = word
            return word
        if word not in self.backends:
            self.backends[word] = profiles.configured(word)
        return self.backends[word]


_RUNTIMES: dict[tuple[str | None, str | None], Runtime] = {}


def runtime() -> Runtime:
    """Give the process's own runtime; another one after `ANYTUNE_HOME` or `ANYTUNE_LEDGER` changed."""
    key = (os.environ.get("ANYTUNE_HOME"), os.environ.get("ANYTUNE_LEDGER"))
    if key not in _RUNTIMES:
        _RUNTIMES[key] = Runtime()
    return _RUNTIMES[key]
