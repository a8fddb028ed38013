"""Another name of `anytune_huggingface.checkpoints`, until the trainers name that."""

from __future__ import annotations

from anytune_huggingface.checkpoints import MANIFEST, last_good, listed, metrics, problem, prune, seal, sha256, step

__all__ = ["MANIFEST", "last_good", "listed", "metrics", "problem", "prune", "seal", "sha256", "step"]
