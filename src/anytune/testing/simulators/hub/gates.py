"""The address of a simulated Inference Endpoint: a port of loopback that looks at the token and passes the request on to an engine."""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Gate", "Way"]

_PIECE_BYTES = 65536
_ENGINE_TIMEOUT_S = 600.0
_WAKING, _LOOK_S = 503, 0.05
_NOT_PASSED_ON = {"authorization", "connection", "host", "keep-alive", "transfer-encoding", "accept-encoding"}
_NOT_PASSED_BACK = {"connection", "keep-alive", "transfer-encoding", "date", "server"}


class Way(NamedTuple):
    """Where a request goes: on to an engine's `port`, or back with a status and a reason."""

    port: int = 0
    status: int = 0
    reason: str = ""


class Gate:
    """A server in a thread of this process.

    Args:
        way: Asked for each request, with the token that it shows (empty: none).
    """

    def __init__(self, way: Callable[[str], Way]) -> None:
        """Bind a free port of loopback and start to answer."""
        self._server = _Server(way)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="endpoint-gate", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        """Stop answering; the port is free when this returns. May be called again."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, way: Callable[[str], Way]) -> None:
        self.way = way
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about somebody who went away; anything else is shown."""
        if not isinstance(sys.exception(), (ConnectionError, http.client.HTTPException)):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Stay quiet."""

    def do_GET(self) -> None:
        """Pass it on."""
        self._pass_on()

    def do_POST(self) -> None:
        """Pass it on."""
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        scheme, _, token = (self.headers.get("Authorization") or "").partition(" ")
        shown = token.strip() if scheme.lower() == "bearer" else ""
        way = self.server.way(shown)
        held_until = time.monotonic() + float(self.headers.get("X-Scale-Up-Timeout") or 0)
        while way.status == _WAKING and time.monotonic() < held_until:
            time.sleep(_LOOK_S)
            way = self.server.way(shown)
        self.close_connection = True  # no thread waits for a next request when the gate closes
        if way.status:
            return self._refuse(way.status, way.reason)
        engine = http.client.HTTPConnection("127.0.0.1", way.port, timeout=_ENGINE_TIMEOUT_S)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _NOT_PASSED_ON}
            engine.request(self.command, self.path, body or None, headers | {"Connection": "close"})
            reply = engine.getresponse()
        except (OSError, http.client.HTTPException):
            engine.close()
            return self._refuse(502, "Bad Gateway")
        try:
            self._pass_back(reply)
        finally:
            reply.close()
            engine.close()
        return None

    def _pass_back(self, reply: http.client.HTTPResponse) -> None:
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in _NOT_PASSED_BACK:
                self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        while piece := reply.read1(_PIECE_BYTES):
            self.wfile.write(piece)
            self.wfile.flush()

    def _refuse(self, status: int, reason: str) -> None:
        body = json.dumps({"error": reason}).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
