"""Files and uploads as JSON, and what a client may say of them."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from anytune.server.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.server.book.rows import FileRow, PartRow, UploadRow

__all__ = [
    "FORM",
    "PART_FORM",
    "CompleteOrder",
    "FileDeleted",
    "FileList",
    "FileObject",
    "UploadObject",
    "UploadOrder",
    "UploadPartObject",
    "check_purpose",
    "expiry_s",
    "plain_name",
]

_SHORTEST_S, _LONGEST_S = 3600, 2_592_000
"""How soon and how late a file may be told to expire (OpenAI's reference, read 2026-11-22)."""
_NAME_CHARACTERS = 255
_HIDDEN = frozenset({"Cc", "Cs"})
"""Unicode's control characters and lone surrogates: no database or header takes all of them."""

FORM: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["file", "purpose"],
    "properties": {
        "file": {"type": "string", "format": "binary", "description": "JSON lines; the file's name ends in .jsonl."},
        "purpose": {"type": "string", "enum": ["fine-tune"]},
        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
        "expires_after[seconds]": {"type": "integer", "minimum": _SHORTEST_S, "maximum": _LONGEST_S},
    },
}
"""The form of a new file, as JSON Schema."""
PART_FORM: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["data"],
    "properties": {"data": {"type": "string", "format": "binary", "description": "The next bytes."}},
}
"""The form of a part, as JSON Schema."""


class FileObject(BaseModel):
    """A file."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None = None
    filename: str
    purpose: str
    status: Literal["processed"] = "processed"

    @classmethod
    def of(cls, row: FileRow) -> Self:
        """Show a row."""
        return cls(
            id=row.id,
            bytes=row.size_bytes,
            created_at=int(row.created_at.timestamp()),
            expires_at=None if row.expires_at is None else int(row.expires_at.timestamp()),
            filename=row.filename,
            purpose=row.purpose,
        )


class FileList(BaseModel):
    """A page of files."""

    object: Literal["list"] = "list"
    data: list[FileObject]
    first_id: str
    last_id: str
    has_more: bool

    @classmethod
    def of(cls, rows: list[FileRow], *, has_more: bool) -> Self:
        """Show rows."""
        ends = (rows[0].id, rows[-1].id) if rows else ("", "")
        return cls(data=[FileObject.of(row) for row in rows], first_id=ends[0], last_id=ends[1], has_more=has_more)


class FileDeleted(BaseModel):
    """A file that is gone."""

    id: str
    object: Literal["file"] = "file"
    deleted: Literal[True] = True


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ExpiresAfter(_Order):
    """When a file is to be deleted."""

    anchor: Literal["created_at"]
    seconds: Annotated[int, Field(ge=_SHORTEST_S, le=_LONGEST_S)]


class UploadOrder(_Order):
    """A file that is to come in parts."""

    filename: str
    purpose: str
    bytes: Annotated[int, Field(ge=1)]
    mime_type: Annotated[str, Field(max_length=255)]
    expires_after: ExpiresAfter | None = None


class CompleteOrder(_Order):
    """The parts of a file, in their order."""

    part_ids: Annotated[list[str], Field(min_length=1, max_length=10_000)]
    md5: Annotated[str, Field(max_length=64)] | None = None


class UploadObject(BaseModel):
    """A file that comes in parts."""

    id: str
    object: Literal["upload"] = "upload"
    bytes: int
    created_at: int
    expires_at: int
    filename: str
    purpose: str
    status: Literal["pending", "completed", "cancelled", "expired"]
    file: FileObject | None = None

    @classmethod
    def of(cls, row: UploadRow, file: FileRow | None = None) -> Self:
        """Show a row, and the file that came of it."""
        return cls(
            id=row.id,
            bytes=row.size_bytes,
            created_at=int(row.created_at.timestamp()),
            expires_at=int(row.expires_at.timestamp()),
            filename=row.filename,
            purpose=row.purpose,
            status=row.status,
            file=None if file is None else FileObject.of(file),
        )


class UploadPartObject(BaseModel):
    """One part of an upload."""

    id: str
    object: Literal["upload.part"] = "upload.part"
    created_at: int
    upload_id: str

    @classmethod
    def of(cls, row: PartRow) -> Self:
        """Show a row."""
        return cls(id=row.id, created_at=int(row.created_at.timestamp()), upload_id=row.upload_id)


def plain_name(filename: str, purpose: str | None, *, param: str) -> str:
    """Give a file's own name, without folders: it is shown to people and never becomes a path.

    Args:
        filename: As the client gave it.
        purpose: What the file is for; None where that is not known yet.
        param: The field it came in, for the error.

    Raises:
        ApiError: 400: it is empty, too long, holds control characters, or does not fit the purpose.
    """
    name = filename.replace("\\", "/").rsplit("/", 1)[-1]
    if not name or len(name) > _NAME_CHARACTERS:
        raise ApiError(400, f"A file's name has 1 to {_NAME_CHARACTERS} characters.", param=param)
    if any(unicodedata.category(letter) in _HIDDEN for letter in name):
        raise ApiError(400, "A file's name has no control characters.", param=param)
    if purpose == "fine-tune" and not name.lower().endswith(".jsonl"):
        raise ApiError(400, "Invalid file format for Fine-Tuning API. Must be .jsonl", param=param)
    return name


def check_purpose(purpose: str | None) -> str:
    """Refuse files that nothing here could use.

    Raises:
        ApiError: 400: no purpose, or another than `fine-tune`.
    """
    if purpose is None:
        raise ApiError(400, "Missing required parameter: 'purpose'.", param="purpose", code="missing_required_parameter")
    if purpose != "fine-tune":
        raise ApiError(400, f"'{purpose[:80]}' is not one of ['fine-tune']: this server takes files to fine-tune on.", param="purpose")
    return purpose


def expiry_s(fields: Mapping[str, str]) -> int | None:
    """Read from a form in how many seconds a file is to go; None for never.

    Raises:
        ApiError: 400: it is no such time.
    """
    anchor, seconds = fields.get("expires_after[anchor]"), fields.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    if anchor != "created_at":
        raise ApiError(400, "`expires_after.anchor`: expected 'created_at'.", param="expires_after.anchor")
    given = seconds if seconds is not None and seconds.isascii() and seconds.isdecimal() else "0"
    if not _SHORTEST_S <= int(given[:9]) <= _LONGEST_S:
        raise ApiError(400, f"`expires_after.seconds`: expected {_SHORTEST_S} to {_LONGEST_S}.", param="expires_after.seconds")
    return int(given)
