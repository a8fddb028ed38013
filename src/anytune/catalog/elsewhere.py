"""Where else a method can be had today: models of the catalogue that take new jobs, and backends that train on one's own machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.catalog import files
from anytune.codes import finding
from anytune.values import Finding, Value

if TYPE_CHECKING:
    from datetime import date

    from anytune.catalog.figures import Host, Model

__all__ = ["Other", "able", "others", "told"]

_LISTED = 4
"""Models named for one backend; more are counted."""


class Other(Value):
    """A backend that could take the method.

    Attributes:
        backend: Its name.
        host: Its host's name, for a person.
        local: It trains on the user's own machine, on any open model.
        models: Models that any account may tune.
        restricted: Models that only some accounts may tune, or that the host does not confirm any more.
    """

    backend: str
    host: str
    local: bool = False
    models: tuple[str, ...] = ()
    restricted: tuple[str, ...] = ()


def others(method: str, *, today: date, besides: tuple[str, str] | None = None) -> tuple[Other, ...]:
    """List who could take a method on a day, as far as the catalogue knows.

    Args:
        method: `sft`, `dpo`, `rft`.
        today: The day.
        besides: Backend and model that are left out.
    """
    found = []
    for backend in files.hosts():
        opened = files.opened(backend)
        if opened is None or method not in opened.host.methods:
            continue
        host = opened.host
        if host.any_model:
            found.append(Other(backend=backend, host=host.name, local=host.local))
            continue
        names = [name for name in able(host, today) if method in host.models[name].methods and (backend, name) != besides]
        free = tuple(name for name in names if _free(host, host.models[name], method, today))
        if names:
            found.append(Other(backend=backend, host=host.name, models=free, restricted=tuple(name for name in names if name not in free)))
    return tuple(found)


def able(host: Host, today: date) -> list[str]:
    """Name the models on which a host takes new jobs on a day, from some accounts at least."""
    return [name for name, entry in host.models.items() if _open(host, entry, today)]


def told(method: str, found: tuple[Other, ...]) -> list[Finding]:
    """Say it as a finding; none where nobody could."""
    if not found:
        return []
    places = ", ".join(f"`{other.backend}` ({_models(other)})" for other in found)
    fix = "Change `backend` and `model`; the data stays as it is, and `anytune data check --backend …` says whether it fits."
    return [finding("others-could", f"Who could take {method} today: {places}.", fix)]


def _open(host: Host, entry: Model, today: date) -> bool:
    closes = [day for day in (host.lifecycle.training_closes, entry.lifecycle.training_closes) if day is not None and not day.at_earliest]
    ends = [day for day in (host.lifecycle.answers_until, entry.lifecycle.answers_until) if day is not None]
    return all(today <= day.value for day in closes) and all(today < day.value for day in ends)


def _free(host: Host, entry: Model, method: str, today: date) -> bool:
    rows = (*host.lifecycle.restricted, *entry.lifecycle.restricted)
    return entry.methods[method].standing == "offered" and all(today < row.since.value for row in rows)


def _models(other: Other) -> str:
    if other.local:
        return "on your own machine, with any open model that it can load"
    parts = [_listed(other.models)] if other.models else []
    if other.restricted:
        parts.append(f"not for every account: {_listed(other.restricted)}")
    return "; ".join(parts)


def _listed(names: tuple[str, ...]) -> str:
    rest = len(names) - _LISTED
    return ", ".join(names[:_LISTED]) + (f" and {rest} more" if rest > 0 else "")
