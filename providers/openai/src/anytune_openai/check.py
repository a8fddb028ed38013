"""What speaks against a run, found by reading only: the protocol's limits, the host's own word, and whether the account has tuned before.

Codes of its own: `host-limit` (error): a setting is outside of what the protocol takes. `integration` (error): a tracker lacks what it
needs. `clear-text` (warning): key and rows would cross a network unencrypted. Else it uses core's.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from anytune import catalog
from anytune.codes import finding
from anytune.errors import ConfigError
from anytune.values import Finding
from anytune_openai.orders import integrations
from anytune_openai.replies import record
from anytune_openai.settings import trackers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune.spec import TrainingSpec
    from anytune.values import LocalFile
    from anytune_openai.wire import WireBackend

__all__ = ["clear_text", "findings", "limits"]

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_MOST_EPOCHS, _MOST_BATCH, _MOST_BETA = 50, 256, 2.0
"""OpenAI's description of its API, create fine-tuning job, read 2026-11-22."""


def findings(backend: WireBackend, spec: TrainingSpec, data: Sequence[LocalFile]) -> list[Finding]:  # noqa: ARG001 - as `Backend.check`
    """Look at the spec, then ask the host for the model and for one job of the account.

    Args:
        backend: Who would train.
        spec: What is wanted.
        data: The data files; core looks at them.

    Raises:
        openai.OpenAIError: The host cannot be asked: as the client raises it.
    """
    host = backend.dialect.host
    found = [*clear_text(backend.connection.base_url), *limits(spec, host), *_integrations(backend, spec)]
    model = spec.model_for(spec.backend, backend.name)
    return [*found, *_model(backend, model, spec.method.type), *_customers(backend)]


def limits(spec: TrainingSpec, host: str = "OpenAI") -> list[Finding]:
    """Hold the settings against the protocol's limits; nothing is asked."""
    method = spec.method
    epochs, batch, beta = method.num_train_epochs, method.batch_size, getattr(method, "beta", None)
    found = []
    if epochs is not None and (not float(epochs).is_integer() or not 1 <= epochs <= _MOST_EPOCHS):
        found.append(_limit(host, "num_train_epochs", epochs, f"whole epochs from 1 to {_MOST_EPOCHS}, or `auto`"))
    if isinstance(batch, int) and not 1 <= batch <= _MOST_BATCH:
        found.append(_limit(host, "batch_size", batch, f"1 to {_MOST_BATCH} rows a step, or `auto`"))
    if isinstance(beta, (int, float)) and not 0 < beta <= _MOST_BETA:
        found.append(_limit(host, "beta", beta, f"more than 0, up to {_MOST_BETA:g}, or `auto`"))
    return found


def _limit(host: str, name: str, value: object, takes: str) -> Finding:
    return Finding(severity="error", code="host-limit", message=f"`{name}` is {value}, and {host} takes {takes}.", fix=f"Change `{name}`.")


def clear_text(base_url: str) -> list[Finding]:
    """Warn of an address that is neither encrypted nor on this machine."""
    parts = urlsplit(base_url)
    if parts.scheme == "https" or parts.hostname in _LOOPBACK:
        return []
    message = f"The key and the rows would go to {parts.hostname} over http, readable on the way."
    fix = "Write https:// in `base_url`; leave http to a network that is all yours."
    return [Finding(severity="warning", code="clear-text", message=message, fix=fix)]


def _integrations(backend: WireBackend, spec: TrainingSpec) -> list[Finding]:
    names = trackers(spec)
    if not names or "report_to" not in backend.capabilities.settings:
        return []
    found = []
    others = [name for name in names if name != "wandb"]
    if others:
        message = f"{backend.dialect.host} reports to wandb alone, not to {', '.join(others)}."
        fix = "Leave it out: events and metrics are kept in the ledger anyway."
        found.append(finding("lost", message, fix, severity="error" if spec.strict else "warning"))
    try:
        integrations(names, backend.integrations)
    except ConfigError as error:
        found.append(Finding(severity="error", code="integration", message=error.message, fix=error.fix))
    return found


def _model(backend: WireBackend, model: str, method: str) -> list[Finding]:
    """Ask the host for the model: whether it is there, and whether a day is told on which it ends."""
    from openai import NotFoundError, PermissionDeniedError  # noqa: PLC0415 - loaded with the client

    host = backend.dialect.host
    try:
        described = record(backend.client.models.with_raw_response.retrieve(model))
    except NotFoundError:
        missing = finding("not-tunable", f"{host} has no model {model!r} for this key.", "Check its name.")
        return [missing if backend.catalog else missing.model_copy(update={"severity": "warning"})]  # others may list only what answers
    except PermissionDeniedError:
        fix = "It may be refused when the job is created, before it costs anything."
        return [finding("not-checked", f"The key may not read {host}'s models, so {model} was not looked up.", fix)]
    ends = _day(described.get("shutdown_date"))
    if ends is None or backend.catalog is None:
        return []
    known = {(one.code, one.message) for one in catalog.findings(backend.catalog, model, method)}
    said = catalog.findings(backend.catalog, model, method, provider_says=ends)
    return [one for one in said if (one.code, one.message) not in known]


def _customers(backend: WireBackend) -> list[Finding]:
    """Say that the account shows no job, where only those that have tuned before may go on."""
    from openai import PermissionDeniedError  # noqa: PLC0415 - loaded with the client

    if backend.catalog is None or not backend.dialect.closes:
        return []
    try:
        jobs = record(backend.client.fine_tuning.jobs.with_raw_response.list(limit=1)).get("data")
    except PermissionDeniedError:
        return []
    if jobs:
        return []
    message = f"This key's project shows no fine-tuning job, and {backend.dialect.host} takes jobs only from who has tuned before."
    fix = "If another project of the organisation has, all is well; else the create is refused (403) and costs nothing."
    return [finding("customers-only", message, fix, severity="warning")]


def _day(text: Any) -> date | None:
    try:
        return date.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
