"""Whether a host that was asked for answers by now, may still come, or never will."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.errors import DeploymentFailed, WaitTimeout

if TYPE_CHECKING:
    from anytune.backend import RemoteDeployment
    from anytune.ledger import DeploymentRow
    from anytune.values import Address

__all__ = ["arrived"]


def arrived(row: DeploymentRow, seen: RemoteDeployment, *, waited_s: float | None) -> Address | None:
    """Give the address of a host that answers; None while it may still come.

    Args:
        row: The ledger's row of it.
        seen: What the last look showed.
        waited_s: Seconds of a patience that has ended; None while there is some left.

    Raises:
        DeploymentFailed: It will not come.
        WaitTimeout: Patience ended; it goes on, and costs on.
    """
    if seen.state == "ready" and seen.address is not None:
        return seen.address
    said = f"Deployment {row.id} of {row.model['id']} is {seen.state}"
    if seen.state in {"failed", "gone", "stopping"}:
        fix = "Correct what the message names, then deploy again."
        raise DeploymentFailed(f"{said}. {seen.error}".strip(), fix=fix, backend=row.backend)
    if waited_s is not None:
        bill = f" It bills ${row.hourly_usd:,.2f} an hour until it is gone." if row.hourly_usd else ""
        fix = f"Wait again, or stop it: `anytune deployments stop {row.id}`."
        raise WaitTimeout(f"{said} after {waited_s:.0f} s. {seen.error}".strip() + bill, fix=fix, backend=row.backend)
    return None
