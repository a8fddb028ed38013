"""Faults by chance: which request meets which, a seed decides, whatever the order in which processes come."""

from __future__ import annotations

import random

from anytune.testing import WireFault, WireFaults

CREATE = "POST /fine_tuning/jobs"

_CREATE = (
    (0.10, WireFault(kind="drop_reply", on=CREATE)),
    (0.04, WireFault(kind="drop", on=CREATE)),
    (0.04, WireFault(kind="error", on=CREATE, status=503)),
    (0.04, WireFault(kind="truncated", on=CREATE)),
    (0.03, WireFault(kind="refuse", on=CREATE, name="rate_limit")),
)
_ANY = (
    (0.02, WireFault(kind="error", on="*", status=500)),
    (0.02, WireFault(kind="drop_reply", on="*")),
    (0.01, WireFault(kind="refuse", on="*", name="rate_limit")),
)
_LATE = 0.05


class Chances(WireFaults):
    """Lost replies (10 % of creates), 5xx, late commits, 429s; conditions that last are given as in `WireFaults`.

    Attributes:
        seed: Decides.
        late_s: How late a late commit takes effect.
    """

    seed: int = 0
    late_s: float = 0.1

    def of(self, route: str, nth: int) -> WireFault | None:
        """Draw for the `nth` request of a route."""
        drawn = random.Random(f"{self.seed} {route} {nth}").random()
        late = [(_LATE, WireFault(kind="late_commit", on=CREATE, delay_s=self.late_s))] if self.late_s else []
        for share, fault in [*_CREATE, *late] if route == CREATE else _ANY:
            if drawn < share:
                return fault
            drawn -= share
        return None
