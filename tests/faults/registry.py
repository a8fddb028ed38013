"""Whose figures `make faults` prints. A room adds its module here: it has `figures(full)`, which gives rows or raises `Broken`."""

from __future__ import annotations

from typing import NamedTuple

MODULES = [
    "tests.faults.figures",
    "tests.faults.machine.figures",
    "tests.faults.postgres.outages",
]


class Figure(NamedTuple):
    """A row of the table.

    Attributes:
        what: What was done.
        reached: What came of it.
        seconds: How long it took.
        seed: What chance was drawn from, where there was any.
        sound: Whether the guarantees held.
    """

    what: str
    reached: str
    seconds: float
    seed: int | None = None
    sound: bool = True
