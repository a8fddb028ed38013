"""Models that answer without a host of their own: where, and from when on."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from anytune.backend import RemoteDeployment
from anytune.errors import NotFound
from anytune.values import ModelRef

if TYPE_CHECKING:
    from anytune.backend import Backend
    from anytune.ledger import DeploymentRow
    from anytune.runtime import Runtime

__all__ = ["look"]

_NEW = timedelta(hours=1)
"""How long after its job's end a model that does not answer is taken for one that does not answer *yet*. Providers promise nothing; users
report minutes (read 2026-11-22). An older one that is not found was deleted, or belongs to another account."""


def look(row: DeploymentRow, backend: Backend, context: Runtime) -> RemoteDeployment:
    """Ask once where the model of a row answers: `ready`, or `starting` while a model that was just made does not answer yet.

    It bills nothing by the hour on one's own machine and at hosts that the catalogue knows; of others that is not known.

    Raises:
        NotFound: No such model answers, and none of ours was just made.
        BackendError: The backend could not be asked.
    """
    model = ModelRef.model_validate(row.model)
    hourly_usd = 0.0 if backend.capabilities.local else _by_the_hour(backend.catalog)
    try:
        address = context.retry.read(lambda: backend.address(model), backend=backend)
    except NotFound as error:
        if not _just_made(row, context):
            raise
        return RemoteDeployment(id=model.id, state="starting", hourly_usd=hourly_usd, error=str(error))
    return RemoteDeployment(id=model.id, state="ready", address=address, hourly_usd=hourly_usd)


def _by_the_hour(host: str | None) -> float | None:
    from anytune import catalog  # noqa: PLC0415 - models of one's own machine need none

    known = None if host is None else catalog.hosting(host)
    return known.hourly_usd if known else None


def _just_made(row: DeploymentRow, context: Runtime) -> bool:
    if row.job_id is None:
        return False
    try:
        ended_at = context.ledger.job(row.job_id).ended_at
    except NotFound:
        return False
    return ended_at is None or context.ledger.clock() - ended_at < _NEW
