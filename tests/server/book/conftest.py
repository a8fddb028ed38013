"""A book whose clock a test moves."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from anytune.server.book import Book


@pytest.fixture
def time():
    return SimpleNamespace(now=datetime(2026, 11, 23, 1, tzinfo=UTC))


@pytest.fixture
def book(ledger, time):
    return Book(ledger.database, clock=lambda: time.now)
