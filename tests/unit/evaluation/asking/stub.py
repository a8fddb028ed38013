"""A host on loopback that speaks OpenAI's protocol, keeps its limits, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Said = tuple[int, dict[str, Any] | bytes, dict[str, str]]


class Limit:
    """A bucket of requests that fills evenly, as OpenAI describes its own."""

    def __init__(self, per_minute: float, size: float = 1.0) -> None:
        self.each_s, self.size, self.left, self.at = 60.0 / per_minute, size, size, time.monotonic()
        self.lock = threading.Lock()

    def take(self) -> tuple[bool, dict[str, str]]:
        with self.lock:
            now = time.monotonic()
            self.left = min(self.size, self.left + (now - self.at) / self.each_s)
            self.at = now
            taken = self.left >= 1.0
            self.left -= taken
            headers = {
                "x-ratelimit-limit-requests": f"{self.size:g}",
                "x-ratelimit-remaining-requests": str(int(self.left)),
                "x-ratelimit-reset-requests": f"{(self.size - self.left) * self.each_s * 1000:.0f}ms",
            }
            return taken, headers if taken else headers | {"retry-after": f"{(1.0 - self.left) * self.each_s:.3f}"}


class Host(ThreadingHTTPServer):
    """Answers `echo: <last message>` unless `behave` says otherwise; `asked` holds every body, `refused` counts 429s."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, behave: Callable[[int, dict[str, Any]], Said | None] | None = None, limit: Limit | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behave, self.limit = behave, limit
        self.asked: list[dict[str, Any]] = []
        self.times: list[float] = []
        self.refused = 0
        self.latency_s = 0.0
        self.lock = threading.Lock()
        self.base_url = f"http://127.0.0.1:{self.server_port}/v1"

    def answer(self, body: dict[str, Any]) -> Said:
        with self.lock:
            number = len(self.asked)
            self.asked.append(body)
            self.times.append(time.monotonic())
        headers: dict[str, str] = {}
        if self.limit is not None:
            taken, headers = self.limit.take()
            if not taken:
                self.refused += 1
                return refusal(429, "slow down", headers)
        if self.latency_s:
            time.sleep(self.latency_s)
        said = self.behave(number, body) if self.behave else None
        return said or (200, completion(body), headers)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed closes its connections."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Host

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        status, said, headers = self.server.answer(body)
        raw = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        for name, value in ({"content-type": "application/json", "content-length": str(len(raw))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def completion(body: dict[str, Any], text: str | None = None) -> dict[str, Any]:
    words = text if text is not None else f"echo: {body['messages'][-1]['content']}"
    prompt = sum(len(str(message.get("content"))) // 4 for message in body["messages"])
    usage = {"prompt_tokens": prompt, "completion_tokens": len(words) // 4, "total_tokens": prompt + len(words) // 4}
    message = {"role": "assistant", "content": words}
    return {
        "id": "c", "object": "chat.completion", "created": 1, "model": body["model"], "usage": usage,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
    }  # fmt: skip


def refusal(status: int, message: str, headers: dict[str, str] | None = None, code: str | None = None) -> Said:
    return status, {"error": {"message": message, "type": code or "error", "code": code}}, headers or {}


@contextmanager
def serving(behave: Callable[[int, dict[str, Any]], Said | None] | None = None, limit: Limit | None = None) -> Iterator[Host]:
    with Host(behave, limit) as host:
        thread = threading.Thread(target=host.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield host
        finally:
            host.shutdown()
            thread.join()
