"""Databases for all tests: a test that asks for `database` runs once on SQLite and once on PostgreSQL."""

from __future__ import annotations

import pytest
from tests.postgres import or_skip


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL for this run (for each of xdist's workers); where it is not installed, what asks for it is skipped."""
    with or_skip() as server:
        yield server


@pytest.fixture
def postgres_ledger(postgres):
    """The URL of a ledger on PostgreSQL: new, migrated and empty."""
    with postgres.ledger() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, monkeypatch):
    """Let the ledger be in either database, for this process and its children: a file in `ANYTUNE_HOME`, or a new PostgreSQL one."""
    monkeypatch.delenv("ANYTUNE_LEDGER", raising=False)
    if request.param == "postgresql":
        monkeypatch.setenv("ANYTUNE_LEDGER", request.getfixturevalue("postgres_ledger"))
    return request.param
