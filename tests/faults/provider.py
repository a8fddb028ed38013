"""A simulated provider in a process of its own, so that what forks and dies beside it shares no thread with it."""

from __future__ import annotations

import os
import signal
import traceback
from multiprocessing import Pipe
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from multiprocessing.connection import Connection

    from anytune.testing.simulators.service import Service


class Provider:
    """Forks a process that holds one simulator at a time.

    Args:
        make: Makes a simulator.
        verbs: What may be asked of it: functions of the simulator, by name.
    """

    def __init__(self, make: Callable[..., Service], verbs: Mapping[str, Callable[..., Any]]) -> None:
        self._line, theirs = Pipe()
        self._pid = os.fork()
        if self._pid == 0:
            self._line.close()  # so that the end of whoever forked is seen
            try:
                _serve(theirs, make, verbs)
            finally:
                os._exit(0)
        theirs.close()

    def fresh(self, **settings: Any) -> Any:
        """Close the simulator and start another, which holds nothing; give what `told` says of it."""
        return self._ask("fresh", settings)

    def ask(self, verb: str, **settings: Any) -> Any:
        """Ask the simulator of now."""
        return self._ask(verb, settings)

    def close(self) -> None:
        """End the process."""
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._line.close()

    def _ask(self, verb: str, settings: dict[str, Any]) -> Any:
        self._line.send((verb, settings))
        worked, answer = self._line.recv()
        if not worked:
            raise RuntimeError(answer)
        return answer


def _serve(line: Connection, make: Callable[..., Service], verbs: Mapping[str, Callable[..., Any]]) -> None:
    held: Service | None = None
    while True:
        try:
            verb, settings = line.recv()
        except (EOFError, OSError):
            return
        try:
            if verb == "fresh":
                if held is not None:
                    held.close()
                held = make(**settings)
                verb, settings = "told", {}
            line.send((True, verbs[verb](held, **settings)))
        except Exception:  # noqa: BLE001 - whoever asked is told
            line.send((False, traceback.format_exc()))
