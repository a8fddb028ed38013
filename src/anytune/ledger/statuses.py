"""The status machine: which observation moves a job, and which does not."""

from __future__ import annotations

from anytune.values import Status

__all__ = ["following"]

_RANK = {
    Status.SUBMITTING: 0,
    Status.QUEUED: 1,
    Status.RUNNING: 2,
    Status.PAUSED: 2,
    Status.SUCCEEDED: 3,
    Status.FAILED: 3,
    Status.CANCELLED: 3,
}


def following(current: Status, observed: Status) -> Status:
    """Give the status after an observation: `submitting → queued → running ⇄ paused → succeeded | failed | cancelled`.

    A terminal status never changes. `unknown` gives way to anything, and replaces anything but a terminal status. An observation that would
    go back (a late reply that says `queued` of a running job) moves nothing; only a paused job may queue again, once it was resumed.

    Example:
        >>> following(Status.RUNNING, Status.QUEUED).value
        'running'
    """
    if current.terminal:
        return current
    if Status.UNKNOWN in {current, observed}:
        return observed
    if (current, observed) == (Status.PAUSED, Status.QUEUED):
        return observed
    return observed if _RANK[observed] >= _RANK[current] else current
