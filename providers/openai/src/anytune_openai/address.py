"""Whether a model answers: by its age, or by one question that costs one token."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from anytune.values import now
from anytune_openai.replies import moment, record

if TYPE_CHECKING:
    from openai import OpenAI

__all__ = ["YOUNG", "probe", "settled"]

YOUNG = timedelta(minutes=15)
"""How long after it was made a model or a deployment is asked whether it answers by now; hosts speak of about 5 minutes (read 2026-11-22).
Older ones are not asked again, so that looking at a list costs nothing."""

_SILENT = 500
_NOT_THERE = frozenset({401, 403, 404, 408, 409})
_UNANSWERED = frozenset({401, 408, 409, 429})


def settled(client: OpenAI, model: str) -> bool:
    """Tell whether a host lists a model, and has done so for long enough that it answers. Costs nothing.

    Raises:
        openai.OpenAIError: The host could not be asked; one that lists no models, or not this one, or not for this key, gives False.
    """
    from openai import APIStatusError  # noqa: PLC0415 - loaded with the client

    try:
        listed = record(client.models.with_raw_response.retrieve(model))
    except APIStatusError as error:
        if error.status_code in _UNANSWERED or error.status_code >= _SILENT:
            raise
        return False
    made = moment(listed.get("created"))
    return made is not None and now() - made > YOUNG


def probe(client: OpenAI, model: str) -> None:
    """Ask a model for one token. An answer of any kind, also a refusal of the question, shows that it is there.

    Args:
        client: Asks.
        model: A model's id, or a deployment's name.

    Raises:
        openai.OpenAIError: It is not there, may not be asked by this key, or the host did not answer: as the client raises it.
        MalformedReply: What answered does not speak the protocol.
    """
    from openai import APIStatusError  # noqa: PLC0415 - loaded with the client

    question = {"role": "user", "content": "Hi"}
    try:
        record(client.chat.completions.with_raw_response.create(model=model, messages=[question], max_tokens=1))  # type: ignore[list-item]
    except APIStatusError as error:
        if error.status_code in _NOT_THERE or error.status_code >= _SILENT:
            raise
