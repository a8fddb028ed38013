"""The backend that trains with AutoTrain, in an environment of AutoTrain's own. Importing it loads no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.lazy import loader

if TYPE_CHECKING:
    from anytune_autotrain.backend import AutoTrainBackend

__all__ = ["AutoTrainBackend"]

# Lazy, so that `python -m anytune_autotrain.environment` is not loaded twice.
__getattr__ = loader(__name__, {"AutoTrainBackend": "anytune_autotrain.backend"})
