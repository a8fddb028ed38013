"""One question to one endpoint: paced, retried by the house's retry layer, and turned into a reply or the error that it ends in."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.errors import AuthError, NotFound, QuotaExceeded, RateLimited
from anytune.evaluation.money import ask_tokens, most_tokens
from anytune.infer import reply_from
from anytune.retry import translated
from anytune.values import now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from anytune.evaluation.arms import Ask
    from anytune.evaluation.asking.pace import Pacer, Ticket
    from anytune.infer import Endpoint, Reply
    from anytune.retry import Retry

__all__ = ["FATAL", "Came", "asked"]

FATAL = (AuthError, NotFound, QuotaExceeded, RateLimited)
"""What every other question would meet too. `RateLimited` comes out of here only where nobody's patience lasts that long."""


class Came(NamedTuple):
    """What came back.

    Attributes:
        reply: The answer.
        latency_s: Seconds of the try that brought it.
        asked_at: When that try began.
    """

    reply: Reply
    latency_s: float
    asked_at: datetime


class _Refusal(NamedTuple):
    ticket: Ticket
    error: RateLimited
    headers: Mapping[str, str]


def asked(endpoint: Endpoint, ask: Ask, pacer: Pacer, retry: Retry, *, clock: Callable[[], float] = time.monotonic) -> Came:
    """Ask until there is an answer, or an error that is one.

    A refusal for its rate is waited out by all who ask this model, and is no failed try; all else is retried as every read is.

    Raises:
        AnytuneError: The last error.
        Stopped: The run ends.
    """
    body = endpoint.request(ask.messages, ask.tools, ask.params)
    tokens = ask_tokens(ask) + most_tokens(ask.params)
    while True:
        outcome = retry.read(lambda: _once(endpoint, body, tokens, pacer, clock))
        if isinstance(outcome, Came):
            return outcome
        pacer.refused(outcome.ticket, outcome.error, outcome.headers)


def _once(endpoint: Endpoint, body: dict[str, Any], tokens: int, pacer: Pacer, clock: Callable[[], float]) -> Came | _Refusal:
    ticket = pacer.enter(tokens)
    asked_at, began = now(), clock()
    headers: Mapping[str, str] = {}
    try:
        raw = endpoint.openai().chat.completions.with_raw_response.create(**body)
        latency_s = clock() - began
        headers = raw.headers
        reply = reply_from(raw.parse())
    except Exception as error:
        headers = headers or getattr(getattr(error, "response", None), "headers", None) or {}
        ours = translated(error, None)
        if isinstance(ours, RateLimited):
            return _Refusal(ticket, ours, headers)
        pacer.leave(ticket, headers=headers)
        raise
    pacer.leave(ticket, used_tokens=reply.usage.get("total_tokens", tokens), headers=headers)
    return Came(reply, latency_s, asked_at)
