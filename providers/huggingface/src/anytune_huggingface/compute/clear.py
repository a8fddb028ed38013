"""What is cleared away when a job in a Space has ended, by its own runner or by whoever cancels it: so that nothing is billed any more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.errors import NotFound
from anytune_huggingface.hub.data import DataRepo
from anytune_huggingface.hub.errors import asking

if TYPE_CHECKING:
    from anytune_huggingface.hub.record import Record

__all__ = ["clear"]


def clear(record: Record, *, space: bool, data: bool) -> None:
    """Delete the Space of a job that succeeded or was cancelled; pause that of another one, which may be asked why or go on.

    Args:
        record: The job's record; its Space has the same name.
        space: Delete the Space; False only pauses it.
        data: Delete the job's data files too.

    Raises:
        AnytuneError: The Hub could not be asked, or refused.
    """
    hub = record.hub
    state = record.state()
    done = state is not None and state.status in {"finished", "cancelled"}
    if data and done:
        source = DataRepo(hub)
        for sha256 in dict(record.order().get("data") or {}).values():
            source.delete(str(sha256))
    try:
        with asking(record.repo):
            if space and done:
                hub.api.delete_repo(record.repo, repo_type="space", missing_ok=True, token=hub.bearer)
            else:
                hub.api.pause_space(record.repo, token=hub.bearer)
    except NotFound:
        return
