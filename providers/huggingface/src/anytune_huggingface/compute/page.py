"""The page that a Space has to serve in order to count as running: a line that says what runs there, and nothing else."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["APP_PORT", "serve"]

APP_PORT = 7860
"""Where a Docker Space answers unless its README says otherwise."""


class _Page(BaseHTTPRequestHandler):
    server_version = "anytune"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer."""
        body = b"anytune trains a model here.\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep requests out of the log."""


def serve(port: int) -> ThreadingHTTPServer:
    """Answer on a port of all interfaces, as the Space's own proxy asks from outside of the container."""
    server = ThreadingHTTPServer(("0.0.0.0", port), _Page)  # noqa: S104 - the container's own network
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="page", daemon=True).start()
    return server
