"""The drift check: what tuning may have cost in general abilities and refusals. It finds some losses; it proves no safety."""

from __future__ import annotations

from anytune.evaluation.drift.check import checked, judged
from anytune.evaluation.drift.probes import Probe, probes

__all__ = ["Probe", "checked", "judged", "probes"]
