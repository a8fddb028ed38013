"""All that can be known before spending: what is wrong, what the target has no word for, and what it will take. Reads only."""

from __future__ import annotations

from anytune.preflight.files import describe
from anytune.preflight.join import preflight
from anytune.preflight.losses import losses
from anytune.preflight.result import Preflight
from anytune.preflight.target import check_data

__all__ = ["Preflight", "check_data", "describe", "losses", "preflight"]
