"""Which model is meant by a word, and what asking it costs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune import catalog, plugins, profiles
from anytune.errors import ConfigError, NotFound
from anytune.job import FineTuneJob
from anytune.model import TunedModel
from anytune.values import DataStats

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from anytune.backend import Backend
    from anytune.evaluation.values import Case
    from anytune.runtime import Runtime

__all__ = ["Cost", "cost_of", "found", "split_word", "until", "usd"]

_MESSAGE_TOKENS = 4
_ANSWER_TOKENS = 512
"""Tokens that an answer is taken for where neither a right answer nor a limit says more."""


class Cost(NamedTuple):
    """What asking will cost.

    Attributes:
        usd: By the length of the right answers; None where no price is known.
        most_usd: With every answer as long as it may be.
        input_usd, output_usd: For a million tokens.
        basis: How it was found.
    """

    usd: float | None
    most_usd: float | None
    input_usd: float | None
    output_usd: float | None
    basis: str


def split_word(word: str) -> tuple[str, str] | None:
    """Split `BACKEND:REST`, where a backend or profile of that name is known; None for any other word.

    Example:
        >>> split_word("ft:gpt-4.1-mini-2025-04-14:acme::abc") is None
        True
    """
    first, colon, rest = word.partition(":")
    known = {*plugins.installed(), *profiles.profiles()}
    return (first, rest) if colon and rest and first.partition("@")[0] in known else None


def found(word: str, backend: str | None, context: Runtime) -> TunedModel:
    """Find the model that a word means: a job of the ledger, a job at a host (`openai:ftjob-…`), or a model's id at one.

    Raises:
        NotFound: There is no such job.
        ConfigError: It cannot be told at which host the model is.
        JobFailed: The job has no model.
    """
    named = split_word(word) if backend is None else None
    if named is not None:
        backend, word = named
    if backend is None:
        try:
            return FineTuneJob.get(word, context=context).result()
        except NotFound:
            home = _home(word)
            if home is None:
                fix = "Name a job (`anytune jobs list`), or say where the model is: `--backend openai`, or `openai:…`."
                raise NotFound(f"The ledger has no job {word!r}, and no host of the catalogue names models so.", fix=fix) from None
            backend = home
    trainer = context.backend(backend)
    if trainer.capabilities.local:
        return TunedModel.from_path(word, backend=backend, context=context)
    try:
        seen = context.retry.read(lambda: trainer.poll(word), backend=trainer)
    except NotFound:
        return TunedModel.from_id(backend, word, context=context)
    if seen.model is None:
        raise ConfigError(f"Job {word} is {seen.status.value}: it has no model.", fix="Name a job that has succeeded.")
    return TunedModel(seen.model, backend=backend, context=context)


def until(backend: Backend, model: TunedModel) -> date | None:
    """Give the day from which a model answers no more, as the catalogue knows it."""
    if backend.catalog is None:
        return None
    days = [day for name in (model.id, model.base_model) if name and (day := catalog.answers_until(backend.catalog, name))]
    return min(days, default=None)


def cost_of(backend: Backend | None, model: TunedModel | None, cases: Sequence[Case], samples: int, params: dict[str, Any]) -> Cost:
    """Say what asking each case so often will cost, by the catalogue's prices; an estimate, and an upper bound.

    Args:
        backend: Who hosts the model; None where nothing is known of its host.
        model: What is asked.
        cases: The questions.
        samples: How often each.
        params: What is sent with each.
    """
    if backend is not None and (backend.capabilities.local or backend.capabilities.scripted):
        return Cost(0.0, 0.0, 0.0, 0.0, "nobody bills: it answers on a machine of your own")
    name = (model.base_model or model.id) if model is not None else ""
    quote = None if backend is None or backend.catalog is None else catalog.quote(backend.catalog, name, "sft", DataStats(rows=1))
    prices = (quote.input_usd_per_million, quote.output_usd_per_million) if quote else (None, None)
    if prices[0] is None or prices[1] is None:
        return Cost(None, None, None, None, "no price of asking this model is known")
    cap = params.get("max_tokens") or params.get("max_completion_tokens")
    asked, said = _tokens(cases)
    usual = [length if cap is None else min(length, int(cap)) for length in said]
    most = [max(length, _ANSWER_TOKENS * 8) if cap is None else int(cap) for length in said]
    read = sum(asked) * samples
    usd, most_usd = (math.fsum((read * prices[0], sum(each) * samples * prices[1])) / 1e6 for each in (usual, most))
    words = f"{len(cases):,} questions × {samples}: {read:,} tokens read, about {sum(usual) * samples:,} written"
    where = f"${prices[0]:g} and ${prices[1]:g} for a million tokens (the catalogue)"
    return Cost(usd, most_usd, prices[0], prices[1], f"{words}, at {where}")


def usd(usage: dict[str, Any], cost: Cost) -> float:
    """Price what one answer took, as its host counted it."""
    read, written = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    return (read * (cost.input_usd or 0.0) + written * (cost.output_usd or 0.0)) / 1e6


def _home(word: str) -> str | None:
    from anytune.catalog.names import tuned_at  # noqa: PLC0415 - reads YAML

    return tuned_at(word)


def _tokens(cases: Sequence[Case]) -> tuple[list[int], list[int]]:
    """Count what is asked and what the right answers have, in the encoding of today's hosted models."""
    from anytune.data.tokens import count  # noqa: PLC0415 - a compiled library with 4 MB of vocabulary

    asked = count([json.dumps([case.messages, case.tools], ensure_ascii=False) for case in cases])
    said = count([case.reference or json.dumps(case.tool_calls) for case in cases])
    return (
        [tokens + _MESSAGE_TOKENS * len(case.messages) for tokens, case in zip(asked, cases, strict=True)],
        [max(tokens, 1) if case.reference or case.tool_calls else _ANSWER_TOKENS for tokens, case in zip(said, cases, strict=True)],
    )
