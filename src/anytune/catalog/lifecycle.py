"""What a host's catalogue says against a run today: the method, the model, who may create jobs, and the days on which things end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple

from anytune.catalog import files
from anytune.catalog.elsewhere import Other, able, others, told
from anytune.catalog.names import Named, named, tuned_at
from anytune.codes import finding
from anytune.values import now

if TYPE_CHECKING:
    from datetime import date

    from anytune.catalog.figures import Deadline, Host
    from anytune.values import Finding

__all__ = ["WARN_DAYS", "Other", "answers_until", "findings", "others"]

WARN_DAYS = 180
"""A day nearer than this many days is a warning, a later one is only told."""


class _End(NamedTuple):
    """A day on which something ends, and who says so."""

    day: date
    by: str
    at_earliest: bool = False


def findings(backend: str, model: str, method: str, *, today: date | None = None, provider_says: date | None = None) -> list[Finding]:
    """Find what speaks against a run of this method on this model at this host, today.

    Args:
        backend: The backend's name; one without a catalogue, or one that takes any model, gives nothing.
        model: An exact id, a short name or a tuned model's name.
        method: `sft`, `dpo`, `rft`.
        today: The day to judge by (UTC); the clock's by default.
        provider_says: The `shutdown_date` of the host's own answer about the model (`GET /v1/models`); it counts where it is earlier.

    Raises:
        ConfigError: A catalogue file of the user's own is wrong.
    """
    opened = files.opened(backend)
    if opened is None or opened.host.any_model:
        return []
    host, day = opened.host, today or now().date()
    known = named(host, model)
    found = _about_name(opened, model, known, day)
    if known is not None:
        found += _about_method(host, known, method)
    if not any(item.code == "not-tunable" for item in found):
        found += _about_days(host, known, model, day, provider_says)
    if any(item.severity == "error" or (item.severity == "warning" and item.code != "unknown-model") for item in found):
        found += told(method, others(method, today=day, besides=(backend, known.name if known else model)))
    return found


def answers_until(backend: str, model: str) -> date | None:
    """Give the day from which a model, and every model tuned on it, does not answer any more; None where none is known.

    Raises:
        ConfigError: A catalogue file of the user's own is wrong.
    """
    opened = files.opened(backend)
    if opened is None:
        return None
    found = _ending(opened.host, named(opened.host, model), None)
    return None if found is None else found.day


def _about_name(opened: files.Opened, model: str, known: Named | None, day: date) -> list[Finding]:
    host = opened.host
    if known is not None and known.alias:
        fix = f"Write `{known.name}`: the host may refuse the short name, or mean a later model by it one day."
        return [finding("alias", f"`{model}` is taken as `{known.name}`.", fix)]
    if known is not None:
        return []
    if model in host.not_tunable:
        return [finding("not-tunable", f"{host.name} does not tune {model}.", f"It tunes: {_tunable(host, day)}.")]
    elsewhere = tuned_at(model)
    if elsewhere not in {None, host.host}:
        message = f"{model} was tuned at {elsewhere}: {host.name} does not have it and cannot go on from it."
        return [finding("not-tunable", message, f"Take a base model of {host.name}, or `backend: {elsewhere}`.")]
    message = f"The catalogue ({opened.basis}) does not know {model} at {host.name}: only what holds for all its models was checked."
    return [finding("unknown-model", message, f"If it is not new, check its name. Known: {_tunable(host, day)}.")]


def _tunable(host: Host, day: date) -> str:
    return ", ".join(able(host, day)) or "nothing any more"


def _about_method(host: Host, known: Named, method: str) -> list[Finding]:
    offer = known.entry.methods.get(method)
    if offer is None:
        message = f"{host.name} does not offer {method} for {known.name}."
        return [finding("method", message, f"It offers: {', '.join(known.entry.methods)}.")]
    if offer.standing == "unconfirmed":
        message = f"{host.name}'s current guides do not say any more that {known.name} can be tuned by {method}."
        fix = "It may be refused when the job is created, before it costs anything."
        return [finding("method", message, fix, severity="warning")]
    if offer.standing == "invitation":
        message = f"{host.name} offers {method} on {known.name} by invitation only."
        return [finding("customers-only", message, "Ask the host, or take another model.")]
    return []


def _about_days(host: Host, known: Named | None, model: str, day: date, provider_says: date | None) -> list[Finding]:
    closes, ends = _closing(host, known), _ending(host, known, provider_says)
    name = known.name if known else model
    gone = ends is not None and ends.day <= day
    closed = closes is not None and closes.day < day
    found = []
    if not gone and not (closed and closes is not None and not closes.at_earliest):
        found += _restricted(host, known, day)
    if closes is not None and (closed or not gone):
        found.append(_closed(host, name, closes, day) if closed else _closing_soon(host, name, closes, day))
    if ends is not None:
        found.append(_ended(host, known, name, ends, day))
    return found


def _closing(host: Host, known: Named | None) -> _End | None:
    given = (host.lifecycle.training_closes, known.entry.lifecycle.training_closes if known else None)
    return _earliest(host, given)


def _ending(host: Host, known: Named | None, provider_says: date | None) -> _End | None:
    given = (host.lifecycle.answers_until, known.entry.lifecycle.answers_until if known else None)
    found = _earliest(host, given)
    if provider_says is not None and (found is None or provider_says < found.day):
        return _End(provider_says, f"{host.name}'s own list of models")
    return found


def _earliest(host: Host, given: tuple[Deadline | None, ...]) -> _End | None:
    ends = [_End(end.value, _by(host, end), end.at_earliest) for end in given if end is not None]
    return min(ends, key=lambda end: end.day, default=None)


def _by(host: Host, end: Deadline) -> str:
    source = host.sources[end.source]
    return f"{source.title}, read {source.read.isoformat()}"


def _restricted(host: Host, known: Named | None, day: date) -> list[Finding]:
    rows = (*host.lifecycle.restricted, *(known.entry.lifecycle.restricted if known else ()))
    if not rows:
        return []
    sentences = [
        f"{'Since' if row.since.value <= day else 'From'} {row.since.value}, only {row.who} may create jobs."
        for row in sorted(rows, key=lambda row: row.since.value)
    ]
    severity = _severity(min(row.since.value for row in rows), day)
    fix = "If your account is not one of them, the call that creates the job is refused (403) and costs nothing."
    return [finding("customers-only", f"{host.name}: {' '.join(sentences)}", fix, severity=severity)]


def _closed(host: Host, name: str, end: _End, day: date) -> Finding:
    fix = "Move the spec: `backend` and `model` are what changes."
    if end.at_earliest:
        message = f"{host.name} promised training of {name} until {end.day} only; it may have closed since ({end.by})."
        return finding("training-closed", message, fix, severity="warning")
    ago = (day - end.day).days
    return finding("training-closed", f"{host.name} takes no new jobs after {end.day}, {_days(ago)} ago ({end.by}).", fix)


def _closing_soon(host: Host, name: str, end: _End, day: date) -> Finding:
    left = _days((end.day - day).days)
    if end.at_earliest:
        message = f"{host.name} promises training of {name} until {end.day}, {left} from now, and says nothing of later days ({end.by})."
    else:
        message = f"{host.name} takes no new jobs after {end.day}, {left} from now ({end.by})."
    fix = "Create the job before then; tuning again later will need another backend."
    return finding("training-closing", message, fix, severity=_severity(end.day, day))


def _ended(host: Host, known: Named | None, name: str, end: _End, day: date) -> Finding:
    successor = known.entry.lifecycle.replaced_by if known else None
    after = ""
    if successor is not None:
        tunable = ", which cannot be tuned" if successor.value in host.not_tunable else ""
        after = f" {host.name} names {successor.value} as its successor{tunable}."
    if end.day <= day:
        message = f"{name}, and every model tuned on it, stopped answering at {host.name} on {end.day} ({end.by}).{after}"
        return finding("model-gone", message, "Take another model or backend.")
    left = _days((end.day - day).days)
    message = f"{name}, and every model tuned on it, stops answering at {host.name} on {end.day}, {left} from now ({end.by}).{after}"
    fix = "Weigh what it costs against the days it can be used, or train where the weights are yours."
    return finding("model-closing", message, fix, severity=_severity(end.day, day))


def _severity(end: date, day: date) -> Literal["warning", "info"]:
    return "warning" if end - day <= timedelta(days=WARN_DAYS) else "info"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
