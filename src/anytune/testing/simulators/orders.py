"""What a client may ask for in the body of a request, as schemas: what the published contract refuses is refused here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field, ValidationError

from anytune.server.shapes.orders import JobOrder, Order, Whole
from anytune.testing.simulators.errors import Refusal, error_of
from anytune.testing.simulators.service import json_of

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

    from anytune.testing.simulators.errors import ApiError

__all__ = ["Chat", "Complete", "JobOrder", "UploadOrder", "accepted", "body_of"]

_GRADERS = frozenset({"string_check", "text_similarity", "python", "score_model", "label_model", "multi"})

M = TypeVar("M", bound="Order")


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
