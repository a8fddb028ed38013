"""The backend itself: what AutoTrain is asked to train, looked at before it is ordered. Where it runs, `anytune_huggingface` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from anytune.codes import finding
from anytune.errors import ConfigError
from anytune.values import Finding, Quote
from anytune_autotrain import defaults, environment
from anytune_autotrain.params import SETTINGS
from anytune_autotrain.plan import Plan, diagnose, plan
from anytune_autotrain.shown import render
from anytune_huggingface.backend import ComputeBackend
from anytune_huggingface.compute import tasks
from anytune_huggingface.compute.place import Program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from anytune.backend import Ability, DataStats, DeployOrder, LocalFile, RemoteDeployment
    from anytune.spec import TrainingSpec
    from anytune.values import Rendered

__all__ = ["AutoTrainBackend"]


class AutoTrainBackend(ComputeBackend):
    """Trains with AutoTrain, on this machine or in the Hugging Face cloud; serves as the trl backend does.

    Args:
        compute: Where: `local`, `hf_jobs:FLAVOR`, `spaces:FLAVOR`, or a mapping with `type` and the place's settings.

    Raises:
        ConfigError: There is no such place, or a setting of it is wrong.
    """

    name: ClassVar[str] = "autotrain"
    program = Program(
        backend="autotrain",
        module="anytune_autotrain.train",
        distributions=("anytune", "anytune-huggingface", "anytune-autotrain"),
        requirements=("peft", "torch", "transformers"),
        passed_env=(environment.VARIABLE,),
        image_commands=(("python", "-m", "anytune_autotrain.environment"),),
    )
    methods = frozenset({"sft", "dpo", "orpo", "reward", "clm"})
    adapters = frozenset({"lora", "qlora", "full"})
    settings = SETTINGS
    learns = "all"
    abilities: ClassVar[frozenset[Ability]] = frozenset({"continue", "render"})

    def __init__(self, *, compute: str | Mapping[str, Any] = "local") -> None:
        """Choose where to compute; nothing is loaded, sent or started."""
        super().__init__(compute=compute)
        self._plans: dict[tuple[object, ...], Plan] = {}

    def diagnose(self) -> list[Finding]:
        """Say how AutoTrain's own environment is, where it is this machine's."""
        return diagnose() if self.compute.place.local else []

    def check(self, spec: TrainingSpec, data: Sequence[LocalFile]) -> list[Finding]:
        """Resolve the model, render the rows, and look at the machine. Downloads of a Hub model's tokenizer may happen here."""
        offered = self.capabilities.methods
        if spec.method.type not in offered:
            message = f"{self.name} does not offer method {spec.method.type!r}."
            return [finding("method", message, f"It offers: {', '.join(sorted(offered))}.")]
        elsewhere = self.compute.check(spec, self._model(spec))
        try:
            return [*elsewhere, *self._plan(spec, {file.role: file.path for file in data}).findings]
        except ConfigError as error:
            return [*elsewhere, Finding(severity="error", code="options", message=error.message, fix=error.fix)]

    def quote(self, spec: TrainingSpec, stats: DataStats) -> Quote:  # noqa: ARG002 - it counts with the model's own tokenizer
        """Count tokens exactly; estimate minutes and memory, and say how."""
        data = {"train": spec.train} | ({"validation": spec.validation} if spec.validation else {})
        found = self._plan(spec, data).quote()
        return self.compute.quote(found) if found else Quote(basis="the rows or the model cannot be used")

    def resolved(self, spec: TrainingSpec) -> dict[str, Any]:
        """Give every setting as AutoTrain will be told it."""
        return defaults.resolve(spec, self.compute.device).model_dump(mode="json")

    def render(self, spec: TrainingSpec, rows: Iterable[tuple[int, dict[str, Any]]], *, pieces: bool = True) -> Iterator[Rendered]:
        """Render rows as AutoTrain learns them: every token of a conversation."""
        return render(spec, self._model(spec), rows, device=self.compute.device, pieces=pieces)

    def deploy(self, order: DeployOrder) -> RemoteDeployment:
        """Start a host.

        Raises:
            ConfigError: It is a reward model, which answers with numbers.
        """
        folder = Path(order.model.artifacts.get("merged", order.model.id))
        config = folder / "config.json"
        if config.is_file() and any("SequenceClassification" in name for name in _architectures(config)):
            raise ConfigError(
                f"{folder} is a reward model: it scores texts and writes none, so no endpoint can chat with it.",
                fix="Load it with transformers' AutoModelForSequenceClassification; its README.md says how it was trained.",
            )
        return super().deploy(order)

    def _model(self, spec: TrainingSpec) -> str:
        return tasks.absolute(spec.model_for(spec.backend, self.name))

    def _plan(self, spec: TrainingSpec, data: dict[str, Path]) -> Plan:
        marks = tuple((role, str(path.resolve()), path.stat().st_mtime_ns, path.stat().st_size) for role, path in sorted(data.items()))
        key = (spec.model_dump_json(), marks)
        if key not in self._plans:
            here = self.compute.place.local
            self._plans[key] = plan(spec, self._model(spec), data, device=self.compute.device, here=here)
        return self._plans[key]


def _architectures(config: Path) -> list[str]:
    try:
        return list(json.loads(config.read_text(encoding="utf-8")).get("architectures") or ())
    except (OSError, ValueError):
        return []
