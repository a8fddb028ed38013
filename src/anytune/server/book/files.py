"""Files that clients sent, or that jobs left for them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import func, select

from anytune.ledger import server_tables
from anytune.server.book.part import Part, of_owner, one_at_a_time, row_of
from anytune.server.book.rows import FileRow
from anytune.server.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Connection, Row

__all__ = ["Files", "hold_to", "insert_file", "stored"]

_FILES = server_tables.files
_JOBS = server_tables.jobs
_PARTS = server_tables.parts
_UPLOADS = server_tables.uploads
_ID = re.compile(r"file-[A-Za-z0-9]{24}")
_WAITING = ("received", "checked", "submitted")
"""Stages of orders whose files are still to be read, as long as no backend has them: one that is away takes none for hours."""
_AT_ONCE = 500


class Files(Part):
    """Files that clients sent, or that jobs left for them."""

    def add(
        self,
        owner: str,
        file_id: str,
        filename: str,
        purpose: str,
        size_bytes: int,
        sha256: str,
        *,
        expires_at: datetime | None = None,
        most_bytes: int | None = None,
    ) -> FileRow:
        """Write down a file whose bytes are in the store.

        Args:
            owner: Whose it is.
            file_id: The id under which the store has it.
            filename: What the client calls it.
            purpose: OpenAI's word for what it is for.
            size_bytes: Its length.
            sha256: Its hash.
            expires_at: When it is to be deleted; None for never.
            most_bytes: What the owner may keep, this file among it; None for no limit.

        Raises:
            ApiError: 400: it is more than the owner may keep.
        """
        with self.database.write() as connection:
            one_at_a_time(connection, owner)
            hold_to(connection, owner, size_bytes, most_bytes)
            values = {"filename": filename, "purpose": purpose, "size_bytes": size_bytes, "sha256": sha256, "expires_at": expires_at}
            return insert_file(connection, id=file_id, owner=owner, created_at=self.clock(), **values)

    def get(self, file_id: str, owner: str | None) -> FileRow:
        """Give a file.

        Args:
            file_id: Its id.
            owner: Whose it must be; None for anybody's.

        Raises:
            ApiError: 404: there is none, or it is somebody else's.
        """
        with self.database.read() as connection:
            return _one(connection, file_id, owner)

    def listed(
        self,
        owner: str | None,
        *,
        purpose: str | None = None,
        order: Literal["asc", "desc"] = "desc",
        after: str | None = None,
        limit: int = 10_000,
    ) -> tuple[list[FileRow], bool]:
        """Give files, and whether there are more.

        Args:
            owner: Whose; None for everybody's.
            purpose: Only those of this purpose.
            order: `desc` for the newest first.
            after: The id of the last one that the client has.
            limit: How many at most.

        Raises:
            ApiError: 404: there is no file `after`.
        """
        query = of_owner(_FILES, owner).order_by(_FILES.c.sequence.asc() if order == "asc" else _FILES.c.sequence.desc()).limit(limit + 1)
        if purpose is not None:
            query = query.where(_FILES.c.purpose == purpose)
        with self.database.read() as connection:
            if after is not None:
                last = _one(connection, after, owner, param="after").sequence
                query = query.where(_FILES.c.sequence > last if order == "asc" else _FILES.c.sequence < last)
            found = [_file(row) for row in connection.execute(query)]
        return found[:limit], len(found) > limit

    def remove(self, file_id: str) -> None:
        """Forget a file."""
        with self.database.write() as connection:
            connection.execute(_FILES.delete().where(_FILES.c.id == file_id))

    def stored_bytes(self, owner: str) -> int:
        """Count what an owner keeps: files, and parts of uploads that are open."""
        with self.database.read() as connection:
            return stored(connection, owner)

    def needed(self, file_id: str) -> list[str]:
        """Give the ids of orders that are still to read a file."""
        with self.database.read() as connection:
            return _needing(connection).get(file_id, [])

    def expired(self) -> list[FileRow]:
        """Give the files whose time is over and which no order is still to read."""
        with self.database.read() as connection:
            found = connection.execute(select(_FILES).where(_FILES.c.expires_at <= self.clock()).order_by(_FILES.c.sequence)).all()
            needed = _needing(connection) if found else {}
            return [_file(row) for row in found if row.id not in needed]

    def known(self, ids: Collection[str]) -> set[str]:
        """Give those of the ids that a file or a part has."""
        given = list(ids)
        found: set[str] = set()
        with self.database.read() as connection:
            for start in range(0, len(given), _AT_ONCE):
                some = given[start : start + _AT_ONCE]
                for column in (_FILES.c.id, _PARTS.c.id):
                    found.update(connection.execute(select(column).where(column.in_(some))).scalars())
        return found


def insert_file(connection: Connection, **values: Any) -> FileRow:
    """Write a file's row inside the caller's transaction."""
    return _file(connection.execute(_FILES.insert().values(**values).returning(_FILES)).one())


def stored(connection: Connection, owner: str) -> int:
    """Count an owner's bytes inside the caller's transaction."""
    files = select(func.coalesce(func.sum(_FILES.c.size_bytes), 0)).where(_FILES.c.owner == owner)
    parts = (
        select(func.coalesce(func.sum(_PARTS.c.size_bytes), 0))
        .join(_UPLOADS, _UPLOADS.c.id == _PARTS.c.upload_id)
        .where(_UPLOADS.c.owner == owner)
    )
    return int(connection.execute(files).scalar_one()) + int(connection.execute(parts).scalar_one())


def hold_to(connection: Connection, owner: str, more_bytes: int, most_bytes: int | None) -> None:
    """Refuse what is more than an owner may keep.

    Raises:
        ApiError: 400: it is more.
    """
    if most_bytes is not None and (kept := stored(connection, owner)) + more_bytes > most_bytes:
        said = f"You keep {kept:,} bytes of files and may keep {most_bytes:,}: {more_bytes:,} more are too many. Delete files first."
        raise ApiError(400, said, code="storage_limit_exceeded")


def _one(connection: Connection, file_id: str, owner: str | None, *, param: str = "id") -> FileRow:
    row = connection.execute(of_owner(_FILES, owner).where(_FILES.c.id == file_id)).one_or_none() if _ID.fullmatch(file_id) else None
    if row is None:
        raise ApiError(404, f"No such File object: {file_id}", param=param)
    return _file(row)


def _file(row: Row[Any]) -> FileRow:
    return row_of(FileRow, row)


def _needing(connection: Connection) -> dict[str, list[str]]:
    """Give the orders that are still to read files, by file. Read here: databases disagree about keys in JSON."""
    found: dict[str, list[str]] = {}
    waiting = _JOBS.c.stage.in_(_WAITING) & _JOBS.c.ledger_id.is_(None)
    for row in connection.execute(select(_JOBS.c.id, _JOBS.c.request).where(waiting).order_by(_JOBS.c.sequence)):
        for field in ("training_file", "validation_file"):
            if isinstance(file_id := row.request.get(field), str):
                found.setdefault(file_id, []).append(row.id)
    return found
