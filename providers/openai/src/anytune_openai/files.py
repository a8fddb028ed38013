"""Training files at the host: sent once, found again by their name, and told ready, waiting or refused.

The name carries the hash of the bytes, as the files API has no field for it: `anytune-<first 32 of the sha256>.jsonl`.
"""

from __future__ import annotations

import hashlib
import logging
import re
from typing import TYPE_CHECKING, Any, Final

from anytune.backend import RemoteFile
from anytune.errors import DataError, MalformedReply, NotFound, Rejected
from anytune_openai import uploads
from anytune_openai.pages import listing
from anytune_openai.replies import record

if TYPE_CHECKING:
    from pathlib import Path

    from openai import OpenAI

    from anytune.values import LocalFile
    from anytune_openai.dialect import Dialect

__all__ = ["LIMIT_BYTES", "abandon", "download", "find", "name_of", "ready", "upload"]

LIMIT_BYTES: Final = 512 * 2**20
"""Largest file of the files API (OpenAI's and Azure's references, read 2026-11-22): larger ones go up in parts."""

_PAGE = 10_000
"""Most files a page of the listing has (OpenAI's reference); a host that gives fewer is asked for the next page."""

_PIECE_BYTES = 2**18
_NAME = re.compile(r"anytune-[0-9a-f]{32}\.jsonl")

_UNUSABLE = frozenset({"error", "failed", "deleting", "deleted", "expired"})
_PREFERENCE = {"processed": 0, "uploaded": 1}

_log = logging.getLogger(__name__)


def upload(
    client: OpenAI,
    file: LocalFile,
    *,
    state: dict[str, Any],
    timeout_s: float = 600.0,
    limit_bytes: int = LIMIT_BYTES,
    part_bytes: int = uploads.PART_BYTES,
) -> RemoteFile:
    """Send a file, unless an earlier call of this instance has sent it and only its reply was lost.

    Args:
        client: Sends.
        file: What is sent.
        state: What this instance remembers of earlier calls; a dictionary that is empty at first.
        timeout_s: Seconds that one read or write on the connection may take.
        limit_bytes: Larger files go up in parts.
        part_bytes: Bytes a part.

    Raises:
        DataError: The file cannot be read.
        MalformedReply: The answer is not one of the files API's.
        openai.OpenAIError: As the client raises it.
    """
    name = name_of(file.sha256)
    tried: set[str] = state.setdefault("tried", set())
    try:
        stream = file.path.open("rb")
    except OSError as error:
        raise DataError(
            f"The {file.role} file {file.path} cannot be read: {error.strerror}.", fix="Put it back, and run the same script again."
        ) from error
    with stream:
        if file.sha256 in tried:
            held = _held(client, name, file.size_bytes)
            if held is not None:
                return _remote(held, file.sha256, file.size_bytes)
        tried.add(file.sha256)
        if file.size_bytes > limit_bytes:
            begun: dict[str, uploads.Begun] = state.setdefault("begun", {})
            sent = uploads.send(client, file, stream, name=name, begun=begun, part_bytes=part_bytes, timeout_s=timeout_s)
            sent = sent or _held(client, name, file.size_bytes) or {}
        else:
            sending = client.with_options(timeout=timeout_s).files.with_raw_response
            sent = record(sending.create(file=(name, stream), purpose="fine-tune"))
    return _remote(sent, file.sha256, file.size_bytes)


def find(client: OpenAI, sha256: str) -> RemoteFile | None:
    """Look for a file that can be trained on by the name that `upload` gave it."""
    held = _held(client, name_of(sha256), None)
    return None if held is None else _remote(held, sha256, held.get("bytes"))


def ready(client: OpenAI, file: RemoteFile, dialect: Dialect) -> bool:
    """Tell whether a file can be trained on by now.

    A host that says nothing of states, or a word that is not documented, is taken at its file's existence: a create that comes too early is
    refused for certain, and costs nothing.

    Raises:
        NotFound: It was deleted.
        Rejected: The host looked at it and refused it.
        openai.OpenAIError: As the client raises it; 404 where there is no such file.
    """
    seen = record(client.files.with_raw_response.retrieve(file.id))
    word = str(seen.get("status") or "").lower()
    match dialect.file_states.get(word, "ready"):
        case "pending":
            return False
        case "failed":
            details = seen.get("status_details") or "it does not say why"
            raise Rejected(
                f"{dialect.host} refused the file {file.id}: {details}.",
                fix="`anytune data check` says what is wrong with the rows; correct them and run the same script again.",
                raw=seen,
            )
        case "gone":
            raise NotFound(
                f"{dialect.host} has deleted the file {file.id} (status {word}).", fix="Run the same script: it is sent again.", raw=seen
            )
        case _:
            return True


def download(client: OpenAI, file_id: str, path: Path, *, timeout_s: float = 600.0) -> RemoteFile:
    """Write a file's bytes into `path`, and hold them against the host's word: the size, and the hash that `upload` put into the name.

    Raises:
        MalformedReply: Other bytes came than the host holds.
        openai.OpenAIError: As the client raises it; 404 where there is no such file any more.
    """
    held = record(client.files.with_raw_response.retrieve(file_id))
    digest, size = hashlib.sha256(), 0
    with client.with_options(timeout=timeout_s).files.with_streaming_response.content(file_id) as reply, path.open("wb") as target:
        for piece in reply.iter_bytes(_PIECE_BYTES):
            digest.update(piece)
            size += target.write(piece)
    sha256, name = digest.hexdigest(), held.get("filename")
    named = isinstance(name, str) and _NAME.fullmatch(name) is not None
    if (held.get("bytes") or size) != size or (named and name != name_of(sha256)):
        fix = "Run the same again: it is fetched anew."
        raise MalformedReply(f"File {file_id} came as {size:,} bytes that are not those the host holds.", fix=fix, raw=held)
    return RemoteFile(id=file_id, sha256=sha256, size_bytes=size)


def abandon(client: OpenAI, state: dict[str, Any]) -> None:
    """Cancel the uploads that were begun and not completed: nobody will go on with them."""
    begun: dict[str, uploads.Begun] = state.get("begun", {})
    for sha256 in list(begun):
        uploads.cancel(client, sha256, begun)


def name_of(sha256: str) -> str:
    """Give a file's name at the host.

    Example:
        >>> name_of("ab" * 32)
        'anytune-abababababababababababababababab.jsonl'
    """
    return f"anytune-{sha256[:32]}.jsonl"


def _held(client: OpenAI, name: str, size_bytes: int | None) -> dict[str, Any] | None:
    """Give the best of the files of a name, as the host lists it."""
    from openai import omit  # noqa: PLC0415 - heavy

    seen = listing(lambda after: record(client.files.with_raw_response.list(purpose="fine-tune", limit=_PAGE, after=after or omit)))
    if not seen.complete:
        _log.info("The listing of files was cut short; a file that is there already may be sent once more.")
    ours = [one for one in seen.items if one.get("filename") == name and _usable(one, size_bytes)]
    return min(ours, key=lambda one: _PREFERENCE.get(str(one.get("status")).lower(), 2), default=None)


def _usable(one: dict[str, Any], size_bytes: int | None) -> bool:
    """Tell whether a listed file may be trained on, as far as the host says."""
    told = one.get("bytes")
    same = size_bytes is None or not isinstance(told, int) or told in {0, size_bytes}  # 0 and null: not counted yet
    purpose = one.get("purpose") in {None, "fine-tune"}  # a host may ignore the filter
    return same and purpose and bool(one.get("id")) and str(one.get("status")).lower() not in _UNUSABLE


def _remote(held: dict[str, Any], sha256: str, size_bytes: object) -> RemoteFile:
    found = held.get("id")
    if not isinstance(found, str) or not found:
        raise MalformedReply(
            "The host took a file and answered with an object that has no id.",
            fix="Check that the base URL is the provider's, and no proxy's; the same script looks for the file before it sends it again.",
            raw=held,
        )
    return RemoteFile(id=found, sha256=sha256, size_bytes=size_bytes if isinstance(size_bytes, int) else 0)
