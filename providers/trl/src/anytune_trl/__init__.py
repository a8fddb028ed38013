"""The backend that trains and serves open models on this machine. Importing it loads no torch: that happens in the children."""

from __future__ import annotations

from anytune_trl.backend import TRLBackend

__all__ = ["TRLBackend"]
