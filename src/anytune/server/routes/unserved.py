"""Routes: what OpenAI's fine-tuning API has besides, and this server does not: answered as such, so that no client has to guess."""

from __future__ import annotations

import re
from typing import NoReturn

from fastapi import APIRouter

from anytune.server.errors import ApiError
from anytune.server.house import Asked

__all__ = ["UNSERVED", "router"]

router = APIRouter(tags=["unserved"])

_GRADERS = "Graders are not run apart from a job here: grade the answers of a model in a program of your own."
_PERMISSIONS = "Checkpoints are not shared between projects here: a key sees what its owner made."
_STORED = "Chat completions are not stored here: keep what POST /chat/completions answers."
_RESPONSES = "Ask POST /chat/completions: engines of tuned models answer that."
_EMBEDDINGS = "The models here are tuned to answer; ask another host for vectors."

UNSERVED: tuple[tuple[str, str, str], ...] = (
    ("POST", "/fine_tuning/alpha/graders/run", _GRADERS),
    ("POST", "/fine_tuning/alpha/graders/validate", _GRADERS),
    ("GET", "/fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions", _PERMISSIONS),
    ("POST", "/fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions", _PERMISSIONS),
    ("DELETE", "/fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions/{permission_id}", _PERMISSIONS),
    ("POST", "/responses", _RESPONSES),
    ("POST", "/embeddings", _EMBEDDINGS),
    ("GET", "/chat/completions", _STORED),
    ("GET", "/chat/completions/{completion_id}", _STORED),
    ("POST", "/chat/completions/{completion_id}", _STORED),
    ("DELETE", "/chat/completions/{completion_id}", _STORED),
    ("GET", "/chat/completions/{completion_id}/messages", _STORED),
)
"""Method, path, and what to do instead."""


def _add(method: str, path: str, reason: str) -> None:
    async def refuse(_: Asked) -> NoReturn:
        raise ApiError(501, f"{method} {path} is not served. {reason}", code="not_implemented", headers={"x-should-retry": "false"})

    name = "_".join([method.lower(), *re.findall(r"\w+", path)])
    router.add_api_route(path, refuse, name=name, methods=[method], status_code=501, summary="Not served.", response_model=None)


for _method, _path, _reason in UNSERVED:
    _add(_method, _path, _reason)
