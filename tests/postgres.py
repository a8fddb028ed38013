"""A PostgreSQL of the tests' own: made, started, stopped and started again as a test wants it."""

from __future__ import annotations

import contextlib
import glob
import importlib.util
import os
import random
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from anytune.ledger import Ledger

_WAIT_S = 60

_GUARD = """
import os, pathlib, shutil, signal, sys
sys.stdin.buffer.read()
folder = pathlib.Path(sys.argv[1])
try:
    os.kill(int((folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
except (OSError, ValueError):
    pass
shutil.rmtree(folder, ignore_errors=True)
"""
"""Ends a server whose tests were killed: its stdin closes with them."""


class Missing(Exception):
    """There is no PostgreSQL to be started here."""


class PostgreSQL:
    """One server with a folder of its own, on loopback, for a block.

    It does not sync to disk, which only the machine's own power loss would show: a stop, even an immediate one, loses no commit.

    Attributes:
        root: Its URL, without a database.
    """

    def __init__(self):
        self._tools, self._as_user = _installed()
        self._word, self._port = secrets.token_hex(16), _free_port()
        self.root = f"postgresql://owner:{self._word}@127.0.0.1:{self._port}"
        self._template = False

    def __enter__(self):
        self._folder = Path(tempfile.mkdtemp(prefix="anytune-pg-"))
        self._password = self._folder / "password"
        self._password.write_text(self._word)
        if self._as_user:
            for path in (self._folder, self._password):
                shutil.chown(path, "postgres")
        self._guard = subprocess.Popen([sys.executable, "-c", _GUARD, self._folder], stdin=subprocess.PIPE, start_new_session=True)
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._folder,
            "fsync": "off",
            "max_connections": 200,
            "shared_buffers": "32MB",
        }
        self._options = " ".join([f"-p {self._port}", *(f"-c {name}={value}" for name, value in settings.items())])
        try:
            access = ["-U", "owner", "-A", "scram-sha-256", f"--pwfile={self._password}"]
            self._run("initdb", *access, "-E", "UTF8", "--locale=C", "--no-sync")
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_error):
        with contextlib.suppress(subprocess.SubprocessError):
            self.stop("immediate")
        self._guard.communicate()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self):
        """Start, and wait until it lets clients in."""
        self._run("pg_ctl", "-l", self._folder / "log", "-o", self._options, "-w", "-t", str(_WAIT_S), "start")

    def stop(self, mode="fast"):
        """Stop: `fast` breaks off what runs and says so, `immediate` is a crash."""
        self._run("pg_ctl", "-m", mode, "-w", "-t", str(_WAIT_S), "stop")

    def execute(self, statement, *, database="postgres"):
        """Run one statement on its own, and give its rows, if it has any."""
        import psycopg

        with psycopg.connect(f"{self.root}/{database}", autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    @contextlib.contextmanager
    def empty(self):
        """Give the URL of a new database with nothing in it, for a block."""
        name = f"t{secrets.token_hex(8)}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{self.root}/{name}"
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextlib.contextmanager
    def ledger(self):
        """Give the URL of a new, empty ledger, for a block: a copy of one that was migrated once, which takes 30 ms."""
        if not self._template:
            self.execute("CREATE DATABASE template_ledger")
            Ledger.open(f"{self.root}/template_ledger").close()
            self._template = True
        name = f"t{secrets.token_hex(8)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template_ledger")
        try:
            self.execute("UPDATE anytune_facts SET value = gen_random_uuid()::text WHERE key = 'uuid'", database=name)
            yield f"{self.root}/{name}"
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, tool, *arguments):
        command = [*self._as_user, self._tools / tool, "-D", self._folder / "data", *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/", timeout=2 * _WAIT_S)


def or_skip():
    """Give a server that is not started yet, or skip the test where there is no PostgreSQL."""
    try:
        return PostgreSQL()
    except Missing as reason:
        pytest.skip(str(reason))


def _installed():
    if importlib.util.find_spec("psycopg") is None:
        raise Missing("psycopg is not installed")
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb")) or [shutil.which("initdb")]
    if found[-1] is None:
        raise Missing("PostgreSQL is not installed")
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    if as_user and shutil.which("runuser") is None:
        raise Missing("PostgreSQL does not run as root")
    return Path(found[-1]).parent, as_user


def _free_port():
    """Give a port below those that the system lends: while the server is down nobody else takes it."""
    deadline = time.monotonic() + _WAIT_S
    while time.monotonic() < deadline:
        port = random.SystemRandom().randrange(20_000, 30_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")
