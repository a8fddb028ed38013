"""The backend itself: what TRL is asked to train, looked at before it is ordered. Where it runs, `anytune_huggingface` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from anytune_huggingface.backend import ComputeBackend
from anytune_huggingface.compute.place import Program
from anytune_trl import defaults
from anytune_trl.plan import Plan, plan
from anytune_trl.probe import probe
from anytune_trl.settings import SETTINGS
from anytune_trl.shown import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from anytune.backend import Ability, LocalFile
    from anytune.spec import TrainingSpec
    from anytune.values import Quote, Rendered

__all__ = ["TRLBackend"]


class TRLBackend(ComputeBackend[Plan]):
    """Trains with TRL, on this machine or in the Hugging Face cloud; serves with transformers or vLLM, or on Inference Endpoints.

    Args:
        compute: Where: `local`, `hf_jobs:FLAVOR`, `spaces:FLAVOR`, or a mapping with `type` and the place's settings.

    Raises:
        ConfigError: There is no such place, or a setting of it is wrong.
    """

    name: ClassVar[str] = "trl"
    program = Program(
        backend="trl",
        module="anytune_trl.train",
        distributions=("anytune", "anytune-huggingface", "anytune-trl"),
        requirements=("accelerate", "datasets", "peft", "torch", "transformers", "trl"),
    )
    methods = frozenset({"sft", "dpo"})
    adapters = frozenset({"lora", "qlora", "full"})
    settings = SETTINGS
    abilities: ClassVar[frozenset[Ability]] = frozenset({"continue", "render"})
    abilities_here: ClassVar[frozenset[Ability]] = frozenset({"probe"})

    def resolved(self, spec: TrainingSpec) -> dict[str, Any]:
        """Give every setting as the trainer will take it."""
        return defaults.resolve(spec, self.compute.device).model_dump(mode="json")

    def render(self, spec: TrainingSpec, rows: Iterable[tuple[int, dict[str, Any]]], *, pieces: bool = True) -> Iterator[Rendered]:
        """Render rows as training does."""
        return render(spec, self.model(spec), rows, pieces=pieces)

    def probe(self, spec: TrainingSpec, data: Sequence[LocalFile]) -> Quote:
        """Train for three steps in a child, and keep nothing but the clock and the peak of its memory."""
        if not self.compute.place.local:
            return super().probe(spec, data)
        found = self.planned(spec, {file.role: file.path for file in data})
        return probe(spec, self.model(spec), data, found)

    def plan(self, spec: TrainingSpec, model: str, data: dict[str, Path]) -> Plan:
        """Look at a run: its model, its rows, and this machine where it computes here."""
        return plan(spec, model, data, device=self.compute.device, here=self.compute.place.local)
