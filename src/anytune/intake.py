"""From what a caller says to a row in the ledger: arguments become a spec, the spec is checked, the name is claimed."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune import posting
from anytune.budget import budgeted, spent
from anytune.costs import Spent, so_far
from anytune.errors import AnytuneError
from anytune.looking import made_room
from anytune.model import TunedModel
from anytune.observe import keep
from anytune.paths import host
from anytune.preflight import Preflight, describe, preflight
from anytune.spec import TrainingSpec, spec_hash

if TYPE_CHECKING:
    from collections.abc import Callable

    from anytune.backend import Backend
    from anytune.ledger import JobRow
    from anytune.ledger.reconcile import OnInDoubt
    from anytune.runtime import Runtime
    from anytune.values import LocalFile, Quote

__all__ = ["actual", "attached", "checked", "claimed", "known", "sent", "wanted", "word"]

_log = logging.getLogger(__name__)


def wanted(
    spec: TrainingSpec | Path | str | None,
    backend: str | Backend | None,
    model: str | dict[str, str] | TunedModel | None,
    settings: dict[str, Any],
    context: Runtime,
) -> tuple[TrainingSpec, Backend]:
    """Put spec and arguments together, and configure who trains."""
    if isinstance(spec, str | Path):
        spec = TrainingSpec.read(Path(spec))
    given = dict(settings)
    if backend is not None:
        given["backend"] = word(backend)
    if model is not None:
        given["model"] = model.id if isinstance(model, TunedModel) else model
    if spec is not None:
        given = {name: getattr(spec, name) for name in spec.model_fields_set} | given
    whole = TrainingSpec(**given)
    return whole, context.backend(backend if backend is not None else whole.backend)


def word(backend: str | Backend) -> str:
    """Give the word that a backend is named by: as it was said, or its own name."""
    return backend if isinstance(backend, str) else backend.name


def known(spec: TrainingSpec, backend: Backend, context: Runtime) -> JobRow | None:
    """Give the job of this key if there is one at the backend, so that nothing is checked or quoted twice."""
    row = context.ledger.latest(backend=backend.name, account=backend.account, name=spec.job_name)
    if row is None or row.submit_state in {"intent", "rejected"}:
        return None
    return claim(spec, backend, context, describe(spec), new_attempt=False)


def claimed(
    spec: TrainingSpec,
    backend: Backend,
    context: Runtime,
    *,
    new_attempt: bool,
    on_preflight: Callable[[Preflight], Any] | None = None,
    **options: Any,
) -> JobRow:
    """Check everything that can be known, then take the name. `options` as for `checked`.

    Raises:
        AnytuneError: As `Preflight.raise_if_bad` and `Ledger.claim` do.
    """
    found = checked(spec, backend, context, **options)
    if on_preflight is not None:
        on_preflight(found)
    found.raise_if_bad()
    return claim(spec, backend, context, found.data, new_attempt=new_attempt, found=found)


def claim(
    spec: TrainingSpec,
    backend: Backend,
    context: Runtime,
    data: dict[str, LocalFile],
    *,
    new_attempt: bool,
    found: Preflight | None = None,
) -> JobRow:
    """Take the name in the ledger: the row that decides which job it is.

    The data's hashes are those of the files as they were given, so that a job stays the same job when anytune learns to convert better.
    """
    model = spec.model_for(spec.backend, backend.name)
    row, _ = context.ledger.claim(
        backend=backend.name,
        account=backend.account,
        name=spec.job_name,
        profile=spec.backend,
        spec=spec,
        spec_hash=spec_hash(spec, model=model, data={role: file.sha256 for role, file in data.items()}),
        model=model,
        data=data if found is None else found.uploads,
        sources={role: file.sha256 for role, file in data.items()},
        host=host(),
        new_attempt=new_attempt,
        losses=found.losses if found else (),
        findings=found.findings if found else (),
        estimate=found.quote if found else None,
    )
    return row


def sent(row: JobRow, backend: Backend, context: Runtime, *, on_in_doubt: OnInDoubt | None = None) -> JobRow:
    """Bring a job to its backend, or write down what it waits for. A budget gets somebody who holds it when nobody looks.

    Raises:
        BackendError: As `anytune.ledger.submit` does.
    """
    from anytune.ledger import submit  # noqa: PLC0415 - SQLAlchemy is not needed to look at a job

    if row.waiting:
        made_room(row, backend, context)
    row = submit(context.ledger, backend, row, retry=context.retry, clock=context.clock, sleep=context.sleep, on_in_doubt=on_in_doubt)
    able = backend.capabilities
    if row.submit_state == "submitted" and budgeted(row) and not (able.local or able.scripted):
        try:
            posting.ensure(row.profile or row.backend, backend, context)
        except AnytuneError as error:  # the job runs, and every look holds it
            _log.warning("Nobody holds job %s to its budget while nobody looks at it: %s", row.id, error)
    return row


def actual(row: JobRow, context: Runtime) -> Quote:
    """Say what a run took so far, in a quote's fields; its basis says which dollars are estimated, and by the price of which day."""
    found = row.actual
    try:
        took = so_far(row, context.backend(row.profile or row.backend), context, at=context.ledger.clock())
    except AnytuneError:  # without its key or plugin, nobody knows which host it speaks to
        return found
    basis = "; ".join(dict.fromkeys(part for part in (took.basis, found.basis) if part))
    return found.model_copy(update={"cost_usd": took.usd, "minutes": found.minutes or took.minutes, "basis": basis})


def attached(backend: str | Backend, remote_id: str, name: str, context: Runtime) -> JobRow:
    """Take in a remote job with its events and metrics, under a name if this ledger has no row of it.

    Raises:
        NotFound: The backend knows no such job.
        ConfigError: The name is taken by another job.
    """
    from anytune.ledger import answer  # noqa: PLC0415 - SQLAlchemy is not needed to check a spec

    trainer = context.backend(backend)
    snapshot = context.retry.read(lambda: trainer.poll(remote_id), backend=trainer)
    answer(context.ledger, trainer, remote_id, retry=context.retry)
    row = context.ledger.attach(
        backend=trainer.name,
        account=trainer.account,
        profile=word(backend),
        remote_id=remote_id,
        name=name,
        host=host(),
        snapshot=snapshot,
    )
    keep(row, trainer, context)
    return row


def checked(spec: TrainingSpec, backend: Backend, context: Runtime, **options: Any) -> Preflight:
    """Run preflight, with what earlier attempts took; `options` as for `anytune.preflight.preflight`."""
    took = spent(backend, spec.job_name, context) if spec.budget else Spent()
    known: dict[str, Any] = {"spent": (took.usd or 0.0, took.minutes or 0.0), "ledger": lambda: context.ledger.uuid}
    return preflight(spec, backend, retry=context.retry, **known, **options)
