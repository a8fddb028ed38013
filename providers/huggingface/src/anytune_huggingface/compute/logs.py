"""The logs of Jobs and Spaces, as far as they go at a moment."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from anytune.errors import redact
from anytune_huggingface.compute.lines import MARK
from anytune_huggingface.hub.errors import asking

if TYPE_CHECKING:
    from anytune_huggingface.hub.client import Hub

__all__ = ["Logs", "last_words"]

_KEPT = 8
_READ_S = 20.0
_LAST_LINES = 12


class Logs:
    """Reads logs; one that was read a moment ago is not asked for again.

    `HfApi.fetch_job_logs` waits five seconds at the end of the log of a running job (huggingface_hub 2.4.0), and each look at a job wants
    its progress, events and metrics.

    Args:
        hub: The account.
        quiet_s: Seconds of silence after which a log is taken as read: the Hub does not say where it ends for now.
        tail: Lines that are asked for; what is older stands in the record.
    """

    def __init__(self, hub: Hub, *, quiet_s: float, tail: int = 5000) -> None:
        """Have read nothing."""
        self._hub, self._quiet_s, self._tail = hub, max(quiet_s, 0.1), tail
        self._read: OrderedDict[str, tuple[float, list[str]]] = OrderedDict()

    def lines(self, path: str, *, ended: bool = False) -> list[str]:
        """Give the lines that there are.

        Args:
            path: Path of the log on the Hub.
            ended: It cannot grow any more.

        Raises:
            AnytuneError: The Hub could not be asked, or broke a log off that has an end.
        """
        key = f"{path}{'#' if ended else ''}"
        at, found = self._read.get(key, (0.0, []))
        if at and (ended or time.monotonic() - at < 2 * self._quiet_s):
            return found
        found = self._ask(path, ended=ended)
        self._read[key] = time.monotonic(), found
        while len(self._read) > _KEPT:
            self._read.popitem(last=False)
        return found

    def _ask(self, path: str, *, ended: bool) -> list[str]:
        import httpx2  # noqa: PLC0415 - loaded with the library
        from huggingface_hub import get_session  # noqa: PLC0415 - takes half a second to load
        from huggingface_hub.utils._headers import build_hf_headers  # noqa: PLC0415 - the same
        from huggingface_hub.utils._http import hf_raise_for_status  # noqa: PLC0415 - the same

        found: list[str] = []
        api = self._hub.api
        headers = build_hf_headers(token=self._hub.bearer)
        timeout = httpx2.Timeout(_READ_S, read=_READ_S if ended else self._quiet_s)
        with asking("the log"):
            try:
                with get_session().stream(
                    "GET", f"{api.endpoint}{path}", headers=headers, params={"tail": self._tail}, timeout=timeout
                ) as response:
                    if response.status_code >= 400:  # noqa: PLR2004 - HTTP's own classes
                        response.read()
                    hf_raise_for_status(response)
                    for line in response.iter_lines():
                        if line.startswith("data: "):
                            found.append(_text(line))  # noqa: PERF401 - what came before a silence is kept
            except (httpx2.ReadTimeout, httpx2.RemoteProtocolError):
                if ended:  # it is kept for good, and what the record does not hold yet stands at its end
                    raise
                return found  # silent for now, or broken off: what came is true
        return found


def last_words(log: list[str]) -> str:
    """Give the last lines that are no records, for an error."""
    told = [redact(line) for line in log if line.strip() and not line.startswith((MARK, "====="))]
    return "\n".join(told[-_LAST_LINES:])


def _text(line: str) -> str:
    found = json.loads(line.removeprefix("data: "))
    return str(found.get("data", "")).rstrip("\r\n") if isinstance(found, dict) else ""
