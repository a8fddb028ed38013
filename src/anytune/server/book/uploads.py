"""Files that come in parts."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from anytune.ledger import server_tables
from anytune.server.book.files import hold_to, insert_file
from anytune.server.book.part import Part, of_owner, one_at_a_time, row_of
from anytune.server.book.rows import PartRow, UploadRow
from anytune.server.errors import ApiError

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Row

    from anytune.server.store import Stored

__all__ = ["LIFE", "Uploads"]

LIFE = timedelta(hours=1)
"""How long an upload is open (OpenAI's reference, read 2026-11-22)."""

_UPLOADS = server_tables.uploads
_PARTS = server_tables.parts
_ID = re.compile(r"upload_[A-Za-z0-9]{24}")
_MOST_PARTS = 10_000
_GRACE = timedelta(minutes=10)
"""How long after its time an open upload keeps its parts: somebody may be joining them."""
_REMEMBERED = timedelta(days=30)
_OPEN = 1000
"""Uploads that one owner may have open."""


class Uploads(Part):
    """Files that come in parts."""

    def add(
        self,
        owner: str,
        upload_id: str,
        filename: str,
        purpose: str,
        mime_type: str,
        size_bytes: int,
        *,
        file_expires_s: int | None = None,
        most_bytes: int | None = None,
    ) -> UploadRow:
        """Begin an upload.

        Args:
            owner: Whose it is.
            upload_id: Its id.
            filename: What the client calls the file.
            purpose: OpenAI's word for what it is for.
            mime_type: What the client says of its content.
            size_bytes: The length that the file will have.
            file_expires_s: Seconds after which the file is to be deleted; None for never.
            most_bytes: What the owner may keep; None for no limit.

        Raises:
            ApiError: 400: it is more than the owner may keep. 429: too many uploads are open.
        """
        with self.database.write() as connection:
            one_at_a_time(connection, owner)
            hold_to(connection, owner, size_bytes, most_bytes)
            now = self.clock()
            mine = (_UPLOADS.c.owner == owner) & (_UPLOADS.c.status == "pending") & (_UPLOADS.c.expires_at > now)
            if connection.execute(select(func.count()).select_from(_UPLOADS).where(mine)).scalar_one() >= _OPEN:
                said = f"You have {_OPEN} uploads open. Complete or cancel some, or wait: each closes an hour after it was begun."
                raise ApiError(429, said, code="open_uploads_exceeded")
            values = {
                "id": upload_id,
                "owner": owner,
                "filename": filename,
                "purpose": purpose,
                "mime_type": mime_type,
                "size_bytes": size_bytes,
                "status": "pending",
                "file_expires_s": file_expires_s,
                "created_at": now,
                "expires_at": now + LIFE,
            }
            return _upload(connection.execute(_UPLOADS.insert().values(**values).returning(_UPLOADS)).one(), now)

    def get(self, upload_id: str, owner: str | None) -> UploadRow:
        """Give an upload; what was left open for an hour is `expired`.

        Args:
            upload_id: Its id.
            owner: Whose it must be; None for anybody's.

        Raises:
            ApiError: 404: there is none, or it is somebody else's.
        """
        with self.database.read() as connection:
            return self._one(connection, upload_id, owner)

    def parts(self, upload_id: str) -> list[PartRow]:
        """Give the parts of an upload that is open."""
        with self.database.read() as connection:
            return [_part(row) for row in connection.execute(select(_PARTS).where(_PARTS.c.upload_id == upload_id))]

    def add_part(self, upload_id: str, part_id: str, size_bytes: int, *, most_upload_bytes: int, most_bytes: int | None = None) -> PartRow:
        """Write down a part whose bytes are in the store.

        Args:
            upload_id: Which upload it belongs to.
            part_id: The id under which the store has it.
            size_bytes: Its length.
            most_upload_bytes: What all parts of an upload may have together.
            most_bytes: What the owner may keep; None for no limit.

        Raises:
            ApiError: 400: the upload is not open any more, or has too many parts or bytes.
        """
        with self.database.write() as connection:
            upload = self._one(connection, upload_id, None, lock=True)
            self.insist(upload)
            one_at_a_time(connection, upload.owner)
            hold_to(connection, upload.owner, size_bytes, most_bytes)
            summed = select(func.count(), func.coalesce(func.sum(_PARTS.c.size_bytes), 0)).where(_PARTS.c.upload_id == upload_id)
            count, sent = connection.execute(summed).one()
            if count >= _MOST_PARTS or sent + size_bytes > most_upload_bytes:
                said = f"Upload {upload_id} would have more than {_MOST_PARTS:,} parts or {most_upload_bytes:,} bytes. Begin another one."
                raise ApiError(400, said, code="upload_too_large", param="data")
            values = {"id": part_id, "upload_id": upload_id, "size_bytes": size_bytes, "created_at": self.clock()}
            return _part(connection.execute(_PARTS.insert().values(**values).returning(_PARTS)).one())

    def complete(self, upload_id: str, file_id: str, stored: Stored) -> tuple[UploadRow, list[str]]:
        """Make the upload a file, in one step with forgetting its parts.

        Args:
            upload_id: Which upload.
            file_id: The id under which the store has the whole.
            stored: Its length and hash.

        Returns:
            The upload, whose `file_id` is another one where somebody else completed it meanwhile; the ids of parts that can go.

        Raises:
            ApiError: 400: it was cancelled meanwhile.
        """
        with self.database.write() as connection:
            upload = self._one(connection, upload_id, None, lock=True, timeless=True)
            if upload.status == "completed":
                return upload, []
            self.insist(upload)
            now = self.clock()
            expires_at = None if upload.file_expires_s is None else now + timedelta(seconds=upload.file_expires_s)
            insert_file(
                connection,
                id=file_id,
                owner=upload.owner,
                filename=upload.filename,
                purpose=upload.purpose,
                size_bytes=stored.size_bytes,
                sha256=stored.sha256,
                created_at=now,
                expires_at=expires_at,
            )
            return self._end(connection, upload_id, status="completed", file_id=file_id)

    def cancel(self, upload_id: str) -> tuple[UploadRow, list[str]]:
        """Give an upload up. Gives it, and the ids of parts that can go; one that was cancelled before stays so.

        Raises:
            ApiError: 400: it was completed, or its time is over.
        """
        with self.database.write() as connection:
            upload = self._one(connection, upload_id, None, lock=True)
            if upload.status == "cancelled":
                return upload, []
            self.insist(upload)
            return self._end(connection, upload_id, status="cancelled")

    def expire(self) -> list[str]:
        """Close what was left open and forget what ended a month ago; gives the ids of parts that can go."""
        now, gone = self.clock(), []
        late = select(_UPLOADS.c.id).where(_UPLOADS.c.status == "pending", _UPLOADS.c.expires_at <= now - _GRACE)
        old = (_UPLOADS.c.status != "pending") & (_UPLOADS.c.expires_at <= now - _REMEMBERED)
        with self.database.write() as connection:
            for upload_id in connection.execute(late).scalars().all():
                gone += self._end(connection, upload_id, status="expired")[1]
            connection.execute(_UPLOADS.delete().where(old))
        return gone

    @staticmethod
    def insist(upload: UploadRow) -> None:
        """Refuse an upload that is not open.

        Raises:
            ApiError: 400: it is not.
        """
        if upload.status != "pending":
            said = f"Upload {upload.id} is {upload.status}, not pending. Begin another one."
            raise ApiError(400, said, code="upload_not_pending", param="upload_id")

    def _one(self, connection: Connection, upload_id: str, owner: str | None, *, lock: bool = False, timeless: bool = False) -> UploadRow:
        query = of_owner(_UPLOADS, owner).where(_UPLOADS.c.id == upload_id)
        row = connection.execute(query.with_for_update() if lock else query).one_or_none() if _ID.fullmatch(upload_id) else None
        if row is None:
            raise ApiError(404, f"No such Upload object: {upload_id}", param="upload_id")
        return _upload(row, None if timeless else self.clock())

    def _end(self, connection: Connection, upload_id: str, **values: Any) -> tuple[UploadRow, list[str]]:
        mine = _PARTS.c.upload_id == upload_id
        parts = connection.execute(_PARTS.delete().where(mine).returning(_PARTS.c.id)).scalars().all()
        row = connection.execute(_UPLOADS.update().where(_UPLOADS.c.id == upload_id).values(**values).returning(_UPLOADS)).one()
        return _upload(row, None), list(parts)


def _upload(row: Row[Any], now: datetime | None) -> UploadRow:
    found = row_of(UploadRow, row)
    late = now is not None and found.status == "pending" and found.expires_at <= now
    return found.model_copy(update={"status": "expired"}) if late else found


def _part(row: Row[Any]) -> PartRow:
    return row_of(PartRow, row)
