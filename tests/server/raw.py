"""Requests as no client library would send them."""

from __future__ import annotations

import http.client
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable


class Answer(SimpleNamespace):
    """Status, lower-case headers and body."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]


def ask(root: str, method: str, path: str, headers: Iterable[tuple[str, str]] = (), body: Any = b"", *, host: Any = None) -> Answer:
    """Send exactly these headers; of `Host` the right one, unless some are given."""
    where = urlsplit(root)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=25)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for value in [where.netloc] if host is None else host:
            connection.putheader("Host", value)
        for name, value in headers:
            connection.putheader(name, value)
        connection.endheaders(body or None)
        got = connection.getresponse()
        return Answer(status=got.status, headers={name.lower(): value for name, value in got.getheaders()}, body=got.read())
    finally:
        connection.close()
