"""Fine-tune language models anywhere through one interface, safely, with proof that it was worth it.

Names are loaded when they are first used: `import anytune` by itself costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.lazy import loader

__version__ = "0.1.0"

_HOMES = {
    "FineTuneJob": "anytune.job",
    "TunedModel": "anytune.model",
    "Deployment": "anytune.deploy",
    "Endpoint": "anytune.infer",
    "Reply": "anytune.infer",
    "Preflight": "anytune.preflight",
    "TrainingSpec": "anytune.spec",
    "SFT": "anytune.spec",
    "CLM": "anytune.spec",
    "DPO": "anytune.spec",
    "ORPO": "anytune.spec",
    "RFT": "anytune.spec",
    "Reward": "anytune.spec",
    "LoRA": "anytune.spec",
    "QLoRA": "anytune.spec",
    "Full": "anytune.spec",
    "Budget": "anytune.spec",
    "Backend": "anytune.backend",
    "Capabilities": "anytune.backend",
    "Status": "anytune.values",
    "Snapshot": "anytune.values",
    "Event": "anytune.values",
    "Metric": "anytune.values",
    "Checkpoint": "anytune.values",
    "Finding": "anytune.values",
    "Quote": "anytune.values",
    "AnytuneError": "anytune.errors",
    "EvaluationSpec": "anytune.evaluation.spec",
    "evaluate": "anytune.evaluation.run",
    "watch_many": "anytune.fleet",
}

__all__ = [
    "CLM",
    "DPO",
    "ORPO",
    "RFT",
    "SFT",
    "AnytuneError",
    "Backend",
    "Budget",
    "Capabilities",
    "Checkpoint",
    "Deployment",
    "Endpoint",
    "EvaluationSpec",
    "Event",
    "Finding",
    "FineTuneJob",
    "Full",
    "LoRA",
    "Metric",
    "Preflight",
    "QLoRA",
    "Quote",
    "Reply",
    "Reward",
    "Snapshot",
    "Status",
    "TrainingSpec",
    "TunedModel",
    "__version__",
    "evaluate",
    "watch_many",
]

if TYPE_CHECKING:
    from anytune.backend import Backend, Capabilities
    from anytune.deploy import Deployment
    from anytune.errors import AnytuneError
    from anytune.evaluation import EvaluationSpec, evaluate
    from anytune.fleet import watch_many
    from anytune.infer import Endpoint, Reply
    from anytune.job import FineTuneJob
    from anytune.model import TunedModel
    from anytune.preflight import Preflight
    from anytune.spec import CLM, DPO, ORPO, RFT, SFT, Budget, Full, LoRA, QLoRA, Reward, TrainingSpec
    from anytune.values import Checkpoint, Event, Finding, Metric, Quote, Snapshot, Status


__getattr__ = loader(__name__, _HOMES)


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted(__all__)
