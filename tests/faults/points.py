"""Named failpoints: before and after each durable write, and before and after each send and each receive.

They attach from outside, through SQLAlchemy's events and an injected transport; production code does not know of them. A run that shall
crash exits hard at its n-th failpoint, as by `kill -9`.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx2
from sqlalchemy import Engine, Pool, event

from anytune.testing import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CRASHED = 9

_SENDING = {
    "send_request_headers.started": "before sending",
    "send_request_body.complete": "after sending",
    "receive_response_body.complete": "after receiving",
}
"""What httpcore's trace calls the three moments of a request; between the second and the third the request may or may not take effect."""


class Points:
    """Counts failpoints as they are passed.

    Args:
        at: The process exits hard at this one, from 1; None: at none.
        last_word: Called with the name of that one.
    """

    def __init__(self, at: int | None = None, last_word: Callable[[str], object] = str) -> None:
        self.at = at
        self._last_word = last_word
        self.passed: list[str] = []

    def __call__(self, name: str) -> None:
        self.passed.append(name)
        if len(self.passed) == self.at:
            self._last_word(name)
            os._exit(CRASHED)


def watch_ledger(points: Points) -> None:
    """Attach to every ledger that this process opens from now on: before each commit of a write, and after it."""

    def stated(_connection: Any, _cursor: Any, statement: str, *_: object) -> None:
        found = re.match(r"(INSERT INTO|UPDATE|DELETE FROM|CREATE TABLE) (\w+)", statement)
        if found:
            _connection.connection.info["wrote"] = f"{found[1].split()[0].lower()} {found[2]}"

    def committing(connection: Any) -> None:
        if what := connection.connection.info.get("wrote"):
            points(f"before commit: {what}")

    def given_back(_raw: Any, record: Any) -> None:
        if what := record.info.pop("wrote", None):
            points(f"after commit: {what}")

    event.listen(Engine, "before_cursor_execute", stated)
    event.listen(Engine, "commit", committing)
    event.listen(Pool, "checkin", given_back)


class Watched(httpx2.BaseTransport):
    """The real transport, with a failpoint at three moments of each request."""

    def __init__(self, points: Points) -> None:
        self._points = points
        self._inner = httpx2.HTTPTransport(verify=False)  # http on loopback: no certificates to load

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        route = f"{request.method} {shape(request.url.path)}"

        def trace(name: str, _info: object) -> None:
            for end, moment in _SENDING.items():
                if name.endswith(end):
                    self._points(f"{moment}: {route}")

        request.extensions = {**request.extensions, "trace": trace}
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


class WatchedMemory(MemoryBackend):
    """The memory backend with a failpoint before and after each call; its hosts answer at one door for all, so that none takes a process."""

    def __init__(self, points: Points, door: str, **options: Any) -> None:
        super().__init__(**options)
        self._points = points
        self._door = door

    @contextmanager
    def _call(self, verb: str) -> Iterator[Any]:
        self._points(f"before sending: {verb}")
        with super()._call(verb) as found:
            yield found
        self._points(f"after receiving: {verb}")

    def _new_row(self, row_id: str, order: Any) -> Any:
        row = super()._new_row(row_id, order)
        row.state, row.base_url = "ready", self._door
        return row

    def _stop(self, row: Any) -> None:
        row.base_url = ""
        super()._stop(row)


def shape(path: str) -> str:
    """Give a path without what differs from run to run.

    Example:
        >>> shape("/v1/fine_tuning/jobs/ftjob-AbC123XyZ0/events")
        '/v1/fine_tuning/jobs/…/events'
    """
    return "/".join("…" if re.search(r"\d", part) and len(part) > 4 else part for part in path.split("/"))
