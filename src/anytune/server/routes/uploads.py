"""Routes: uploads, files that come in parts."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from anyio import to_thread
from fastapi import APIRouter, Request

from anytune.server.book.part import new_id
from anytune.server.errors import ApiError
from anytune.server.house import Asked, Caller, House, Inside
from anytune.server.multipart import Form, receive
from anytune.server.routes.files import allowance, form_body
from anytune.server.shapes.files import PART_FORM, CompleteOrder, UploadObject, UploadOrder, UploadPartObject, check_purpose, plain_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune.server.book.rows import PartRow, UploadRow
    from anytune.server.store import Incoming, Stored

__all__ = ["router"]

router = APIRouter(tags=["uploads"])


@router.post("/uploads", response_model_exclude_none=True)
def create_upload(order: UploadOrder, house: Inside, caller: Asked) -> UploadObject:
    """Begin an upload; it is open for an hour."""
    most = house.config.limits.upload_bytes
    if order.bytes > most:
        raise ApiError(400, f"`bytes`: an upload has at most {most:,} bytes.", param="bytes", code="upload_too_large")
    purpose = check_purpose(order.purpose)
    row = house.book.uploads.add(
        caller.owner,
        new_id("upload_"),
        plain_name(order.filename, purpose, param="filename"),
        purpose,
        order.mime_type,
        order.bytes,
        file_expires_s=None if order.expires_after is None else order.expires_after.seconds,
        most_bytes=caller.storage_bytes,
    )
    return UploadObject.of(row)


@router.post("/uploads/{upload_id}/parts", openapi_extra=form_body(PART_FORM))
async def add_part(upload_id: str, request: Request, house: Inside, caller: Asked) -> UploadPartObject:
    """Take a part; several may come at once."""
    most = await to_thread.run_sync(_room, house, caller, upload_id)
    part_id = new_id("part_")
    with house.store.incoming(part_id) as incoming:
        await receive(request, Form("data", frozenset(), most, named=False), incoming, house.store.limiter)
        row = await to_thread.run_sync(_kept, house, caller, upload_id, part_id, incoming, limiter=house.store.limiter)
    return UploadPartObject.of(row)


@router.post("/uploads/{upload_id}/complete", response_model_exclude_none=True)
async def complete_upload(upload_id: str, order: CompleteOrder, house: Inside, caller: Asked) -> UploadObject:
    """Make a file of the parts, in the order given; parts that are not named are dropped. Asked again, it gives the same file."""
    return await to_thread.run_sync(_complete, house, caller, upload_id, order, limiter=house.store.joiners)


@router.post("/uploads/{upload_id}/cancel", response_model_exclude_none=True)
def cancel_upload(upload_id: str, house: Inside, caller: Asked) -> UploadObject:
    """Give an upload up."""
    upload, parts = house.book.uploads.cancel(house.book.uploads.get(upload_id, caller.sees).id)
    for part_id in parts:
        house.store.remove(part_id)
    return UploadObject.of(upload)


def _room(house: House, caller: Caller, upload_id: str) -> int:
    """Give how large a part may be now; the upload is open."""
    upload = house.book.uploads.get(upload_id, caller.sees)
    house.book.uploads.insist(upload)
    return allowance(house, caller, house.config.limits.part_bytes)


def _kept(house: House, caller: Caller, upload_id: str, part_id: str, incoming: Incoming) -> PartRow:
    if incoming.size_bytes == 0:
        raise ApiError(400, "The part is empty.", code="empty_file", param="data")
    stored = incoming.commit()
    most = house.config.limits.upload_bytes
    try:
        return house.book.uploads.add_part(upload_id, part_id, stored.size_bytes, most_upload_bytes=most, most_bytes=caller.storage_bytes)
    except BaseException:
        house.store.remove(part_id)
        raise


def _complete(house: House, caller: Caller, upload_id: str, order: CompleteOrder) -> UploadObject:
    upload = house.book.uploads.get(upload_id, caller.sees)
    if upload.status != "completed":
        house.book.uploads.insist(upload)
        upload = _completed(house, upload, order)
    return _shown(house, upload)


def _completed(house: House, upload: UploadRow, order: CompleteOrder) -> UploadRow:
    sizes = {part.id: part.size_bytes for part in house.book.uploads.parts(upload.id)}
    _fit(upload, sizes, order.part_ids)
    file_id = new_id("file-")
    stored = _joined(house, file_id, order)
    try:
        done, parts = house.book.uploads.complete(upload.id, file_id, stored)
    except BaseException:
        house.store.remove(file_id)
        raise
    for left in parts if done.file_id == file_id else [file_id]:
        house.store.remove(left)
    return done


def _fit(upload: UploadRow, sizes: dict[str, int], named: Sequence[str]) -> None:
    """Refuse parts that do not make up the file that was announced."""
    if unknown := [part for part in named if part not in sizes]:
        raise ApiError(400, f"Upload {upload.id} has no part {unknown[0][:80]}.", param="part_ids")
    if len(set(named)) < len(named):
        raise ApiError(400, "A part is named twice.", param="part_ids")
    if (size := sum(sizes[part] for part in named)) != upload.size_bytes:
        said = f"The parts have {size:,} bytes together; the upload was begun for {upload.size_bytes:,}."
        raise ApiError(400, said, code="invalid_upload_size", param="part_ids")


def _joined(house: House, file_id: str, order: CompleteOrder) -> Stored:
    md5 = hashlib.md5(usedforsecurity=False)
    with house.store.incoming(file_id) as incoming:
        for part_id in order.part_ids:
            try:
                for chunk in house.store.chunks(part_id):
                    incoming.write(chunk)
                    if order.md5 is not None:
                        md5.update(chunk)
            except FileNotFoundError as error:
                raise ApiError(409, "The upload was completed or given up meanwhile. Look for its file, or begin another one.") from error
        if order.md5 is not None and not hmac.compare_digest(md5.hexdigest().encode(), order.md5.lower().encode()):
            raise ApiError(400, f"The parts have the md5 {md5.hexdigest()} together, not {order.md5}.", code="invalid_md5", param="md5")
        return incoming.commit()


def _shown(house: House, upload: UploadRow) -> UploadObject:
    """Show a completed upload; its file may have been deleted since."""
    try:
        return UploadObject.of(upload, house.book.files.get(upload.file_id or "", None))
    except ApiError:
        return UploadObject.of(upload)
