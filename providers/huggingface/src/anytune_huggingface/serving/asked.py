"""What a request may ask of the engine: its words are checked before anything is computed, and read into how it is decoded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from fastapi import HTTPException
from fastapi.responses import JSONResponse
from transformers.cli.serving.chat_completion import ChatCompletionHandler
from transformers.cli.serving.completion import CompletionHandler
from transformers.cli.serving.response import ResponseHandler
from transformers.cli.serving.utils import BaseHandler

from anytune_huggingface.serving.decoding import way

if TYPE_CHECKING:
    from fastapi import Request
    from transformers import GenerationConfig

__all__ = ["Chat", "Completion", "Responses", "checked", "refused"]

_RANGES: Final = {"temperature": (0.0, 2.0), "top_p": (0.0, 1.0), "presence_penalty": (-2.0, 2.0), "frequency_penalty": (-2.0, 2.0)}
_LACKING: Final = {
    "n": (1, "One answer is given to a request: ask several times."),
    "best_of": (1, "One answer is given to a request: ask several times."),
    "logprobs": (False, "This engine gives no log probabilities."),
    "top_logprobs": (0, "This engine gives no log probabilities."),
    "logit_bias": ({}, "A bias goes to token ids, and this model's are not OpenAI's."),
    "echo": (False, "This engine does not repeat the prompt."),
}
"""What this engine lacks, with the value that asks for nothing."""
_STOPS: Final = 16


def checked(body: dict[str, Any]) -> None:
    """Refuse what this engine cannot do, rather than answer as if it had not been asked.

    Raises:
        HTTPException: 400, with the word that it is about.
    """
    for word, (nothing, why) in _LACKING.items():
        if body.get(word) not in (None, nothing):
            raise HTTPException(400, f"`{word}`: {why}")
    for word, (least, most) in _RANGES.items():
        value = body.get(word)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value) or not least <= value <= most:
            raise HTTPException(400, f"`{word}` is a number from {least:g} to {most:g}.")
    stop = body.get("stop")
    stops = [stop] if isinstance(stop, str) else stop
    if stops is not None and not (
        isinstance(stops, list) and len(stops) <= _STOPS and all(isinstance(each, str) and each for each in stops)
    ):
        raise HTTPException(400, f"`stop` is a text, or a list of {_STOPS} texts at most.")
    if body.get("seed") is not None and (isinstance(body["seed"], bool) or not isinstance(body["seed"], int)):
        raise HTTPException(400, "`seed` is a whole number.")


async def refused(_: Request, error: Exception) -> JSONResponse:
    """Word a refusal as OpenAI does, so that clients show its reason."""
    if not isinstance(error, HTTPException):
        raise error
    kind = "server_error" if error.status_code >= 500 else "invalid_request_error"  # noqa: PLR2004 - HTTP
    told = {"message": str(error.detail), "type": kind, "param": None, "code": None}
    return JSONResponse({"error": told}, status_code=error.status_code)


def _prepared(config: GenerationConfig, model_config: GenerationConfig, body: dict[str, Any], *, batched: bool) -> GenerationConfig:
    """Keep how a request is decoded beside transformers' own settings, which say it where nothing is batched."""
    how = way(model_config, body)
    if batched:
        config.way = how
    else:
        config.do_sample = how.temperature > 0
        config.temperature = how.temperature or None
    config.sequence_bias = None
    if not body.get("stop"):
        config.stop_strings = None
    return config


class _Asked(BaseHandler):
    """What every kind of request has in common."""

    def _validate_request(self, body: dict[str, Any]) -> None:
        super()._validate_request(body)
        checked(body)

    def _build_generation_config(
        self,
        body: dict[str, Any],
        model_generation_config: GenerationConfig,
        use_cb: bool = False,  # noqa: FBT001, FBT002 - transformers' signature
    ) -> GenerationConfig:
        found = super()._build_generation_config(body, model_generation_config, use_cb=use_cb)
        return _prepared(found, model_generation_config, body, batched=use_cb)


class Chat(_Asked, ChatCompletionHandler):
    """Chat completions."""


class Completion(_Asked, CompletionHandler):
    """Text completions."""

    def _validate_request(self, body: dict[str, Any]) -> None:
        super()._validate_request(body)
        prompt = body.get("prompt")
        if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], str):
            body["prompt"] = prompt[0]


class Responses(_Asked, ResponseHandler):
    """Responses."""
