"""What messages are made of: parts of their content, calls of tools, and definitions of tools."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

__all__ = [
    "Call",
    "Function",
    "FunctionDefinition",
    "ImagePart",
    "ImageUrl",
    "RefusalPart",
    "Strict",
    "TextPart",
    "Tool",
    "ToolCall",
    "parsed",
]

NAME = r"^[A-Za-z0-9_-]{1,64}$"
"""Names that a tool may have (OpenAI's reference of function objects, read 2026-11-22)."""


class Strict(BaseModel):
    """A frozen part of a row: unknown keys are refused and no type is turned into another, as strict providers do."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class TextPart(Strict):
    """A part of a message's content that is text."""

    type: Literal["text"]
    text: str


class ImageUrl(Strict):
    """Where an image is.

    Attributes:
        url: An address, or the image itself as a `data:` URL.
        detail: How closely the model looks.
    """

    url: str = Field(min_length=1)
    detail: Literal["auto", "low", "high"] | None = None


class ImagePart(Strict):
    """A part of a user's message that is an image."""

    type: Literal["image_url"]
    image_url: ImageUrl


class RefusalPart(Strict):
    """A part of an assistant's message that declines."""

    type: Literal["refusal"]
    refusal: str


class Call(Strict):
    """A function's name and its arguments as JSON text.

    Arguments that are given as an object, as TRL's rows have them, become text.
    """

    name: str = Field(min_length=1)
    arguments: str

    @model_validator(mode="before")
    @classmethod
    def _arguments_as_text(cls, raw: Any) -> Any:
        if isinstance(raw, dict) and isinstance(raw.get("arguments"), dict):
            return raw | {"arguments": json.dumps(raw["arguments"], ensure_ascii=False)}
        return raw

    @model_validator(mode="after")
    def _arguments_are_an_object(self) -> Call:
        try:
            parsed(self.arguments)
        except ValueError as error:
            raise PydanticCustomError("bad-arguments", "The arguments {reason}.", {"reason": str(error)}) from None
        return self


class Function(Call):
    """The function that a model calls."""


class ToolCall(Strict):
    """A call of a tool in an assistant's message; OpenAI wants `id` and `type`, local templates don't."""

    id: str | None = None
    type: Literal["function"] = "function"
    function: Function


class FunctionDefinition(Strict):
    """What a function is called, does and takes.

    Attributes:
        parameters: A JSON Schema of an object.
        returns: A JSON Schema under the key `return`, as transformers' `get_json_schema` writes it.
    """

    name: Annotated[str, Field(pattern=NAME)]
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None
    returns: dict[str, Any] | None = Field(default=None, alias="return")


class Tool(Strict):
    """A tool that the model may call."""

    type: Literal["function"]
    function: FunctionDefinition


def parsed(arguments: str) -> dict[str, Any]:
    """Read a call's arguments.

    Raises:
        ValueError: They are no JSON object, or one that readers take differently; the words continue "the arguments …".

    Example:
        >>> parsed('{"city": "Oslo"}')
        {'city': 'Oslo'}
    """
    try:
        found = json.loads(arguments, object_pairs_hook=_unique, parse_constant=_refused, parse_float=_finite)
    except _Said as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("are nested too deeply") from None
    except ValueError as error:
        where = f" (character {error.pos})" if isinstance(error, json.JSONDecodeError) else ""
        raise ValueError(f"are not JSON{where}") from None
    if not isinstance(found, dict):
        raise ValueError("are JSON, but not an object")  # noqa: TRY004 - a value of the data, not of the program
    return found


class _Said(ValueError):
    pass


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Said("have a key twice")
    return found


def _refused(word: str) -> float:
    raise _Said(f"hold {word}, which JSON does not have")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _Said("hold a number that is too large")
    return number
