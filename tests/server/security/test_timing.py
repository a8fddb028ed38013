"""How long a wrong key takes tells nothing about the right one."""

from __future__ import annotations

import asyncio
import secrets
import statistics
import time
from datetime import UTC, datetime

import pytest

from anytune.server.book import Book
from anytune.server.book.keys import digest
from anytune.server.book.rows import KeyRow
from anytune.server.config import Limits
from anytune.server.errors import ApiError
from anytune.server.guard.heads import Head
from anytune.server.guard.keyring import Keyring

ROUNDS = 400


def head(key):
    return Head(
        hosts=[], origin=False, bearers=[b"Bearer " + key.encode()], keys=[], media_type=b"", encoded=False, length=None, chunked=False
    )


async def spent(keyring, heads):
    """Give the median seconds of each head's refusal, measured in turns so that a busy machine slows all alike."""
    seconds = [[] for _ in heads]
    for _ in range(ROUNDS):
        for place, one in enumerate(heads):
            begun = time.perf_counter()
            with pytest.raises(ApiError, match="not in force"):
                await keyring.known(one)
            seconds[place].append(time.perf_counter() - begun)
    return [statistics.median(times) for times in seconds]


def test_a_nearly_right_key_takes_as_long_as_a_wrong_one(ledger):
    right = "sk-" + secrets.token_urlsafe(32)
    held = KeyRow(id="ANYTUNE_API_KEY", owner="admin", digest=digest(right), admin=True, created_at=datetime.now(UTC))
    near = [right[:-1] + ("A" if right[-1] != "A" else "B"), "x" + right[1:], "sk-" + secrets.token_urlsafe(32)]
    found = asyncio.run(spent(Keyring(Book(ledger.database), Limits(), held), [head(key) for key in near]))
    assert max(found) - min(found) < 20e-6, found


def test_a_known_form_is_looked_up_once_and_then_as_fast_as_any(ledger):
    book = Book(ledger.database)
    _, right = book.keys.add("alice")
    near = [right[:-1] + ("A" if right[-1] != "A" else "B"), "sk-anytune-" + secrets.token_urlsafe(32)]
    found = asyncio.run(spent(Keyring(book, Limits(), None), [head(key) for key in near]))
    assert max(found) - min(found) < 20e-6, found
