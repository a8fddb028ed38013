"""Starting the agent where none runs."""

from __future__ import annotations

import os
import subprocess
import sys

from anytune.errors import AnytuneError
from anytune.local import locks
from anytune.local.folder import local_home
from anytune.local.task import DEFAULT_ENV

__all__ = ["ensure_agent"]

_SETTINGS = ("ANYTUNE_SLOTS", "ANYTUNE_AGENT_IDLE_S")
_START_S = 60.0
"""An interpreter and the agent's imports take 0.3 s here (2026-11-22); a busy machine takes longer."""


def ensure_agent() -> None:
    """Start the agent, unless one runs. Any number of callers start one.

    The agent gets no key of the caller: its environment has `DEFAULT_ENV` and its own settings, `ANYTUNE_SLOTS` and
    `ANYTUNE_AGENT_IDLE_S`, only.

    Raises:
        AnytuneError: It could not be started; the text has what it printed.
    """
    folder = local_home()
    if locks.held(folder / "agent.lock"):
        return
    turn = locks.wait_for(folder / "start.lock", _START_S)  # for good manners only: the agent's own lock is what counts
    try:
        if not locks.held(folder / "agent.lock"):
            _start()
    finally:
        if turn is not None:
            os.close(turn)


def _start() -> None:
    """Run the launcher: it forks the agent, and ends once that one holds its lock, so that the agent is nobody's child."""
    folder = local_home()
    environment = {name: os.environ[name] for name in (*DEFAULT_ENV, *_SETTINGS) if name in os.environ}
    environment["ANYTUNE_HOME"] = str(folder.parent)
    said = folder / "agent.start"
    with os.fdopen(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as output:
        command = [sys.executable, "-P", "-m", "anytune.local", "--detach"]
        launcher = subprocess.Popen(
            command, env=environment, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        try:
            code = launcher.wait(_START_S)
        except subprocess.TimeoutExpired:
            launcher.kill()
            launcher.wait()
            code = -1
    if code != 0 and not locks.held(folder / "agent.lock"):
        text = said.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise AnytuneError(
            f"The local agent did not start: {text[-1] if text else f'exit code {code}'}.", fix=f"See {said} and {folder / 'agent.log'}."
        )
