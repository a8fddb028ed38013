"""The way to a host's end: which one it is, whether its backend takes the wish, and until when nobody can say that it is gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.backend import RemoteDeployment
from anytune.errors import AnytuneError, NotFound, Transient, WaitTimeout
from anytune.pauses import host_pauses

if TYPE_CHECKING:
    from datetime import datetime

    from anytune.backend import Backend
    from anytune.ledger import DeploymentRow
    from anytune.retry import Retry
    from anytune.runtime import Runtime

__all__ = ["absent", "ended", "located", "refused", "unsettled_s"]

_ASKING_S = 900.0
"""How long somebody may be asking for a host that the ledger has no answer for: the retry layer's five minutes, and clocks that differ."""


def ended(row: DeploymentRow, backend: Backend, context: Runtime, *, timeout_s: float) -> RemoteDeployment:
    """Ask for a host's end until its backend confirms it; each look goes into the ledger.

    Returns:
        The last look: gone.

    Raises:
        WaitTimeout: It is not confirmed within `timeout_s` seconds.
        BackendError: The backend refuses, or cannot be asked.
    """
    deadline = context.clock() + timeout_s
    pause = host_pauses(backend)
    asked, why = False, ""
    while True:
        remote_id = row.remote_id
        if remote_id is None:
            made = located(row, backend, context.retry)
            if made is not None:
                row, remote_id = context.ledger.record_deployment(row.id, made), made.id
        if remote_id is None and unsettled_s(row, backend, context.ledger.clock()) <= 0:
            return _recorded(row, absent(row), context)
        if remote_id is not None and not asked:
            why = refused(remote_id, backend, context.retry)
            asked = not why
        if remote_id is not None and (seen := _looked(remote_id, backend, context.retry)) is not None:
            _recorded(row, seen, context)
            if seen.state == "gone":
                return seen
        if context.clock() >= deadline:
            if remote_id is None:
                left_s = unsettled_s(row, backend, context.ledger.clock())
                why = f"Whether it was made is not known: {row.backend} lists no such host, and the listing may lag by {left_s:.0f} s more."
            raise _unconfirmed(row, timeout_s, why)
        context.sleep(pause())


def located(row: DeploymentRow, backend: Backend, retry: Retry) -> RemoteDeployment | None:
    """Look for a host whose making was never answered: by our mark in the listing, else by our own id; None where nothing shows.

    Somebody may have changed the marks in the provider's portal, and a backend may know the host by its name all the same.

    Raises:
        BackendError: The backend could not be asked.
    """
    if "list_deployments" in backend.capabilities.abilities:
        listed = retry.read(backend.list_deployments, backend=backend)
        made = next((host for host in listed if host.ref == row.id), None)
        if made is not None:
            return made
    try:
        seen = retry.read(lambda: backend.poll_deployment(row.id), backend=backend)
    except NotFound:
        return None
    return None if seen.state == "gone" else seen


def unsettled_s(row: DeploymentRow, backend: Backend, at: datetime) -> float:
    """Give the seconds until a listing that does not show the host proves that there is none.

    They count from the last sign of who asked for it: the wish for its end, which whoever lost the reply writes down. Without one, somebody
    may be asking for it still.

    Args:
        row: The host.
        backend: Where it would be.
        at: The time, by the ledger's clock.
    """
    settle_s = backend.capabilities.settle_s
    late = (at - row.created_at).total_seconds() - _ASKING_S
    since = (at - row.updated_at).total_seconds() if row.stop_requested else 0.0
    return max(0.0, settle_s - max(late, since, 0.0))


def absent(row: DeploymentRow) -> RemoteDeployment:
    """Say of a host that it was never made."""
    return RemoteDeployment(id=row.id, state="gone", error="It was never made: the backend lists no such host.")


def refused(remote_id: str, backend: Backend, retry: Retry) -> str:
    """Ask for the end, and give why it cannot be taken now, as of a host that is still being made; empty where it was taken.

    Raises:
        BackendError: The backend refuses for good.
    """
    try:
        retry.write(lambda: backend.undeploy(remote_id), backend=backend)
    except NotFound:  # whether that is its end, a look says
        return ""
    except AnytuneError as error:
        if not isinstance(error, Transient):
            raise
        return error.message
    return ""


def _looked(remote_id: str, backend: Backend, retry: Retry) -> RemoteDeployment | None:
    """Look at a host; None where it cannot be seen now. Billing goes on until the provider itself says that there is no such host."""
    try:
        return retry.read(lambda: backend.poll_deployment(remote_id), backend=backend)
    except NotFound:
        return RemoteDeployment(id=remote_id, state="gone")


def _recorded(row: DeploymentRow, seen: RemoteDeployment, context: Runtime) -> RemoteDeployment:
    context.ledger.record_deployment(row.id, seen)
    return seen


def _unconfirmed(row: DeploymentRow, timeout_s: float, why: str) -> WaitTimeout:
    bill = f" It may still cost money: ${row.hourly_usd:,.2f} an hour." if row.hourly_usd else " It may still cost money."
    return WaitTimeout(
        f"Deployment {row.id} of {row.model['id']} is not confirmed gone after {timeout_s:.0f} s.{bill} {why}".rstrip(),
        fix=f"`anytune deployments stop {row.id}` asks again, as `anytune reconcile` does.",
    )
