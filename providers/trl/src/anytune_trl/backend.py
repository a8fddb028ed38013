"""The backend itself: what TRL is asked to train, looked at before it is ordered. Where it runs, `anytune_huggingface` says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from anytune.codes import finding
from anytune.values import Quote
from anytune_huggingface.backend import ComputeBackend
from anytune_huggingface.compute import tasks
from anytune_huggingface.compute.place import Program
from anytune_trl import defaults
from anytune_trl.plan import Plan, plan
from anytune_trl.probe import probe
from anytune_trl.settings import SETTINGS
from anytune_trl.shown import render

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from anytune.backend import Ability, DataStats, LocalFile
    from anytune.spec import TrainingSpec
    from anytune.values import Finding, Rendered

__all__ = ["TRLBackend"]


class TRLBackend(ComputeBackend):
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

    def __init__(self, *, compute: str | Mapping[str, Any] = "local") -> None:
        """Choose where to compute; nothing is loaded, sent or started."""
        super().__init__(compute=compute)
        self._plans: dict[tuple[object, ...], Plan] = {}

    def check(self, spec: TrainingSpec, data: Sequence[LocalFile]) -> list[Finding]:
        """Resolve the model, render the rows, and look at the machine. Downloads of a Hub model's tokenizer may happen here."""
        offered = self.capabilities.methods
        if spec.method.type not in offered:
            message = f"{self.name} does not offer method {spec.method.type!r}."
            return [finding("method", message, f"It offers: {', '.join(sorted(offered))}.")]
        elsewhere = self.compute.check(spec, self._model(spec))
        return [*elsewhere, *self._plan(spec, {file.role: file.path for file in data}).findings]

    def quote(self, spec: TrainingSpec, stats: DataStats) -> Quote:  # noqa: ARG002 - it counts with the model's own tokenizer
        """Count tokens exactly; estimate minutes and memory, and say how."""
        data = {"train": spec.train} | ({"validation": spec.validation} if spec.validation else {})
        found = self._plan(spec, data).quote()
        return self.compute.quote(found) if found else Quote(basis="the rows or the model cannot be used")

    def resolved(self, spec: TrainingSpec) -> dict[str, Any]:
        """Give every setting as the trainer will take it."""
        return defaults.resolve(spec, self.compute.device).model_dump(mode="json")

    def render(self, spec: TrainingSpec, rows: Iterable[tuple[int, dict[str, Any]]], *, pieces: bool = True) -> Iterator[Rendered]:
        """Render rows as training does."""
        return render(spec, self._model(spec), rows, pieces=pieces)

    def probe(self, spec: TrainingSpec, data: Sequence[LocalFile]) -> Quote:
        """Train for three steps in a child, and keep nothing but the clock and the peak of its memory."""
        if not self.compute.place.local:
            return super().probe(spec, data)
        found = self._plan(spec, {file.role: file.path for file in data})
        return probe(spec, self._model(spec), data, found)

    def _model(self, spec: TrainingSpec) -> str:
        return tasks.absolute(spec.model_for(spec.backend, self.name))

    def _plan(self, spec: TrainingSpec, data: dict[str, Path]) -> Plan:
        marks = tuple((role, str(path.resolve()), path.stat().st_mtime_ns, path.stat().st_size) for role, path in sorted(data.items()))
        key = (spec.model_dump_json(), marks)
        if key not in self._plans:
            here = self.compute.place.local
            self._plans[key] = plan(spec, self._model(spec), data, device=self.compute.device, here=here)
        return self._plans[key]
