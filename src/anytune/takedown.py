"""Steps towards a host's end: which one it is, and whether its backend takes the wish."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.errors import AnytuneError, NotFound, Transient

if TYPE_CHECKING:
    from anytune.backend import Backend, RemoteDeployment
    from anytune.ledger import DeploymentRow
    from anytune.retry import Retry

__all__ = ["located", "refused"]


def located(row: DeploymentRow, backend: Backend, retry: Retry) -> RemoteDeployment | None:
    """Look for a host whose making was never answered: by our mark in the listing, else by our own id; None where nothing shows.

    Somebody may have changed the marks in the provider's portal, and a backend may know the host by its name all the same.

    Raises:
        BackendError: The backend could not be asked.
    """
    listed = retry.read(backend.list_deployments, backend=backend)
    made = next((host for host in listed if host.ref == row.id), None)
    if made is not None:
        return made
    try:
        seen = retry.read(lambda: backend.poll_deployment(row.id), backend=backend)
    except NotFound:
        return None
    return None if seen.state == "gone" else seen


def refused(remote_id: str, backend: Backend, retry: Retry) -> str:
    """Ask for the end, and give why it cannot be taken now, as of a host that is still being made; empty where it was taken.

    Raises:
        BackendError: The backend refuses for good.
    """
    try:
        retry.write(lambda: backend.undeploy(remote_id), backend=backend)
    except AnytuneError as error:
        if not isinstance(error, Transient):
            raise
        return error.message
    return ""
