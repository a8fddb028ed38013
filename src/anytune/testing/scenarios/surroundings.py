"""B63: what it says of its surroundings."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from anytune.values import Finding

if TYPE_CHECKING:
    from anytune.testing.kit import BackendKit

_QUICK_S = 1.0
_LOOKS = 3


class Surroundings:
    """diagnose."""

    def test_b63_diagnose_reads_only_and_at_once(self, kit: BackendKit) -> None:
        """B63: `diagnose` gives findings within a second, creates nothing, and shows no secret.

        The best of three looks counts. `anytune doctor` asks every backend that is set up.
        """
        before = kit.jobs() if kit.jobs else 0
        took, found = zip(*(_timed(kit) for _ in range(_LOOKS)), strict=True)
        said: list[object] = [*found[-1]]
        assert [one for one in said if not isinstance(one, Finding)] == []
        assert not [one.code for one in found[-1] if one.severity == "error" and not one.fix], "An error says what to do."
        assert not [secret for secret in kit.secrets if secret in repr(said)], "A secret is in a finding."
        assert (kit.jobs() if kit.jobs else 0) == before
        assert min(took) < _QUICK_S


def _timed(kit: BackendKit) -> tuple[float, list[Finding]]:
    start = time.monotonic()
    found = kit.backend.diagnose()
    return time.monotonic() - start, found
