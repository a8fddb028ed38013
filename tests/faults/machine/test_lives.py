"""Whatever happens to jobs, in whatever order: never two that are paid, none that is lost, no end that is forgotten (G1 to G6, G8, G10)."""

from __future__ import annotations

import os
import random
import shutil
import time

import pytest
from tests.faults.machine.figures import live
from tests.faults.machine.lives import counted, figures

FULL = os.environ.get("FULL", "") not in {"", "0"}
EXAMPLES, STEPS = (2000, 50) if FULL else (60, 30)


@pytest.mark.slow
@pytest.mark.timeout(7200 if FULL else 300)
def test_no_order_of_events_pays_twice_or_loses_a_job(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ANYTUNE_HOME", str(tmp_path / "home"))
    machine, drawn = counted(tmp_path), int(os.environ.get("SEED") or random.randrange(1_000_000))
    began = time.monotonic()
    try:
        live(machine, drawn, EXAMPLES, STEPS)
    finally:
        shutil.rmtree(machine.room, ignore_errors=True)
        with capsys.disabled():
            print(f"\nSEED={drawn} {figures(machine)}\n{time.monotonic() - began:.0f} s")
