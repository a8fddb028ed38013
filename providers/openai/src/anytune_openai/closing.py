"""What to say where a host takes no jobs any more: on which days it closes, and who could take the run instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune import catalog
from anytune.errors import AnytuneError, FineTuningUnavailable

if TYPE_CHECKING:
    from datetime import date

__all__ = ["unavailable"]

_DATES = frozenset({"customers-only", "training-closing", "training-closed", "model-closing", "model-gone"})
_OTHERS = "others-could"


def unavailable(
    text: str,
    *,
    host: str,
    fix: str = "",
    catalogued: str | None = None,
    model: str = "",
    method: str = "sft",
    today: date | None = None,
    raw: object = None,
) -> FineTuningUnavailable:
    """Make the error of a host that refuses to tune.

    Args:
        text: What the host said.
        host: Its name, for people.
        fix: The next step, before the alternatives are named.
        catalogued: Under which name the catalogue knows it; None: it is another host, of which no dates are known.
        model: What was to be tuned, where it is known.
        method: `sft`, `dpo`, `rft`.
        today: The day to judge by (UTC); the clock's by default.
        raw: The reply.
    """
    dates, places = _told(catalogued, model, method, today) if catalogued else ([], [])
    message = " ".join([text, *dates])
    steps = " ".join(part for part in (fix, *places) if part)
    other = "Nothing was created. Another backend can take the same data: `anytune backends` lists what is installed."
    return FineTuningUnavailable(message, fix=steps if places else f"{steps} {other}".strip(), backend=None, raw=raw or host)


def _told(catalogued: str, model: str, method: str, today: date | None) -> tuple[list[str], list[str]]:
    try:
        found = catalog.findings(catalogued, model, method, today=today)
    except AnytuneError:  # a catalogue file of the user's own is wrong, and preflight says so; the refusal itself is what counts here
        return [], []
    dates = [one.message for one in found if one.code in _DATES]
    return dates, [f"{one.message} {one.fix}" for one in found if one.code == _OTHERS]
