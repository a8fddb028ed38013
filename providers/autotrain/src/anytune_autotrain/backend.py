"""The backend itself: what AutoTrain is asked to train, looked at before it is ordered. Where it runs, `anytune_huggingface` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from anytune.errors import ConfigError
from anytune_autotrain import defaults, environment
from anytune_autotrain.params import SETTINGS
from anytune_autotrain.plan import Plan, diagnose, plan
from anytune_autotrain.shown import render
from anytune_huggingface.backend import ComputeBackend
from anytune_huggingface.compute.place import Program

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from anytune.backend import Ability, DeployOrder, RemoteDeployment
    from anytune.spec import TrainingSpec
    from anytune.values import Finding, Rendered

__all__ = ["AutoTrainBackend"]


class AutoTrainBackend(ComputeBackend[Plan]):
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

    def diagnose(self) -> list[Finding]:
        """Say how AutoTrain's own environment is, where it is this machine's."""
        return diagnose() if self.compute.place.local else []

    def resolved(self, spec: TrainingSpec) -> dict[str, Any]:
        """Give every setting as AutoTrain will be told it."""
        return defaults.resolve(spec, self.compute.device).model_dump(mode="json")

    def render(self, spec: TrainingSpec, rows: Iterable[tuple[int, dict[str, Any]]], *, pieces: bool = True) -> Iterator[Rendered]:
        """Render rows as AutoTrain learns them: every token of a conversation."""
        return render(spec, self.model(spec), rows, device=self.compute.device, pieces=pieces)

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

    def plan(self, spec: TrainingSpec, model: str, data: dict[str, Path]) -> Plan:
        """Look at a run: its model, its rows, and this machine where it computes here."""
        return plan(spec, model, data, device=self.compute.device, here=self.compute.place.local)


def _architectures(config: Path) -> list[str]:
    try:
        return list(json.loads(config.read_text(encoding="utf-8")).get("architectures") or ())
    except (OSError, ValueError):
        return []
