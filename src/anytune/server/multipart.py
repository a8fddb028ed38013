"""Forms with one file, read as they come: the file goes to the disk, and nothing else may be large.

The parser is python-multipart's, driven by callbacks: its own form class would keep fields in memory and files in a temporary folder
without a limit. What is not the file's own bytes (preamble, headers, fields, boundaries, epilogue) has one small allowance together, so an
endless preamble, a million parts and a field of a gigabyte all end in the same refusal, and early.
"""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple

from anyio import fail_after, to_thread
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from anytune.server.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anyio import CapacityLimiter
    from starlette.requests import Request

    from anytune.server.store import Incoming

__all__ = ["Form", "Received", "receive"]

_BESIDE_BYTES = 64 * 1024
"""What may come beside the file's own bytes."""
_FIELD_BYTES = 1024
_HEADERS = 8
_HEADER_BYTES = 4096
_PARTS = 16
_AT_ONCE_BYTES = 256 * 1024
"""What is gathered before a thread parses, hashes and writes it."""
_READ_FOR_NOTHING_BYTES = 16 * 2**20
"""A refused body that is no longer than this is read to its end, so that every client reads the answer; a longer one is cut off."""
_PAUSE_S = 60.0
"""Seconds in which something must come."""
_WHOLE_S = 3600.0
"""Seconds in which all must have come."""


class Form(NamedTuple):
    """What a form may hold.

    Attributes:
        file: The name of the part that is the file.
        fields: The names of the others.
        most_bytes: The file's greatest length.
        named: Whether the file must have a name.
        check: Looks at fields that came before the file, and at the file's name, before its bytes are read; raises where they are wrong.
    """

    file: str
    fields: frozenset[str]
    most_bytes: int
    named: bool = True
    check: Callable[[Mapping[str, str], str], None] = lambda _fields, _filename: None


class Received(NamedTuple):
    """What came: the file's bytes are in `Incoming`."""

    fields: dict[str, str]
    filename: str


async def receive(request: Request, form: Form, incoming: Incoming, limiter: CapacityLimiter) -> Received:
    """Read a form from a request; the file goes to `incoming`.

    Args:
        request: Its body was not read.
        form: What it may hold.
        incoming: Takes the file's bytes; the caller commits it.
        limiter: Threads that may be used.

    Raises:
        ApiError: 400: it is no such form. 408: it came too slowly. 413: it is too large. 415: it is none, or is compressed.
    """
    try:
        return await _received(request, form, incoming, limiter)
    except ApiError as error:
        if not 0 <= _announced(request) <= _READ_FOR_NOTHING_BYTES:
            error.headers["connection"] = "close"
        raise


async def _received(request: Request, form: Form, incoming: Incoming, limiter: CapacityLimiter) -> Received:
    reader = _Reader(_boundary(request), form, incoming)
    if _announced(request) > form.most_bytes + _BESIDE_BYTES:
        raise _too_large(form)
    try:
        with fail_after(_WHOLE_S):
            await _read(request, reader, limiter)
    except TimeoutError as error:
        said = f"The form came too slowly: something must come every {_PAUSE_S:g} s, and all of it within {_WHOLE_S:g} s."
        raise ApiError(408, said, code="too_slow") from error
    except ClientDisconnect as error:
        raise ApiError(400, "The connection was closed before the form had ended. Send it again.", code="incomplete") from error
    return reader.done()


def _announced(request: Request) -> int:
    """Give the length that the request says it has, or -1."""
    said = request.headers.get("content-length", "")
    return int(said[:18]) if said.isascii() and said.isdecimal() else -1


async def _read(request: Request, reader: _Reader, limiter: CapacityLimiter) -> None:
    gathered = bytearray()
    async with aclosing(request.stream()) as stream:
        while True:
            with fail_after(_PAUSE_S):
                chunk = await anext(stream, None)
            if chunk is not None:
                gathered += chunk
            if gathered and (chunk is None or len(gathered) >= _AT_ONCE_BYTES):
                await to_thread.run_sync(reader.feed, bytes(gathered), limiter=limiter)
                gathered.clear()
            if chunk is None:
                return


def _boundary(request: Request) -> bytes:
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ApiError(
            415, "Compressed bodies are not taken. Send the form as it is, without Content-Encoding.", code="unsupported_encoding"
        )
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise ApiError(415, "Send a form of Content-Type multipart/form-data.", code="unsupported_media_type")
    if not options.get(b"boundary"):
        raise _malformed("its Content-Type names no boundary")
    return options[b"boundary"]


class _Reader:
    """The parser's callbacks, and what they have gathered."""

    def __init__(self, boundary: bytes, form: Form, incoming: Incoming) -> None:
        """Set up the parser.

        Raises:
            ApiError: 400: the boundary is too long.
        """
        self._form, self._incoming = form, incoming
        self._fields: dict[str, bytearray] = {}
        self._filename: str | None = None
        self._seen_bytes, self._parts, self._ended = 0, 0, False
        self._headers: dict[bytes, bytes] = {}
        self._header = (bytearray(), bytearray())
        self._field: bytearray | None = None
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_begin": self._header_begins,
                    "on_header_field": lambda data, start, end: self._header[0].extend(data[start:end]),
                    "on_header_value": lambda data, start, end: self._header[1].extend(data[start:end]),
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._opens,
                    "on_part_data": self._takes,
                    "on_end": self._ends,
                },
                max_header_count=_HEADERS,
                max_header_size=_HEADER_BYTES,
            )
        except FormParserError as error:
            raise _malformed("its boundary is too long") from error

    def feed(self, data: bytes) -> None:
        """Take a piece of the body.

        Raises:
            ApiError: It is not of such a form, or too large.
        """
        self._seen_bytes += len(data)
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise _malformed("its parts cannot be told apart") from error
        if self._seen_bytes - self._incoming.size_bytes > _BESIDE_BYTES + len(self._parser.boundary):
            raise ApiError(413, f"More than {_BESIDE_BYTES:,} bytes came beside the file.", code="form_too_large")

    def done(self) -> Received:
        """Give what came.

        Raises:
            ApiError: It did not end, or holds no file.
        """
        if self._seen_bytes and not self._ended:
            raise _malformed("it ends before its last boundary")
        if self._filename is None:
            raise ApiError(
                400, f"Missing required parameter: '{self._form.file}'.", param=self._form.file, code="missing_required_parameter"
            )
        return Received(self._read_fields(), self._filename)

    def _part_begins(self) -> None:
        self._parts += 1
        if self._parts > _PARTS:
            raise ApiError(413, f"The form has more than {_PARTS} parts.", code="form_too_large")
        self._headers = {}

    def _header_begins(self) -> None:
        self._header = (bytearray(), bytearray())

    def _header_ends(self) -> None:
        self._headers[bytes(self._header[0]).lower()] = bytes(self._header[1])

    def _opens(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b"").decode("latin-1"))
        if kind != b"form-data" or b"name" not in options:
            raise _malformed("a part has no name")
        name = _text(options[b"name"], "a part's name")
        if name in self._fields or (name == self._form.file and self._filename is not None):
            raise ApiError(400, f"The form has two parts `{name[:80]}`.", param=name[:80])
        if name == self._form.file:
            self._field = None
            if self._form.named and b"filename" not in options:
                raise ApiError(400, f"The part `{name}` has no file name: send it as a file.", param=name)
            self._filename = _text(options.get(b"filename", b""), "the file's name")
            self._form.check(self._read_fields(), self._filename)
        elif name in self._form.fields:
            self._field = self._fields[name] = bytearray()
        else:
            raise ApiError(400, f"Unrecognized request argument supplied: {name[:80]}.", param=name[:80])

    def _takes(self, data: bytes, start: int, end: int) -> None:
        if self._field is not None:
            if len(self._field) + end - start > _FIELD_BYTES:
                raise ApiError(413, f"A field of the form has more than {_FIELD_BYTES:,} bytes.", code="form_too_large")
            self._field += data[start:end]
            return
        if self._incoming.size_bytes + end - start > self._form.most_bytes:
            raise _too_large(self._form)
        self._incoming.write(memoryview(data)[start:end])

    def _ends(self) -> None:
        self._ended = True

    def _read_fields(self) -> dict[str, str]:
        return {name: _text(bytes(value), f"the field {name}") for name, value in self._fields.items()}


def _text(raw: bytes, what: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise _malformed(f"{what} is not UTF-8") from error


def _malformed(why: str) -> ApiError:
    return ApiError(400, f"The form cannot be read: {why}. Send multipart/form-data.", code="malformed_form")


def _too_large(form: Form) -> ApiError:
    said = f"`{form.file}` is larger than the {form.most_bytes:,} bytes that one request may bring."
    return ApiError(413, said, code="file_too_large", param=form.file)
