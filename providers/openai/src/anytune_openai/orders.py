"""From an order to the parameters of the one create call."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from anytune.errors import ConfigError
from anytune_openai.settings import METHODS, hyperparameters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.backend import Order
    from anytune_openai.dialect import Dialect

__all__ = ["LEDGER", "NAME", "REF", "SPEC", "TAIL", "integrations", "parameters", "suffix", "tail"]

REF, SPEC, LEDGER, NAME = "anytune_ref", "anytune_spec", "anytune_ledger", "anytune_name"
"""The keys of the tag in a job's metadata."""

_VALUE = 512
"""Characters that a value of the metadata may have (OpenAI's API reference, read 2026-11-22)."""

TAIL = 12
"""Characters of the ref that a suffix carries: 60 random bits of the ULID."""


def parameters(
    order: Order,
    dialect: Dialect,
    *,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    extras: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Give the arguments of `fine_tuning.jobs.create`.

    Args:
        order: The run.
        dialect: The host's way of speaking.
        settings: What trackers need to know, by their names: `{"wandb": {"project": …}}`.
        extras: Further fields of the request, which the protocol itself does not have.

    Raises:
        ConfigError: There is no training file, the method has no word here, or a tracker lacks its project.
    """
    train = order.files.get("train")
    if train is None:
        raise ConfigError("The order has no uploaded training file.", fix="Upload it first; `FineTuneJob.create` does it.")
    found: dict[str, Any] = {
        "model": order.model,
        "training_file": train.id,
        "method": _method(order),
        "metadata": {REF: order.ref, SPEC: order.spec_hash, LEDGER: order.ledger, NAME: order.name[:_VALUE]},
    }
    if "validation" in order.files:
        found["validation_file"] = order.files["validation"].id
    word = suffix(order.name, order.ref, dialect)
    if word:
        found["suffix"] = word
    if order.spec.method.seed is not None:
        found["seed"] = order.spec.method.seed
    wanted = integrations(order.spec.method.report_to, settings)
    if wanted:
        found["integrations"] = wanted
    if extras:
        found["extra_body"] = dict(extras)
    return found


def suffix(name: str, ref: str, dialect: Dialect) -> str:
    """Give the word that goes into the tuned model's name: the job's name, and where the tag is a suffix the ref's tail too.

    Example:
        >>> from anytune_openai.dialect import OPENAI
        >>> suffix("recipes, v2", "01KAQ4Z8V7M4T9X2C3D5E6F7G8", OPENAI)
        'recipes-v2'
        >>> suffix("recipes, v2", "01KAQ4Z8V7M4T9X2C3D5E6F7G8", OPENAI.model_copy(update={"tag": "suffix", "suffix_chars": 18}))
        'recip-x2c3d5e6f7g8'
    """
    if dialect.tag == "metadata":
        return _word(name, "A-Za-z0-9_-")[: dialect.suffix_chars].strip("-")
    end = tail(ref)
    room = dialect.suffix_chars - len(end) - 1
    start = _word(name.lower(), "a-z0-9")[: max(room, 0)].strip("-")
    return f"{start}-{end}" if start else end


def tail(ref: str) -> str:
    """Give the end of a ref, as a suffix carries it."""
    return ref[-TAIL:].lower()


def integrations(names: tuple[str, ...] | None, settings: Mapping[str, Mapping[str, Any]] | None) -> list[dict[str, Any]]:
    """Give the trackers that the protocol knows: Weights & Biases alone (OpenAI's API reference, read 2026-11-22).

    Raises:
        ConfigError: It is wanted, and no project was given.
    """
    if "wandb" not in (names or ()):
        return []
    given = dict((settings or {}).get("wandb", {}))
    if not isinstance(given.get("project"), str) or not given["project"]:
        raise ConfigError(
            "`report_to` names wandb, and no project is given.",
            fix='Set the backend up with integrations={"wandb": {"project": "…"}}; the key of wandb is kept in the host\'s own settings.',
        )
    unknown = sorted(set(given) - {"project", "name", "entity", "tags"})
    if unknown:
        raise ConfigError(f"wandb takes no `{unknown[0]}`.", fix="It takes: project, name, entity, tags.")
    return [{"type": "wandb", "wandb": given}]


def _method(order: Order) -> dict[str, Any]:
    ours = order.spec.method.type
    word = METHODS.get(ours)
    if word is None:
        raise ConfigError(f"The protocol has no word for method {ours!r}.", fix=f"It has: {', '.join(METHODS)}.")
    inside: dict[str, Any] = {}
    chosen = hyperparameters(order.spec)
    if chosen:
        inside["hyperparameters"] = chosen
    if ours == "rft":
        inside["grader"] = getattr(order.spec.method, "grader", None)
    return {"type": word, word: inside} if inside else {"type": word}


def _word(text: str, kept: str) -> str:
    return re.sub(f"[^{kept}]+", "-", text).strip("-")
