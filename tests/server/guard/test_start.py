"""What must hold before the server listens."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import uuid

import pytest

from anytune.errors import ConfigError, redact
from anytune.server.book import Book
from anytune.server.book.keys import digest
from anytune.server.config import ServeConfig
from anytune.server.guard.start import first_key, loopback, weakness

STRONG = "9f" + "1c7e04ab83d25f6690b1e2c87a4d3f51"


@pytest.fixture
def book(ledger):
    return Book(ledger.database)


def config(**settings):
    return ServeConfig(backend="memory", **settings)


def test_without_any_key_one_is_made_and_shown_once(book):
    first = first_key(book, config(), {})
    assert first.shown is not None
    row = book.keys.by_digest(digest(first.shown))
    assert (row.owner, row.admin) == ("admin", True)
    assert first_key(book, config(), {}).shown is None


def test_a_key_of_the_environment_is_in_force_and_not_kept(book):
    first = first_key(book, config(), {"ANYTUNE_API_KEY": STRONG})
    assert first.shown is None
    assert (first.held.owner, first.held.admin, first.held.digest) == ("admin", True, digest(STRONG))
    assert not book.keys.any()
    assert STRONG not in redact(f"the backend said {STRONG}")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.7", "box.example.org", ""])
def test_other_machines_are_not_served_without_a_key(book, host):
    with pytest.raises(ConfigError, match="no key yet") as refused:
        first_key(book, config(host=host), {})
    assert "keys add" in refused.value.fix
    assert not book.keys.any()


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_other_machines_are_served_with_a_strong_key(book, host):
    assert first_key(book, config(host=host), {"ANYTUNE_API_KEY": STRONG}).held is not None
    book.keys.add("alice")
    assert first_key(book, config(host=host), {}).shown is None


@pytest.mark.parametrize(
    "key",
    [
        "",
        "sk-1234",
        "x" * 64,
        "password" * 8,
        "sk-" + "1234567890" * 5,
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "changeme-changeme-changeme-changeme",
        "Xk3jP9qL" * 5,
        "sk-anytune-" + "x" * 43,
        "0123456789abcdef" * 4,
        "your-api-key-here-your-api-key-here-your",
        "sk-anytune-master-key-secret-token",
        STRONG[:31],
        STRONG + " ",
        STRONG + "\n",
        STRONG + "é",
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_weak_keys_are_refused_everywhere_and_not_shown(book, key, host):
    with pytest.raises(ConfigError, match="ANYTUNE_API_KEY is weak") as refused:
        first_key(book, config(host=host), {"ANYTUNE_API_KEY": key})
    assert not key or key not in f"{refused.value.message} {refused.value.fix}"


def test_random_keys_are_strong():
    makers = (
        lambda: secrets.token_hex(20),
        lambda: secrets.token_urlsafe(32),
        lambda: "sk-" + secrets.token_urlsafe(32),
        lambda: str(uuid.uuid4()),
    )
    assert [weakness(make()) for make in makers for _ in range(50)] == [None] * 200


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("127.9.9.9", True),
        ("0.0.0.0", False),
        ("::", False),
        ("2130706433", False),
        ("", False),
    ],
)
def test_the_loopback_is_known(host, expected):
    assert loopback(host) is expected


def test_a_start_that_finds_its_port_taken_makes_no_key_that_nobody_sees(tmp_path):
    def run(*words):
        command = (sys.executable, "-m", "anytune.cli", "serve", *words)
        return subprocess.run(
            command, env=os.environ | {"ANYTUNE_HOME": str(tmp_path)}, capture_output=True, text=True, timeout=60, check=False
        )

    with socket.create_server(("127.0.0.1", 0)) as taken:
        started = run("--backend", "memory", "--port", str(taken.getsockname()[1]))
    assert started.returncode == 2
    assert "Cannot listen" in started.stderr
    assert run("keys", "list", "--json").stdout.strip() == "[]"
