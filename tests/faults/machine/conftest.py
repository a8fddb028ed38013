"""A world of a test's own, with a process on each of two hosts."""

from __future__ import annotations

import pytest
from tests.faults.machine.lives import template
from tests.faults.machine.world import World


@pytest.fixture(scope="session")
def empty_ledger(tmp_path_factory):
    return template(tmp_path_factory.mktemp("template"))


@pytest.fixture
def world(tmp_path, empty_ledger, monkeypatch):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    made = World(tmp_path, empty_ledger)
    yield made
    made.close()


@pytest.fixture
def one(world):
    return world.process("here")


@pytest.fixture
def other(world):
    return world.process("there")
