"""A real OpenAI-compatible server on loopback that answers without a model: what the memory backend deploys.

It echoes: the same request always gives the same answer. `python -m anytune.testing.engine STATE_FILE DEPLOYMENT_ID` serves one deployment
of a shared state file until its row says stop or its time is over.
"""

from __future__ import annotations

import hmac
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from anytune.testing.completions import as_text, completion, echo, sse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Engine", "echo"]

_BODY_LIMIT_BYTES = 8 * 2**20
_CHAT, _TEXT = "/v1/chat/completions", "/v1/completions"


class Engine:
    """A server in a thread of this process.

    Args:
        model: The name it serves.
        adapters: Further models that it serves, by the name that requests send.
        token: The bearer token it asks for; None asks for none.
        reply: Makes the answer's text from the model's name and the messages.
        script: What the first chat requests get instead of an answer, one each: an HTTP status (429 with `Retry-After: 0`), `html`, `cut`
            (half a JSON) or `drop` (the connection closes). `ok` lets one pass.
        ttl_s: Seconds after which it stops by itself; None: never.

    Example:
        >>> with Engine("m") as engine:
        ...     engine.base_url.startswith("http://127.0.0.1:")
        True
    """

    def __init__(
        self,
        model: str,
        *,
        adapters: Mapping[str, str] | None = None,
        token: str | None = None,
        reply: Callable[[str, list[dict[str, Any]]], str] = echo,
        script: Sequence[int | str] = (),
        ttl_s: float | None = None,
    ) -> None:
        """Bind a free port of loopback and start to answer."""
        self.model = model
        self.models = {model: model} | dict(adapters or {})
        self.token = token
        self.reply = reply
        self.requests: list[dict[str, Any]] = []
        self._closed = False
        self._script = list(script)
        self._lock = threading.Lock()
        self._server = _Server(self, None if ttl_s is None else time.monotonic() + ttl_s)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name=f"engine-{model}", daemon=True)
        self._thread.start()

    @property
    def base_url(self) -> str:
        """URL up to and including `/v1`."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def alive(self) -> bool:
        """Whether it still answers."""
        return self._thread.is_alive() and not self._closed

    def close(self) -> None:
        """Stop answering, also on connections that clients keep; the port is free when this returns."""
        self._closed = True
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.close()

    def misbehaviour(self, body: dict[str, Any]) -> int | str:
        """Note a chat request, and give what the script says about it."""
        with self._lock:
            self.requests.append(body)
            return self._script.pop(0) if self._script else "ok"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, engine: Engine, deadline: float | None) -> None:
        self.engine = engine
        self.deadline = deadline
        super().__init__(("127.0.0.1", 0), _Handler)

    def service_actions(self) -> None:
        if self.deadline is not None and time.monotonic() > self.deadline:
            self.deadline = None
            threading.Thread(target=self.shutdown, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing about a client that went away; anything else is shown."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_: object) -> None:
        """Stay quiet."""

    def handle_one_request(self) -> None:
        """Answer nobody any more once the engine is closed."""
        if self.server.engine.alive:
            super().handle_one_request()
        else:
            self.close_connection = True

    def do_GET(self) -> None:
        """Tell health and models."""
        if self.path in {"/health", "/v1/health"}:
            self._json(200, {"status": "ok"})
        elif not self._allowed():
            self._error(401, "Incorrect API key provided.")
        elif self.path == "/v1/models":
            cards = [{"id": name, "object": "model", "created": 0, "owned_by": "anytune"} for name in self.server.engine.models]
            self._json(200, {"object": "list", "data": cards})
        else:
            self._error(404, f"No such path: {self.path}.")

    def do_POST(self) -> None:
        """Chat, or go on with a text."""
        size = int(self.headers.get("Content-Length") or 0)
        if size > _BODY_LIMIT_BYTES:
            self.close_connection = True
            return self._error(413, "The body is too large.")
        raw = self.rfile.read(size)
        if not self.server.engine.alive:
            self.close_connection = True
            return None
        if not self._allowed():
            return self._error(401, "Incorrect API key provided.")
        if self.path not in {_CHAT, _TEXT}:
            return self._error(404, f"No such path: {self.path}.")
        return self._answer(raw)

    def _answer(self, raw: bytes) -> None:
        try:
            body = json.loads(raw)
        except ValueError:
            return self._error(400, "The body is not JSON.")
        if self.path == _TEXT and isinstance(body, dict):
            if not isinstance(body.get("prompt"), str):
                return self._error(400, "The body needs `prompt`, a text.")
            body["messages"] = [{"role": "user", "content": body["prompt"]}]
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return self._error(400, "The body needs `messages`.")
        if not isinstance(body.get("model"), str) or body["model"] not in self.server.engine.models:
            return self._error(404, f"The model {body.get('model')!r} does not exist.")
        return self._chat(body)

    def _chat(self, body: dict[str, Any]) -> None:
        match self.server.engine.misbehaviour(body):
            case int(status):
                self._error(status, f"Scripted status {status}.", {"Retry-After": "0"})
            case "html":
                self._send(200, b"<html>Bad gateway</html>", "text/html")
            case "cut":
                self._send(200, b'{"id": "chatcmpl-1", "choi', "application/json")
            case "drop":
                self.close_connection = True
            case _ if body.get("stream"):
                self._stream(body)
            case _:
                whole = self._completion(body)
                self._json(200, as_text(whole) if self.path == _TEXT else whole)

    def _stream(self, body: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for event in sse(self._completion(body), body, text=self.path == _TEXT):
            self.wfile.write(event)
            self.wfile.flush()

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        meant = self.server.engine.models[body["model"]]
        return completion(body["model"], body, lambda _, messages: self.server.engine.reply(meant, messages))

    def _allowed(self) -> bool:
        token = self.server.engine.token
        given = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        return token is None or hmac.compare_digest(given.encode(), token.encode())

    def _error(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self._json(status, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}, headers)

    def _json(self, status: int, value: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(value).encode(), "application/json", headers)

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def serve(path: Path, deployment_id: str) -> None:
    """Serve one deployment of a shared state file until its row is stopped, removed or out of time."""
    from anytune.testing.store import Store, named  # noqa: PLC0415 - only for a process of its own

    store = Store(path)
    with store.change() as state:
        row = state.deployments[deployment_id]
        engine = Engine(row.model.id, adapters=named(row.adapters), token=row.token, ttl_s=row.ttl_s)
        row.base_url = engine.base_url
    with engine:
        while engine.alive:
            time.sleep(0.1)
            held = store.read().deployments.get(deployment_id)
            if held is None or held.state not in {"starting", "ready"}:
                return


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2])
