"""The figures of this room: the state machine's lives, and processes that race for one name."""

from __future__ import annotations

import json
import logging
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.faults.machine.lives import counted
from tests.faults.registry import Figure
from tests.postgres import PostgreSQL

from anytune.testing import MemoryBackend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.machine.lives import Lives

RACE = Path(__file__).with_name("race.py")
RACERS = 50


def profile(examples: int, steps: int) -> settings:
    """Give Hypothesis's settings for so many lives of so many steps."""
    quiet = list(HealthCheck)
    return settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, database=None, print_blob=True, suppress_health_check=quiet
    )


def figures(full: bool) -> Iterator[Figure]:
    """Give the rows; `full` lives 2,000 lives of 50 steps."""
    drawn = int(os.environ.get("SEED") or random.randrange(1_000_000))
    with _home() as home:
        machine, began = counted(home), time.monotonic()
        logging.disable(logging.WARNING)  # second jobs that are cancelled are what it is about
        try:
            live(machine, drawn, *((2000, 50) if full else (60, 30)))
        finally:
            logging.disable(logging.NOTSET)
            shutil.rmtree(machine.room, ignore_errors=True)
        reached = f"{machine.examples} lives, {machine.steps} steps, {machine.happened['held']} held processes; no promise broken"
        yield Figure("state machine: all that may happen, in any order", reached, time.monotonic() - began, drawn)
    yield from races()


def live(machine: type[Lives], drawn: int, examples: int, steps: int) -> None:
    """Live so many lives; the seed tells them again."""
    run_state_machine_as_test(seed(drawn)(machine), settings=profile(examples, steps))


def races() -> Iterator[Figure]:
    """Let 50 processes create one name, on each database."""
    with _home() as home:
        yield _race(home, "SQLite", {})
    try:
        with PostgreSQL() as server, server.ledger() as url, _home() as home:
            yield _race(home, "PostgreSQL", {"ANYTUNE_LEDGER": url})
    except pytest.skip.Exception as error:
        yield Figure("the same on PostgreSQL", f"not run: {error}", 0.0)


def _race(home: Path, database: str, environment: dict[str, str]) -> Figure:
    train = home / "train.jsonl"
    train.write_text('{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\n', encoding="utf-8")
    state = home / "provider.json"
    slow = {"calls": [{"kind": "slow", "on": "submit", "delay_s": 0.5}, {"kind": "slow", "on": "upload", "delay_s": 0.3}]}
    given = {"count": RACERS, "deed": "create", "train": str(train), "state": str(state), "name": "recipes", "faults": slow}
    began = time.monotonic()
    done = subprocess.run([sys.executable, str(RACE), json.dumps(given)], capture_output=True, check=True, env=os.environ | environment)
    answers, calls = json.loads(done.stdout), MemoryBackend(state_file=state).calls
    same = len({answer.get("remote_id") for answer in answers})
    reached = f"{same} job, {calls['submit']} create, {calls['upload']} upload"
    sound = (len(answers), same, calls["submit"], calls["upload"]) == (RACERS, 1, 1, 1)
    return Figure(f"{RACERS} processes, one name, {database}", reached, time.monotonic() - began, sound=sound)


@contextmanager
def _home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="anytune-machine-") as folder, mock.patch.dict(os.environ, ANYTUNE_HOME=f"{folder}/home"):
        yield Path(folder)
