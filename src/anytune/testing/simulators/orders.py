"""What a client may ask for in the body of a request, as schemas: what the published contract refuses is refused here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, ValidationError
from pydantic_core import PydanticCustomError

from anytune.data.graders import LabelModel, Multi, Python, ScoreModel, StringCheck, TextSimilarity
from anytune.testing.simulators.errors import Refusal, error_of
from anytune.testing.simulators.service import json_of

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from anytune.testing.simulators.errors import ApiError

__all__ = ["Chat", "Complete", "JobOrder", "UploadOrder", "accepted", "body_of"]

_GRADERS = frozenset({"string_check", "text_similarity", "python", "score_model", "label_model", "multi"})

M = TypeVar("M", bound="Order")


class Order(BaseModel):
    """Base of all bodies: other keys and other types are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _object(value: object) -> object:
    """Refuse null where something may be left out: the published contract tells the two apart."""
    if value is None:
        raise PydanticCustomError("object_type", "None is not of type 'object'")
    return value


_NotNull = BeforeValidator(_object)
Auto = Literal["auto"]
Whole = Annotated[int, Field(ge=1)]


class _Hyperparameters(Order):
    batch_size: Auto | Annotated[int, Field(ge=1, le=256)] = "auto"
    learning_rate_multiplier: Auto | Annotated[float, Field(gt=0)] = "auto"
    n_epochs: Auto | Annotated[int, Field(ge=1, le=50)] = "auto"


class _PreferenceHyperparameters(_Hyperparameters):
    beta: Auto | Annotated[float, Field(gt=0, le=2)] = "auto"


class _ReinforcementHyperparameters(_Hyperparameters):
    reasoning_effort: Literal["default", "low", "medium", "high"] = "default"
    compute_multiplier: Auto | Annotated[float, Field(gt=1e-5, le=10)] = "auto"
    eval_interval: Auto | Whole = "auto"
    eval_samples: Auto | Whole = "auto"


class _Supervised(Order):
    hyperparameters: _Hyperparameters = _Hyperparameters()


class _Preference(Order):
    hyperparameters: _PreferenceHyperparameters = _PreferenceHyperparameters()


_Single = Annotated[StringCheck | TextSimilarity | Python | ScoreModel | LabelModel, Discriminator("type")]


class _Joined(Multi):
    """Graders by their names, as the guides show them, or the one grader of which the published description speaks."""

    graders: dict[str, _Single] | _Single  # type: ignore[assignment]  # wider than anytune's own


class _Reinforcement(Order):
    grader: Annotated[StringCheck | TextSimilarity | Python | ScoreModel | _Joined, Discriminator("type")]
    hyperparameters: _ReinforcementHyperparameters = _ReinforcementHyperparameters()


class Method(Order):
    """How to train, with the settings of that way only."""

    type: Literal["supervised", "dpo", "reinforcement"]
    supervised: Annotated[_Supervised | None, _NotNull] = None
    dpo: Annotated[_Preference | None, _NotNull] = None
    reinforcement: Annotated[_Reinforcement | None, _NotNull] = None


class _Wandb(Order):
    project: str
    name: str | None = None
    entity: str | None = None
    tags: list[str] = []


class _Integration(Order):
    type: Literal["wandb"]
    wandb: _Wandb


Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=16),
]


class JobOrder(Order):
    """The body of `POST /fine_tuning/jobs`. Subclass it for another provider's fields."""

    model: str
    training_file: str
    validation_file: str | None = None
    method: Annotated[Method | None, _NotNull] = None
    hyperparameters: Annotated[_Hyperparameters | None, _NotNull] = None
    suffix: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    seed: Annotated[int, Field(ge=0, le=2147483647)] | None = None
    integrations: Annotated[list[_Integration], Field(max_length=5)] | None = None
    metadata: Metadata | None = None

    @property
    def method_type(self) -> str:
        """`supervised`, `dpo` or `reinforcement`."""
        return self.method.type if self.method else "supervised"

    @property
    def settings(self) -> dict[str, Any]:
        """The hyperparameters of the method, `auto` where they were left out."""
        of_method = getattr(self.method, self.method.type) if self.method else None
        if of_method is not None:
            found: dict[str, Any] = of_method.hyperparameters.model_dump()
            return found
        return (self.hyperparameters or _Hyperparameters()).model_dump()


class _Expiry(Order):
    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=3600, le=2592000)]


class UploadOrder(Order):
    """The body of `POST /uploads`."""

    filename: str
    purpose: Literal["assistants", "batch", "fine-tune", "vision"]
    bytes: Annotated[int, Field(ge=1, le=8 * 2**30)]
    mime_type: str
    expires_after: _Expiry | None = None


class Complete(Order):
    """The body of `POST /uploads/{id}/complete`."""

    part_ids: list[str]
    md5: str | None = None


class _Message(Order):
    model_config = ConfigDict(extra="allow", strict=True)

    role: Literal["developer", "system", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None


class Chat(Order):
    """The body of `POST /chat/completions`, as far as the simulator reads it; other settings are taken and make no difference."""

    model_config = ConfigDict(extra="allow", strict=True)

    model: str
    messages: Annotated[list[_Message], Field(min_length=1)]
    stream: bool | None = None
    max_tokens: Whole | None = None
    max_completion_tokens: Whole | None = None
    tools: list[_Tool] | None = None


class _Named(Order):
    model_config = ConfigDict(extra="allow", strict=True)

    name: str


class _Tool(Order):
    model_config = ConfigDict(extra="allow", strict=True)

    type: Literal["function"]
    function: _Named


def body_of(request: Request) -> dict[str, Any]:
    """Give the JSON object of a request.

    Raises:
        Refusal: It has none.
    """
    given = json_of(request)
    if not isinstance(given, dict):
        raise Refusal(error_of("bad_json"))
    return given


def accepted(model: type[M], body: dict[str, Any]) -> M:
    """Hold a body against its schema.

    Raises:
        Refusal: It does not fit, in the words that the provider has for it.
    """
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise Refusal(_worded(error)) from None


def _worded(error: ValidationError) -> ApiError:
    first = error.errors(include_url=False)[0]
    param = ".".join(str(part) for part in first["loc"] if not _is_branch(part)) or "body"
    match first["type"]:
        case "extra_forbidden":
            return error_of("extra_field", param=first["loc"][-1])
        case "missing":
            return error_of("missing_field", param=param)
        case "string_type" if first["input"] is None:
            return error_of("null_in_string", param=param)
        case _:
            return error_of("bad_field", param=param, reason=first["msg"])


def _is_branch(part: object) -> bool:
    """Tell whether pydantic means an alternative of a union by a part of a place."""
    return isinstance(part, str) and ("[" in part or part.startswith("constrained-") or part in _GRADERS)
