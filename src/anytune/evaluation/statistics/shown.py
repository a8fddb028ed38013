"""What a method shows of the differences between two arms: the part of a comparison that depends on the method."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Asked", "Shown"]


@dataclass(frozen=True)
class Asked:
    """What a method is asked for.

    Attributes:
        margin: How much worse still counts as no worse; None where that is not asked.
        alpha: The interval has the level 1 - alpha.
        power: With which the smallest gain is found.
        seed: Of resampling.
    """

    margin: float | None = None
    alpha: float = 0.05
    power: float = 0.8
    seed: int = 0

    @property
    def level(self) -> float:
        """The level of the interval."""
        return 1 - self.alpha


@dataclass(frozen=True)
class Shown:
    """What a method found. Fields as in `Comparison`."""

    low: float
    high: float
    p_value: float | None
    p_non_inferior: float | None
    test: str
    interval: str
    smallest_gain: float | None
