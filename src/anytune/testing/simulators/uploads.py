"""Uploads in parts, for files that one request cannot bring."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Any, ClassVar

from anytune.testing.simulators import shapes
from anytune.testing.simulators.files import FileRoutes
from anytune.testing.simulators.orders import Complete, UploadOrder, accepted, body_of
from anytune.testing.simulators.service import Reply
from anytune.testing.simulators.state import UploadRecord

if TYPE_CHECKING:
    from werkzeug.wrappers import Request


__all__ = ["UploadRoutes"]

_LIFE_S = 3600
_LARGEST_PART_BYTES = 64 * 2**20


class UploadRoutes(FileRoutes):
    """The verbs of uploads."""

    upload_routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("POST", "/uploads", "create_upload"),
        ("POST", "/uploads/{id}/parts", "add_part"),
        ("POST", "/uploads/{id}/complete", "complete_upload"),
        ("POST", "/uploads/{id}/cancel", "cancel_upload"),
    )

    def create_upload(self, request: Request) -> Reply:
        """Begin an upload; it is open for an hour."""
        order = accepted(UploadOrder, body_of(request))
        if order.purpose == "fine-tune" and not order.filename.endswith(".jsonl"):
            raise self.refuse("bad_file_format")
        now = self.clock()
        upload = UploadRecord(
            self.new_id("upload"), order.filename, order.purpose, order.bytes, order.mime_type, now, now + _LIFE_S, self.project_of(request)
        )
        upload.file_expires_after = order.expires_after.seconds if order.expires_after else None
        self.world.uploads[upload.id] = upload
        return self.created(self.upload_shape(upload), f"/uploads/{upload.id}")

    def add_part(self, request: Request, id: str) -> Reply:  # noqa: A002 - as the template names it
        """Take a part."""
        upload = self.upload(request, id)
        sent = request.files.get("data")
        if sent is None:
            raise self.refuse("missing_field", param="data")
        content = sent.stream.read()
        if len(content) > _LARGEST_PART_BYTES:
            raise self.refuse("too_large", limit=_LARGEST_PART_BYTES)
        part = self.new_id("part")
        upload.parts[part] = content
        return Reply({"id": part, "object": "upload.part", "created_at": self.stamp(self.clock()), "upload_id": upload.id})

    def complete_upload(self, request: Request, id: str) -> Reply:  # noqa: A002
        """Make a file of the parts, in the order that the request gives."""
        upload = self.upload(request, id)
        order = accepted(Complete, body_of(request))
        if unknown := [part for part in order.part_ids if part not in upload.parts]:
            raise self.refuse("upload_part", upload=id, part=unknown[0])
        content = b"".join(upload.parts[part] for part in order.part_ids)
        if len(content) != upload.size_bytes:
            raise self.refuse("upload_size", given=len(content), bytes=upload.size_bytes)
        if order.md5 is not None and not hmac.compare_digest(
            hashlib.md5(content, usedforsecurity=False).hexdigest().encode(), order.md5.encode()
        ):
            raise self.refuse("upload_md5", md5=order.md5)
        upload.file = self.add_file(upload.filename, upload.purpose, content, project=upload.project, expires_s=upload.file_expires_after)
        upload.status = "completed"
        upload.parts.clear()
        return Reply(self.upload_shape(upload))

    def cancel_upload(self, request: Request, id: str) -> Reply:  # noqa: A002
        """Give an upload up."""
        upload = self.upload(request, id)
        upload.status = "cancelled"
        upload.parts.clear()
        return Reply(self.upload_shape(upload))

    def upload(self, request: Request, id: str) -> UploadRecord:  # noqa: A002
        """Find an open upload of the request's project.

        Raises:
            Refusal: There is none, or it is over.
        """
        found = self.world.uploads.get(id)
        if found is None or found.project != self.project_of(request):
            raise self.refuse("upload_not_found", upload=id)
        if (status := self.upload_status(found)) != "pending":
            raise self.refuse("upload_not_pending", upload=id, status=status)
        return found

    def upload_status(self, upload: UploadRecord) -> str:
        """Give an upload's word; what was left open for an hour is `expired`."""
        return "expired" if upload.status == "pending" and self.clock() >= upload.expires_at else upload.status

    def upload_shape(self, upload: UploadRecord) -> dict[str, Any]:
        """Give an upload as JSON."""
        return shapes.upload(self, upload, self.upload_status(upload), None if upload.file is None else self.file_shape(upload.file))
