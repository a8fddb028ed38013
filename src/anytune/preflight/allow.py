"""Which errors a caller may let through, and which not, because no run could come of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.codes import CODES
from anytune.errors import ConfigError
from anytune.settings import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anytune.backend import Backend
    from anytune.values import Finding

__all__ = ["allowable", "final"]

_FIRM_ROOMS = {
    "file": "Nobody can learn from lines that cannot be read: mend or remove them; `anytune data check` names each.",
    "row": "Nobody can learn from rows that are none: mend or remove them; `anytune data check` names each.",
}
"""Rooms whose errors say that there is nothing to train on; what is only a warning there, unless a target is stricter, may be allowed."""

_FIRM = {
    "no-rows": "There is nothing to train on.",
    "bad-arguments": "No template can show them: make them a JSON object.",
    "bad-image": "Replace the image, or leave the row out.",
    "no-template": "Use an instruct model, or rows of plain `text`.",
    "template-refuses": "Mend the rows as the finding says, or use another model.",
    "tools-not-rendered": "Use a model whose template shows tools, or take the tools out of the rows.",
    "nothing-learned": "Each row needs an assistant's turn that fits into `max_length`.",
    "method": "Use a method that the backend offers, or another backend.",
    "adapter": "Use an adapter that the backend offers, or another backend.",
    "over-budget": "Raise the spec's `budget` instead: it is your own word.",
    "disk": "Free some: `anytune gc`.",
}
"""Codes that cannot be allowed, with what helps instead."""

_OWN_LOOK = frozenset({"special-token", "double-bos", "max-length"})
"""What a backend's own look may find and train all the same. Of anything else that it refuses, it would refuse the job as well."""


def allowable(codes: Iterable[str]) -> frozenset[str]:
    """Check codes that a caller wants to allow.

    Raises:
        ConfigError: One cannot be allowed, or is not known.
    """
    named = frozenset(codes)
    for code in sorted(named):
        if code not in CODES:
            guess = nearest(code, list(CODES))
            fix = f"Did you mean `{guess}`?" if guess else "What a backend itself refuses stays refused: do as its finding's fix says."
            raise ConfigError(f"No finding that can be allowed has the code `{code}`.", fix=fix)
        firm = _FIRM.get(code) or (_FIRM_ROOMS.get(CODES[code].room) if CODES[code].severity == "error" else None)
        if firm is not None:
            raise ConfigError(f"`{code}` cannot be allowed.", fix=firm)
    return named


def final(said: Sequence[Finding], backend: Backend, allowed: frozenset[str]) -> tuple[list[Finding], frozenset[str]]:
    """Hold what a backend's own look found against what was allowed.

    Catalogues age and checks of text guess, so a caller may know better. The backend itself is asked again by the job, and says the same.

    Args:
        said: What it found.
        backend: Who looked.
        allowed: Codes that were named.

    Returns:
        The findings, those that stay errors although they were named with a word about it; and the codes that are still allowed.
    """
    stays = {found.code for found in said if found.severity == "error"} & allowed - _OWN_LOOK
    word = f"Allowing it does not help: {backend.name} would refuse the job."
    told = [
        found.model_copy(update={"fix": f"{found.fix} {word}".strip()}) if found.severity == "error" and found.code in stays else found
        for found in said
    ]
    return told, allowed - stays
