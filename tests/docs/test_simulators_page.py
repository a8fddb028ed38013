"""The page about simulators names all that can be asked for by name."""

from __future__ import annotations

from pathlib import Path

from anytune.testing.simulators.errors import ERRORS, JOB_ERRORS
from anytune.testing.simulators.faults import Kind, WireFaults

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "simulators.md").read_text(encoding="utf-8")


def test_it_names_every_error_and_every_reason_of_a_failed_job():
    assert [name for name in (*ERRORS, *JOB_ERRORS) if f"`{name}`" not in PAGE] == []


def test_it_names_every_fault_and_every_lasting_condition():
    assert [kind for kind in Kind.__args__ if f"| `{kind}` |" not in PAGE] == []
    assert [name for name in WireFaults.model_fields.keys() - {"calls"} if f"`{name}`" not in PAGE] == []
