"""Which hosts are over their time, and their end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from anytune.deploy import STOP_TIMEOUT_S, Deployment
from anytune.errors import AnytuneError
from anytune.runtime import Runtime, runtime
from anytune.values import now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

__all__ = ["due", "end", "overdue"]

_STOPPING = timedelta(seconds=30)
"""Who stops a host looks at it every few seconds; where nobody looked for so long, nobody stops it any more."""


def due(deployment: Deployment, at: datetime | None = None) -> bool:
    """Tell whether a host should be gone: its time is over, or its end was asked for and never confirmed."""
    row, at = deployment.row, at or now()
    if row.state == "gone":
        return False
    abandoned = row.stop_requested and (row.remote_id is None or at - row.updated_at > _STOPPING)
    return at >= row.expires_at or abandoned


def overdue(context: Runtime | None = None) -> Sequence[Deployment]:
    """Give the deployments that are due, but for those of other machines' own, which only those machines can end."""
    context = context or runtime()
    at = context.ledger.clock()
    return [deployment for deployment in Deployment.list(context=context) if due(deployment, at) and not _theirs(deployment)]


def end(
    deployments: Iterable[Deployment], *, timeout_s: float = STOP_TIMEOUT_S
) -> tuple[list[Deployment], list[tuple[Deployment, AnytuneError]]]:
    """Stop hosts one after the other; one that fails does not keep the others.

    Args:
        deployments: Which.
        timeout_s: Seconds that each may take until it is confirmed gone.

    Returns:
        Those that are gone, and those that are not, each with the reason: they may still cost money.
    """
    gone: list[Deployment] = []
    failed: list[tuple[Deployment, AnytuneError]] = []
    for deployment in deployments:
        try:
            gone.append(deployment.stop(timeout_s=timeout_s))
        except AnytuneError as error:
            failed.append((deployment, error))
    return gone, failed


def _theirs(deployment: Deployment) -> bool:
    try:
        return deployment.elsewhere
    except AnytuneError:  # its plugin or its key is missing here: whoever asks for the end shall hear of it
        return False
