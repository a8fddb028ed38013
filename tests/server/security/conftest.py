"""Attackers' means: raw requests, every route that there is, and a listener that nobody may call."""

from __future__ import annotations

import contextlib
import secrets
import socket

import pytest
from tests.server import raw

ROW = b'{"messages": [{"role": "user", "content": "Is it done?"}, {"role": "assistant", "content": "Yes."}]}\n'


def ask(server, method, path, headers=(), body=b"", *, key=None, host=None):
    """Send these headers and the body's length; `key=False` for none, the admin's where none is given."""
    given, more = {name.lower() for name, _ in headers}, []
    if key is not False and "authorization" not in given:
        more.append(("Authorization", f"Bearer {key or server.key}"))
    if body and not {"content-length", "transfer-encoding"} & given:
        more.append(("Content-Length", str(len(body))))
    return raw.ask(server.root, method, path, [*more, *headers], body, host=host)


def routes(app):
    """Give every route: method, path with `x` in its place holders, template, and the route itself."""
    found = []
    for route in app.routes:
        for one in route.effective_route_contexts() if hasattr(route, "effective_route_contexts") else [route]:
            for method in sorted(one.methods):
                path = "/".join("x" if "{" in part else part for part in one.path.split("/"))
                found.append((method, path, one.path, getattr(one, "original_route", route)))
    return found


@pytest.fixture
def send():
    return ask


@pytest.fixture
def every_route():
    return routes


class Canary:
    """A listener that nobody may call."""

    def __init__(self, listener):
        self._listener = listener
        self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def called(self):
        """Whether somebody connected; the kernel knows at once."""
        with contextlib.suppress(BlockingIOError):
            self._listener.accept()[0].close()
            return True
        return False


@pytest.fixture
def canary():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield Canary(listener)


@pytest.fixture
def upload(send):
    """Send a file: `upload(server)` gives its id."""

    def sent(server, *, key=None, content=ROW, filename="rows.jsonl"):
        edge = secrets.token_hex(8)
        head = f'--{edge}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nfine-tune\r\n--{edge}\r\n'
        head += f'Content-Disposition: form-data; name="file"; filename="{filename}"\r\nContent-Type: application/jsonl\r\n\r\n'
        body = head.encode() + content + f"\r\n--{edge}--\r\n".encode()
        answer = send(server, "POST", "/v1/files", [("Content-Type", f"multipart/form-data; boundary={edge}")], body, key=key)
        assert answer.status == 200, answer.body
        return answer.json["id"]

    return sent
