"""Files: taken, listed, read back, deleted."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, ClassVar

from anytune.testing.simulators import shapes
from anytune.testing.simulators.home import Home
from anytune.testing.simulators.paging import page
from anytune.testing.simulators.service import Reply
from anytune.testing.simulators.state import FileRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Request


__all__ = ["FileRoutes"]

_PURPOSES = ("assistants", "batch", "fine-tune", "vision", "user_data", "evals")
_SHORTEST_S, _LONGEST_S = 3600, 2_592_000
_LARGEST_BYTES = 512 * 2**20


class FileRoutes(Home):
    """The verbs of files. `file_expiry` and `check_file` may be overridden."""

    file_routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("POST", "/files", "create_file"),
        ("GET", "/files", "list_files"),
        ("GET", "/files/{id}", "retrieve_file"),
        ("DELETE", "/files/{id}", "delete_file"),
        ("GET", "/files/{id}/content", "read_file"),
    )

    def create_file(self, request: Request) -> Reply:
        """Take a file."""
        sent = request.files.get("file")
        if sent is None:
            raise self.refuse("missing_field", param="file")
        unknown = [
            name for name in (*request.form, *request.files) if name not in {"file", "purpose"} and not name.startswith("expires_after")
        ]
        if unknown:
            raise self.refuse("extra_field", param=unknown[0])
        purpose = request.form.get("purpose", "")
        expires_s = self.file_expiry(request.form)
        content = sent.stream.read()
        self.check_file(sent.filename or "", purpose, len(content))
        file = self.add_file(sent.filename or "", purpose, content, project=self.project_of(request), expires_s=expires_s)
        return self.created(self.file_shape(file), f"/files/{file.id}")

    def list_files(self, request: Request) -> Reply:
        """List files, newest first."""
        self.expire_files()
        purpose, now = request.args.get("purpose"), self.clock()
        order = request.args.get("order", "desc")
        if order not in {"asc", "desc"}:
            raise self.refuse("bad_field", param="order", reason="expected 'asc' or 'desc'.")
        found = [
            file
            for file in self.files
            if purpose in {None, file.purpose}
            and file.project == self.project_of(request)
            and now - file.created_at >= self.faults.list_lag_s
        ]
        found = found if order == "asc" else found[::-1]
        cut = page(request, found, lambda file: file.id, default=10_000, most=10_000, faults=self.faults, nth=len(self.requests))
        data = [self.file_shape(file) for file in cut.data]
        ends = {"first_id": data[0]["id"] if data else "", "last_id": data[-1]["id"] if data else ""}
        return Reply({"object": "list", "data": data, "has_more": cut.has_more, **ends})

    def retrieve_file(self, request: Request, id: str) -> Reply:  # noqa: A002 - as the template names it
        """Give a file; each time it is a word nearer to being ready."""
        file = self.file(request, id)
        file.polls += 1
        return Reply(self.file_shape(file))

    def delete_file(self, request: Request, id: str) -> Reply:  # noqa: A002
        """Forget a file."""
        file = self.file(request, id)
        file.deleted, file.content = True, b""
        return Reply({"id": file.id, "object": "file", "deleted": True})

    def read_file(self, request: Request, id: str) -> Reply:  # noqa: A002
        """Give a file's bytes; those of results in base64, where the provider does so."""
        file = self.file(request, id)
        encoded = self.dialect.encodes_results and file.purpose == "fine-tune-results"
        content = base64.b64encode(file.content) if encoded else file.content
        return Reply(content, headers={"Content-Type": "application/octet-stream"})

    def file(self, request: Request, id: str) -> FileRecord:  # noqa: A002
        """Find a file of the request's project.

        Raises:
            Refusal: There is none.
        """
        self.expire_files()
        found = self.world.files.get(id)
        if found is None or found.deleted or found.project != self.project_of(request):
            raise self.refuse("file_not_found", file=id)
        return found

    def add_file(
        self, filename: str, purpose: str, content: bytes, *, project: str = "default", expires_s: int | None = None
    ) -> FileRecord:
        """Hold a file, without a request."""
        now = self.clock()
        expires_at = None if expires_s is None else now + expires_s
        file = FileRecord(self.new_id("file"), filename, purpose, content, now, expires_at, project)
        self.world.files[file.id] = file
        return file

    def file_state(self, file: FileRecord) -> tuple[str, str]:
        """Give a file's word, and what it says where it could not be processed."""
        if file.purpose == "fine-tune-results":
            return self.dialect.file_words[-1], ""
        if self.faults.stuck_files:
            return self.dialect.stuck_word, ""
        words = self.dialect.file_words
        word = words[min(file.polls, len(words) - 1)]
        if word == words[-1] and self.faults.file_error:
            return "error", self.faults.file_error
        return word, ""

    def file_shape(self, file: FileRecord) -> dict[str, Any]:
        """Give a file as JSON."""
        return shapes.file(self, file, self.file_state(file))

    def file_expiry(self, form: Mapping[str, Any]) -> int | None:
        """Read in how many seconds a file is to go.

        Raises:
            Refusal: The time is out of bounds.
        """
        given = form.get("expires_after[seconds]")
        if given is None and form.get("expires_after[anchor]") is None:
            return None
        if form.get("expires_after[anchor]") != "created_at":
            raise self.refuse("bad_field", param="expires_after.anchor", reason="expected 'created_at'.")
        if not str(given).isdecimal() or not _SHORTEST_S <= int(str(given)[:9]) <= _LONGEST_S:
            raise self.refuse("bad_field", param="expires_after.seconds", reason=f"expected {_SHORTEST_S} to {_LONGEST_S}.")
        return int(str(given))

    def check_file(self, filename: str, purpose: str, size_bytes: int) -> None:
        """Refuse a file that is of no use for its purpose."""
        if purpose not in _PURPOSES:
            raise self.refuse("bad_purpose", purpose=purpose)
        if purpose == "fine-tune" and not filename.endswith(".jsonl"):
            raise self.refuse("bad_file_format")
        if size_bytes > _LARGEST_BYTES:
            raise self.refuse("too_large", limit=_LARGEST_BYTES)

    def expire_files(self) -> None:
        """Delete the files whose time is over."""
        for file in self.files:
            if file.expires_at is not None and self.clock() >= file.expires_at:
                file.deleted, file.content = True, b""
