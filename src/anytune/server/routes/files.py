"""Routes: files."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from fastapi.responses import FileResponse

from anytune.server.book.part import new_id
from anytune.server.errors import ApiError
from anytune.server.house import Asked, Caller, House, Inside
from anytune.server.multipart import Form, receive
from anytune.server.shapes.files import FORM, FileDeleted, FileList, FileObject, check_purpose, expiry_s, plain_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.server.book.rows import FileRow
    from anytune.server.multipart import Received
    from anytune.server.store import Incoming

__all__ = ["allowance", "form_body", "router"]

router = APIRouter(tags=["files"])

_FIELDS = frozenset({"purpose", "expires_after[anchor]", "expires_after[seconds]"})


class _Bytes(FileResponse):
    """Bytes from the disk, a mebibyte at a time."""

    chunk_size = 2**20


def form_body(schema: dict[str, object]) -> dict[str, object]:
    """Describe a form for the API's schema: it is read by hand, so FastAPI cannot."""
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


@router.post("/files", response_model_exclude_none=True, openapi_extra=form_body(FORM))
async def create_file(request: Request, house: Inside, caller: Asked) -> FileObject:
    """Take a file to fine-tune on."""
    most = await to_thread.run_sync(allowance, house, caller, house.config.limits.file_bytes)
    form = Form("file", _FIELDS, most, check=_check)
    file_id = new_id("file-")
    with house.store.incoming(file_id) as incoming:
        received = await receive(request, form, incoming, house.store.limiter)
        row = await to_thread.run_sync(_kept, house, caller, file_id, incoming, received, limiter=house.store.limiter)
    return FileObject.of(row)


@router.get("/files", response_model_exclude_none=True)
def list_files(
    house: Inside,
    caller: Asked,
    purpose: str | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    order: Literal["asc", "desc"] = "desc",
    after: str | None = None,
) -> FileList:
    """List files, newest first."""
    if purpose is not None and purpose not in {"fine-tune", "fine-tune-results"}:
        return FileList.of([], has_more=False)
    rows, has_more = house.book.files.listed(caller.sees, purpose=purpose, order=order, after=after, limit=limit)
    return FileList.of(rows, has_more=has_more)


@router.get("/files/{file_id}", response_model_exclude_none=True)
def retrieve_file(file_id: str, house: Inside, caller: Asked) -> FileObject:
    """Give a file."""
    return FileObject.of(house.book.files.get(file_id, caller.sees))


@router.delete("/files/{file_id}")
def delete_file(file_id: str, house: Inside, caller: Asked) -> FileDeleted:
    """Delete a file that no job is still to read."""
    row = house.book.files.get(file_id, caller.sees)
    if waiting := house.book.files.needed(row.id):
        said = f"{row.id} is still to be read by {', '.join(waiting[:3])}. Cancel that job, or wait until it runs."
        raise ApiError(409, said, code="file_in_use", param="id")
    house.book.files.remove(row.id)
    house.store.remove(row.id)
    return FileDeleted(id=row.id)


@router.get(
    "/files/{file_id}/content",
    response_class=_Bytes,
    responses={200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}},
)
def read_file(file_id: str, house: Inside, caller: Asked) -> _Bytes:
    """Give a file's bytes."""
    row = house.book.files.get(file_id, caller.sees)
    place = house.store.path(row.id)
    if not place.is_file():
        said = f"The bytes of {row.id} are not on the server's disk any more. Upload the file again, and tell the server's owner."
        raise ApiError(500, said, code="file_lost", param="id")
    return _Bytes(place, media_type="application/octet-stream", filename=row.filename)


def allowance(house: House, caller: Caller, most_bytes: int) -> int:
    """Give how large a file of a caller may be now.

    Raises:
        ApiError: 400: nothing more may be kept.
    """
    limit = caller.storage_bytes
    if limit is None:
        return most_bytes
    kept = house.book.files.stored_bytes(caller.owner)
    if kept >= limit:
        said = f"You keep {kept:,} bytes of files and may keep {limit:,}. Delete files first."
        raise ApiError(400, said, code="storage_limit_exceeded")
    return min(most_bytes, limit - kept)


def _check(fields: Mapping[str, str], filename: str) -> None:
    if "purpose" in fields:
        check_purpose(fields["purpose"])
    plain_name(filename, fields.get("purpose"), param="file")


def _kept(house: House, caller: Caller, file_id: str, incoming: Incoming, received: Received) -> FileRow:
    """Keep the file that came: bytes first, then the row that makes it one."""
    purpose = check_purpose(received.fields.get("purpose"))
    filename = plain_name(received.filename, purpose, param="file")
    after_s = expiry_s(received.fields)
    if incoming.size_bytes == 0:
        raise ApiError(400, "File is empty.", code="empty_file", param="file")
    stored = incoming.commit()
    expires_at = None if after_s is None else house.book.clock() + timedelta(seconds=after_s)
    most = caller.storage_bytes
    try:
        return house.book.files.add(caller.owner, file_id, filename, purpose, *stored, expires_at=expires_at, most_bytes=most)
    except BaseException:
        house.store.remove(file_id)
        raise
