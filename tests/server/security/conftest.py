"""Attackers' means: raw requests, every route that there is, and a real PostgreSQL beside SQLite."""

from __future__ import annotations

import contextlib
import glob
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
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


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL of the tests' own; gives its URL without a database."""
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) or [shutil.which("initdb")]
    if found[-1] is None:
        pytest.skip("PostgreSQL is not installed")
    tools = Path(found[-1]).parent
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user and shutil.which("runuser") is None:
        pytest.skip("PostgreSQL does not run as root")
    folder = Path(tempfile.mkdtemp(prefix="anytune-pg-"))
    word, port = secrets.token_hex(16), _free_port()
    (folder / "password").write_text(word)
    if as_user:
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres")
    data, log = folder / "data", folder / "log"
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    make = [
        tools / "initdb",
        "-D",
        data,
        "-U",
        "owner",
        "-A",
        "scram-sha-256",
        f"--pwfile={folder / 'password'}",
        "-E",
        "UTF8",
        "--locale=C",
    ]
    try:
        subprocess.run([*as_user, *make], check=True, capture_output=True, cwd="/", timeout=60)
        subprocess.run(
            [*as_user, tools / "pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start"],
            check=True,
            capture_output=True,
            cwd="/",
            timeout=60,
        )
        yield f"postgresql://owner:{word}@127.0.0.1:{port}"
    finally:
        with contextlib.suppress(subprocess.SubprocessError):
            subprocess.run(
                [*as_user, tools / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"],
                capture_output=True,
                cwd="/",
                timeout=30,
                check=False,
            )
        shutil.rmtree(folder, ignore_errors=True)


def _free_port():
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return bound.getsockname()[1]


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, state, monkeypatch):
    """Let the ledger be in either database."""
    monkeypatch.delenv("ANYTUNE_LEDGER", raising=False)
    if request.param == "sqlite":
        yield "sqlite"
        return
    url, name = request.getfixturevalue("postgres"), f"t{secrets.token_hex(8)}"
    admin = create_engine(f"{url.replace('postgresql', 'postgresql+psycopg')}/postgres", isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    monkeypatch.setenv("ANYTUNE_LEDGER", f"{url}/{name}")
    yield "postgresql"
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


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
