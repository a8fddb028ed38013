"""Which files a backend holds already, and who is sending one right now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import select

from anytune.backend import RemoteFile
from anytune.ledger import tables
from anytune.ledger.engine import alone
from anytune.ledger.sender import Sender

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

__all__ = ["FileKey", "finish", "forget", "held", "held_since", "sent_since", "start"]

_FILES = tables.files

FileKey = tuple[str, str, str]
"""Backend, account, sha256."""


class Unfinished(NamedTuple):
    """A file that somebody began to send, and who."""

    key: FileKey
    sender: Sender


def held(connection: Connection, key: FileKey) -> RemoteFile | None:
    """Give the file, if the backend holds it."""
    row = connection.execute(select(_FILES).where(_at(key), _FILES.c.remote_id.is_not(None))).one_or_none()
    return None if row is None else RemoteFile(id=row.remote_id, sha256=row.sha256, size_bytes=row.size_bytes)


def held_since(connection: Connection, key: FileKey) -> datetime | None:
    """Tell when it was written down that the backend holds the file."""
    found: datetime | None = connection.execute(select(_FILES.c.updated_at).where(_at(key), _FILES.c.remote_id.is_not(None))).scalar()
    return found


def sent_since(connection: Connection, key: FileKey) -> datetime | None:
    """Tell since when somebody sends the file, if somebody does."""
    found: datetime | None = connection.execute(select(_FILES.c.updated_at).where(_at(key), _FILES.c.remote_id.is_(None))).scalar()
    return found


def start(
    connection: Connection, key: FileKey, *, size_bytes: int, sender: Sender, over: Sender | None, now: datetime
) -> RemoteFile | Sender | None:
    """Take the right to send a file, also from `over`, a sender that was found dead.

    Gives None, or instead the file, if it arrived meanwhile, or the sender that has the right.
    """
    _alone(connection, key)
    row = connection.execute(select(_FILES).where(_at(key))).one_or_none()
    if row is not None and row.remote_id is not None:
        return RemoteFile(id=row.remote_id, sha256=row.sha256, size_bytes=row.size_bytes)
    if row is not None:
        holder = Sender.model_validate(row.sender)
        if holder != over:
            return holder
    _write(connection, key, size_bytes=size_bytes, remote_id=None, sender=sender.model_dump(mode="json"), updated_at=now)
    return None


def finish(connection: Connection, key: FileKey, file: RemoteFile, *, now: datetime) -> None:
    """Write down that the backend holds the file."""
    _alone(connection, key)
    _write(connection, key, size_bytes=file.size_bytes, remote_id=file.id, sender=None, updated_at=now)


def forget(connection: Connection, key: FileKey, *, remote_id: str | None = None) -> None:
    """Forget a file, or that somebody sends it; with `remote_id` only where that is still the file."""
    here = _at(key) if remote_id is None else _at(key) & (_FILES.c.remote_id == remote_id)
    connection.execute(_FILES.delete().where(here))


def unfinished(connection: Connection) -> list[Unfinished]:
    """Give the files that are on their way up, or were when their sender died."""
    rows = connection.execute(select(_FILES).where(_FILES.c.remote_id.is_(None)))
    return [Unfinished((row.backend, row.account, row.sha256), Sender.model_validate(row.sender)) for row in rows]


def give_up(connection: Connection, held: Unfinished) -> None:
    """Forget that a sender sends a file, unless somebody else does by now, or it arrived."""
    row = connection.execute(select(_FILES).where(_at(held.key)).with_for_update()).one_or_none()
    if row is not None and row.remote_id is None and Sender.model_validate(row.sender) == held.sender:
        forget(connection, held.key)


def _alone(connection: Connection, key: FileKey) -> None:
    alone(connection, f"file {'/'.join(key)}")


def _write(connection: Connection, key: FileKey, **values: Any) -> None:
    backend, account, sha256 = key
    if connection.execute(_FILES.update().where(_at(key)).values(**values)).rowcount == 0:
        connection.execute(_FILES.insert().values(backend=backend, account=account, sha256=sha256, **values))


def _at(key: FileKey) -> Any:
    backend, account, sha256 = key
    return (_FILES.c.backend == backend) & (_FILES.c.account == account) & (_FILES.c.sha256 == sha256)
