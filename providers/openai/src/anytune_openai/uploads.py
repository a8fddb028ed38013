"""The uploads API, for files over the limit of the files API: parts that are streamed from the disk, and a place to go on from.

Nothing is tried twice here. Whoever calls again with the same file goes on after the last part whose arrival was confirmed; a part whose
reply was lost is sent again, and the one that arrived unseen is never named, so that it is no piece of the file.
Up to 8 GB a file, 64 MB a part, an hour from the first call to the last (OpenAI's reference, read 2026-11-22).
"""

from __future__ import annotations

import hashlib
import io
import logging
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from anytune.errors import DataError, MalformedReply, Rejected
from anytune_openai.replies import record

if TYPE_CHECKING:
    from collections.abc import Callable

    from openai import OpenAI

    from anytune.values import LocalFile

__all__ = ["PART_BYTES", "Begun", "Slice", "cancel", "send"]

PART_BYTES: Final = 64 * 2**20
"""Bytes a part: the most that a host takes, and what OpenAI's own client sends (openai 3.54)."""

_MIME: Final = "text/jsonl"
_LIFE_S: Final = 3600.0
"""Seconds that an upload lives where the host does not say."""
_MARGIN_S: Final = 30.0
"""An upload with less left than this is not gone on with."""
_CHUNK_BYTES: Final = 2**20
_UNDECIDED: Final = frozenset({401, 403, 408, 409, 429})
"""Answers of the 400s after which the same upload may go on: another key, a pause, another try."""
_SERVER: Final = 500

_log = logging.getLogger(__name__)


@dataclass
class Begun:
    """An upload that was begun, and what of it is known to have arrived.

    Attributes:
        id: The host's id of it.
        ends_at: When it expires, in monotonic seconds here: clocks that differ do not matter.
        parts: Ids of the parts that arrived, in order.
        sent_bytes: How much of the file they are.
    """

    id: str
    ends_at: float
    parts: list[str] = field(default_factory=list)
    sent_bytes: int = 0


def send(
    client: OpenAI,
    file: LocalFile,
    stream: BinaryIO,
    *,
    name: str,
    begun: dict[str, Begun],
    part_bytes: int = PART_BYTES,
    timeout_s: float = 600.0,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any] | None:
    """Send a file, or the rest of one that was begun.

    Args:
        client: Sends.
        file: What is sent.
        stream: The file, open for reading.
        name: Its name at the host.
        begun: The uploads that were begun, by the file's hash: kept between calls, and changed here.
        part_bytes: Bytes a part.
        timeout_s: Seconds that one read or write on the connection may take.
        clock: Gives monotonic seconds.

    Returns:
        The file as the host holds it; None where it took all parts and does not say which file came of them.

    Raises:
        DataError: The file changed while it was sent; the upload is cancelled.
        MalformedReply: An answer is not one of the uploads API's; what arrived before it counts.
        Rejected: The host has no uploads API.
        openai.OpenAIError: As the client raises it. What may go on is kept in `begun`; what was refused is cancelled.
    """
    import openai  # noqa: PLC0415 - heavy

    job = _Sending(client.with_options(timeout=timeout_s), file, stream, name, begun, part_bytes, clock)
    resumed = job.taken_up()
    for again in (resumed, False):
        try:
            return job.run()
        except (openai.APIStatusError, DataError) as error:
            status = getattr(error, "status_code", None)
            if status in _UNDECIDED or (status or 0) >= _SERVER:
                raise
            cancel(client, file.sha256, begun)
            if status is None or not again:
                raise
            _log.info("An upload cannot be gone on with (HTTP %d): %s is sent from its beginning.", status, name)
    return None


def cancel(client: OpenAI, sha256: str, begun: dict[str, Begun]) -> None:
    """Give up an upload that was begun. Best effort: one that cannot be cancelled expires within the hour, and costs nothing."""
    import openai  # noqa: PLC0415 - heavy

    given_up = begun.pop(sha256, None)
    if given_up is None:
        return
    try:
        client.uploads.with_raw_response.cancel(given_up.id)
    except openai.OpenAIError as error:
        _log.debug("Upload %s was given up and could not be cancelled (%s).", given_up.id, type(error).__name__)


@dataclass
class _Sending:
    """One call's work on one file."""

    client: OpenAI
    file: LocalFile
    stream: BinaryIO
    name: str
    begun: dict[str, Begun]
    part_bytes: int
    clock: Callable[[], float]

    def taken_up(self) -> bool:
        """Tell whether there is an upload to go on with; one that is about to expire is given up."""
        known = self.begun.get(self.file.sha256)
        if known is not None and self.clock() > known.ends_at - _MARGIN_S:
            cancel(self.client, self.file.sha256, self.begun)
            known = None
        return known is not None

    def run(self) -> dict[str, Any] | None:
        """Begin if need be, send what is missing, complete."""
        upload = self.begun.get(self.file.sha256) or self._begin()
        while upload.sent_bytes < self.file.size_bytes:
            size = min(self.part_bytes, self.file.size_bytes - upload.sent_bytes)
            data = cast("BinaryIO", Slice(self.stream, upload.sent_bytes, size))  # typeshed has no word for a raw stream there
            part = self.client.uploads.parts.with_raw_response.create(upload.id, data=data)
            upload.parts.append(_id(record(part), "a part of an upload"))
            upload.sent_bytes += size
        done = self.client.uploads.with_raw_response.complete(upload.id, part_ids=upload.parts, md5=self._md5())
        held = record(done).get("file")
        del self.begun[self.file.sha256]
        return held if isinstance(held, dict) and held.get("id") else None

    def _begin(self) -> Begun:
        from openai import NotFoundError  # noqa: PLC0415 - heavy

        now = self.clock()
        start = self.client.uploads.with_raw_response.create
        try:
            answer = record(start(bytes=self.file.size_bytes, filename=self.name, mime_type=_MIME, purpose="fine-tune"))
        except NotFoundError as error:
            raise Rejected(
                f"{self.file.path.name} has {self.file.size_bytes:,} bytes, and the host has no uploads in parts for files of that size.",
                fix="Train on fewer rows (`anytune data split`), or at another host.",
                raw=error.body,
            ) from error
        ends, begins = answer.get("expires_at"), answer.get("created_at")
        life_s = float(ends - begins) if isinstance(ends, (int, float)) and isinstance(begins, (int, float)) else _LIFE_S
        upload = self.begun[self.file.sha256] = Begun(_id(answer, "an upload"), ends_at=now + life_s)
        return upload

    def _md5(self) -> str:
        """Hash what lies on the disk once more: the host compares it with what arrived, and it must still be the file that was ordered."""
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        self.stream.seek(0)
        while chunk := self.stream.read(_CHUNK_BYTES):
            md5.update(chunk)
            sha256.update(chunk)
        if sha256.hexdigest() != self.file.sha256:
            raise DataError(
                f"The {self.file.role} file {self.file.path} changed while it was sent.",
                fix="Run the same script again, so that it is checked anew.",
            )
        return md5.hexdigest()


class Slice(io.RawIOBase):
    """A stretch of an open file as a file of its own: only what is asked for is in memory.

    Args:
        stream: The file.
        start: The stretch's first byte in the file.
        size: Its length in bytes.
    """

    def __init__(self, stream: BinaryIO, start: int, size: int) -> None:
        """Stand at the beginning of the stretch."""
        super().__init__()
        self._stream = stream
        self._start = start
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes: the client measures it so, before it sends."""
        return True

    def tell(self) -> int:
        """Give the place in the stretch."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the stretch."""
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read on, up to the end of the stretch."""
        wanted = min(len(buffer), max(0, self._size - self._at))
        self._stream.seek(self._start + self._at)
        content = self._stream.read(wanted)
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)


def _id(answer: dict[str, Any], what: str) -> str:
    found = answer.get("id")
    if isinstance(found, str) and found:
        return found
    raise MalformedReply(
        f"The host answered for {what} with an object that has no id.",
        fix="Check that the base URL is the provider's, and no proxy's.",
        raw=answer,
    )
