"""What a client may say when it orders a tuned model: OpenAI's body as a schema, which the simulators of `anytune.testing` share.

It is as strict as OpenAI's published description (read 2026-08-21): other keys, other types and numbers outside of their ranges are
refused. What the description allows and this server does not do is refused by `anytune.server.training.orders`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field
from pydantic_core import PydanticCustomError

from anytune.data.graders import LabelModel, Multi, Python, ScoreModel, StringCheck, TextSimilarity

__all__ = ["Auto", "JobOrder", "JoinedGraders", "Method", "Order", "ReinforcementMethod", "Whole"]

_LARGEST_SEED = 2**31 - 1


class Order(BaseModel):
    """Base of all that a client says in a body: other keys and other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _object(value: object) -> object:
    """Refuse null where something may be left out: the published description tells the two apart."""
    if value is None:
        raise PydanticCustomError("object_type", "None is not of type 'object'")
    return value


def _not_null(kind: type[BaseModel]) -> BeforeValidator:
    return BeforeValidator(_object, json_schema_input_type=kind)


Auto = Literal["auto"]
Whole = Annotated[int, Field(ge=1)]


class SupervisedHyperparameters(Order):
    """What supervised tuning lets clients choose."""

    batch_size: Auto | Annotated[int, Field(ge=1, le=256)] = "auto"
    learning_rate_multiplier: Auto | Annotated[float, Field(gt=0)] = "auto"
    n_epochs: Auto | Annotated[int, Field(ge=1, le=50)] = "auto"


class PreferenceHyperparameters(SupervisedHyperparameters):
    """The same, and how strongly the model is held to its base."""

    beta: Auto | Annotated[float, Field(gt=0, le=2)] = "auto"


class ReinforcementHyperparameters(SupervisedHyperparameters):
    """What reinforcement tuning lets clients choose."""

    reasoning_effort: Literal["default", "low", "medium", "high"] = "default"
    compute_multiplier: Auto | Annotated[float, Field(gt=1e-5, le=10)] = "auto"
    eval_interval: Auto | Whole = "auto"
    eval_samples: Auto | Whole = "auto"


class SupervisedMethod(Order):
    """Supervised tuning."""

    hyperparameters: SupervisedHyperparameters = SupervisedHyperparameters()


class PreferenceMethod(Order):
    """Direct preference optimisation."""

    hyperparameters: PreferenceHyperparameters = PreferenceHyperparameters()


_Single = Annotated[StringCheck | TextSimilarity | Python | ScoreModel | LabelModel, Discriminator("type")]


class JoinedGraders(Multi):
    """Graders by their names, as OpenAI's guides show them, or the one grader of which the published description speaks."""

    graders: dict[str, _Single] | _Single  # type: ignore[assignment]  # wider than anytune's own


class ReinforcementMethod(Order):
    """Reinforcement tuning."""

    grader: Annotated[StringCheck | TextSimilarity | Python | ScoreModel | JoinedGraders, Discriminator("type")]
    hyperparameters: ReinforcementHyperparameters = ReinforcementHyperparameters()


class Method(Order):
    """How to train, with the settings of that way."""

    type: Literal["supervised", "dpo", "reinforcement"]
    supervised: Annotated[SupervisedMethod | None, _not_null(SupervisedMethod)] = None
    dpo: Annotated[PreferenceMethod | None, _not_null(PreferenceMethod)] = None
    reinforcement: Annotated[ReinforcementMethod | None, _not_null(ReinforcementMethod)] = None


class Wandb(Order):
    """A project of Weights & Biases."""

    project: str
    name: str | None = None
    entity: str | None = None
    tags: list[str] = Field(default_factory=list)


class Integration(Order):
    """An account elsewhere that hears of the job."""

    type: Literal["wandb"]
    wandb: Wandb


Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=16),
]


class JobOrder(Order):
    """The body of `POST /fine_tuning/jobs`."""

    model: Annotated[str, Field(min_length=1, max_length=512)]
    training_file: str
    validation_file: str | None = None
    method: Annotated[Method | None, _not_null(Method)] = None
    hyperparameters: Annotated[SupervisedHyperparameters | None, _not_null(SupervisedHyperparameters)] = None
    suffix: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    seed: Annotated[int, Field(ge=0, le=_LARGEST_SEED)] | None = None
    integrations: Annotated[list[Integration], Field(max_length=5)] | None = None
    metadata: Metadata | None = None

    @property
    def method_type(self) -> str:
        """`supervised`, `dpo` or `reinforcement`."""
        return self.method.type if self.method else "supervised"

    @property
    def section(self) -> SupervisedMethod | PreferenceMethod | ReinforcementMethod | None:
        """What was said about the method, where it was."""
        if self.method is None:
            return None
        found: SupervisedMethod | PreferenceMethod | ReinforcementMethod | None = getattr(self.method, self.method.type)
        return found

    @property
    def settings(self) -> dict[str, Any]:
        """The hyperparameters of the method by OpenAI's names, `auto` where they were left out."""
        if self.section is not None:
            return self.section.hyperparameters.model_dump()
        kinds = {"dpo": PreferenceHyperparameters, "reinforcement": ReinforcementHyperparameters}
        return (self.hyperparameters or kinds.get(self.method_type, SupervisedHyperparameters)()).model_dump()
