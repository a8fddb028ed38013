"""Starting the agent where none runs."""

from __future__ import annotations

import os

from anytune.local import detached
from anytune.local.folder import local_home
from anytune.local.task import DEFAULT_ENV

__all__ = ["ensure_agent"]

_SETTINGS = ("ANYTUNE_SLOTS", "ANYTUNE_AGENT_IDLE_S")


def ensure_agent() -> None:
    """Start the agent, unless one runs. Any number of callers start one.

    The agent gets no key of the caller: its environment has `DEFAULT_ENV` and its own settings, `ANYTUNE_SLOTS` and
    `ANYTUNE_AGENT_IDLE_S`, only.

    Raises:
        AnytuneError: It could not be started; the text has what it printed.
    """
    folder = local_home()
    environment = {name: os.environ[name] for name in (*DEFAULT_ENV, *_SETTINGS) if name in os.environ}
    detached.ensure(
        "The local agent",
        "anytune.local",
        lock=folder / "agent.lock",
        said=folder / "agent.start",
        log=folder / "agent.log",
        environment=environment | {"ANYTUNE_HOME": str(folder.parent)},
        cwd="/",
    )
