"""What Jobs, Spaces and Inference Endpoints stand on: who may order, the threads that look after machines, and logs as streams."""

from __future__ import annotations

import itertools
import json
import secrets
import select
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

from anytune.testing.simulators.hub.errors import Refused
from anytune.testing.simulators.hub.repos import RepoRoutes
from anytune.testing.simulators.hub.store import iso
from anytune.testing.simulators.service import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from werkzeug.wrappers import Request

    from anytune.testing.simulators.hub.access import Account
    from anytune.testing.simulators.hub.machines import Log

__all__ = ["CloudRoutes", "Declined", "demand", "new_id"]

_KEEP_ALIVE_S = 30.0
"""As the client's comments have it (`fetch_job_logs`, huggingface_hub 2.4.0)."""

_LOOK_S = 0.3
"""A stream looks this often whether anybody still listens."""

_JOIN_S = 20.0


class Declined(Refused):
    """A request is refused in words of its own, which are this simulator's."""

    def __init__(self, status: int, message: str) -> None:
        """Take status and words."""
        Exception.__init__(self, message)
        self.reply = Reply({"error": message}, status, {"X-Error-Message": message})


class CloudRoutes(RepoRoutes):
    """What runs on the Hub's machines.

    Args:
        credit: Whether the account can pay: without, hardware that costs is refused with 402.
        settings: As for the parts below.

    Attributes:
        log_cuts: After how many lines the next streams of logs end, one each, though what they tell of goes on: the client's comments
            say that this happens.
    """

    def __init__(self, *, credit: bool = True, **settings: Any) -> None:
        """Run nothing yet."""
        self.credit = credit
        self.log_cuts: list[int] = []
        self.closing = threading.Event()
        self._carers: list[threading.Thread] = []
        self._endings: list[Callable[[], None]] = []
        super().__init__(**settings)

    def ordering(self, request: Request, namespace: str, *, usd_per_hour: float) -> Account:
        """Give the account that orders a machine.

        Raises:
            Refused: It may not order for that namespace, or cannot pay.
        """
        account = self.acting_for(request, namespace)
        if usd_per_hour and not self.credit:
            raise Refused("payment_required", owner=namespace)
        return account

    def watching(self, request: Request, namespace: str) -> None:
        """Let those pass who may see what a namespace runs.

        Raises:
            Refused: It is somebody else's.
        """
        account = self.signed_in(request)
        if namespace not in {account.user, *account.orgs}:
            raise Refused("forbidden")

    def owner_shape(self, namespace: str) -> dict[str, Any]:
        """Write who owns something."""
        kind = "user" if any(account.user == namespace for account in self.tokens.values()) else "org"
        return {"id": f"{kind}-{namespace}", "name": namespace, "type": kind}

    def look_after(self, what: str, care: Callable[[], None], *endings: Callable[[], None]) -> None:
        """Run `care` in a thread of its own; `endings` are called when the simulator closes, whatever has become of it by then."""
        with self.lock:
            if self.closing.is_set():
                return
            self._carers = [each for each in self._carers if each.is_alive()]
            thread = threading.Thread(target=care, name=what, daemon=True)
            self._carers.append(thread)
            self._endings += endings
            thread.start()

    def close(self) -> None:
        """Stop answering, and end everything that runs; no process, port or thread is left when this returns."""
        with self.lock:
            self.closing.set()
        super().close()
        for end in self._endings:
            end()
        for thread in self._carers:
            thread.join(_JOIN_S)

    def stream(self, request: Request, log: Log, *, tail: int | None = None) -> Reply:
        """Give a log as server-sent events, until it is closed: what there is at once, what comes as it comes."""
        start = 0 if tail is None else max(0, len(log.lines) - tail)
        connection: socket.socket = request.environ["werkzeug.socket"]
        events = _events(log, start, connection)
        cut = self.log_cuts.pop(0) + 1 if self.log_cuts else None
        return Reply(itertools.islice(events, cut), headers={"Content-Type": "text/event-stream"})


def _events(log: Log, start: int, connection: socket.socket) -> Iterator[bytes]:
    yield b""  # the headers go out now, as from a server that has nothing to say yet
    spoke = time.monotonic()
    for line in log.follow(start, _LOOK_S):
        if line is not None:
            yield f"data: {json.dumps({'data': line.text, 'timestamp': iso(line.at_s)})}\n\n".encode()
        elif _hung_up(connection):
            return
        elif time.monotonic() - spoke > _KEEP_ALIVE_S:
            yield b": keep-alive\n\n"
        else:
            continue
        spoke = time.monotonic()


def _hung_up(connection: socket.socket) -> bool:
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and not connection.recv(1, socket.MSG_PEEK)
    except (OSError, ValueError):
        return True


def demand(value: bool, reason: str) -> None:  # noqa: FBT001 - reads as a sentence
    """Refuse a request unless something is true.

    Raises:
        Refused: With 400, for this reason.
    """
    if not value:
        raise Refused("bad_request", reason=reason)


def new_id(at_s: float) -> str:
    """Make an id of 24 hex digits that begins with the time, as the Hub's do."""
    return f"{int(at_s) & 0xFFFFFFFF:08x}{secrets.token_hex(8)}"
