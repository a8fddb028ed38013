"""What a request's head says, read once, and the checks that need nothing else: where it comes from, how long it is, what it brings."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final, NamedTuple

from anytune.server.errors import ApiError
from anytune.server.guard.start import loopback

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Scope

    from anytune.server.config import Limits, ServeConfig

__all__ = ["HEAD_BYTES", "Head", "Hosts", "body_limit", "read"]

HEAD_BYTES: Final = 64 * 2**10
_HEADERS = 100
_URL_BYTES = 8 * 2**10
_LENGTH_DIGITS = 12
_FORM_BYTES = 64 * 2**10
"""What a form may hold beside its file: boundaries, and the fields of OpenAI's clients with room to spare."""

_HOST = re.compile(rb"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::[0-9]{1,5})?")
_FORM_ROUTES = re.compile(r"(?:/openai)?/v1/(?P<noun>files|uploads/[^/]+/parts)/?")


class Head(NamedTuple):
    """The few headers that the guard reads, as they came; several of a name are kept apart, for none may come twice.

    Attributes:
        hosts: `Host`.
        origin: Whether there is an `Origin`, which only browsers send.
        bearers: `Authorization`.
        keys: `api-key`, which clients of Azure OpenAI send.
        media_type: `Content-Type` without parameters, in lower case; empty where there is none.
        encoded: Whether there is a `Content-Encoding` beside `identity`.
        length: `Content-Length`; None where there is none.
        chunked: Whether a body comes without its length.
    """

    hosts: list[bytes]
    origin: bool
    bearers: list[bytes]
    keys: list[bytes]
    media_type: bytes
    encoded: bool
    length: int | None
    chunked: bool

    @property
    def brings(self) -> bool:
        """Tell whether a body comes."""
        return self.chunked or bool(self.length)


def read(scope: Scope) -> Head:
    """Read a head.

    Raises:
        ApiError: 414 or 431: it is too long. 400: it contradicts itself.
    """
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    if "\0" in scope["path"] or b"%00" in scope["query_string"]:
        raise ApiError(400, "A URL has no NUL characters.")
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > _URL_BYTES:
        raise ApiError(414, f"A URL has {_URL_BYTES:,} bytes at most.")
    if len(headers) > _HEADERS or sum(len(name) + len(value) for name, value in headers) > HEAD_BYTES:
        raise ApiError(431, f"A request has {_HEADERS} headers of {HEAD_BYTES:,} bytes together at most.")
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in _READ:
            found.setdefault(name, []).append(value)
    none: list[bytes] = []
    types = found.get(b"content-type", none)
    if len(types) > 1:
        raise ApiError(400, "Send `Content-Type` once.")
    return Head(
        hosts=found.get(b"host", none),
        origin=b"origin" in found,
        bearers=found.get(b"authorization", none),
        keys=found.get(b"api-key", none),
        media_type=types[0].partition(b";")[0].strip().lower() if types else b"",
        encoded=any(value.strip().lower() not in {b"", b"identity"} for value in found.get(b"content-encoding", none)),
        length=_length(found.get(b"content-length", none)),
        chunked=b"transfer-encoding" in found,
    )


_READ = frozenset(
    {b"host", b"origin", b"authorization", b"api-key", b"content-type", b"content-encoding", b"content-length", b"transfer-encoding"}
)


def _length(values: list[bytes]) -> int | None:
    if not values:
        return None
    if len(values) > 1 or not values[0].isdigit():
        raise ApiError(400, "`Content-Length` must be one number.")
    if len(values[0]) > _LENGTH_DIGITS:
        raise ApiError(413, "The body is too long.")
    return int(values[0])


class Hosts:
    """Names under which clients may reach the server: a page that made its own name lead here is not let in (DNS rebinding).

    An address in place of a name cannot be such a page's, so where other machines can reach the server every address is right.
    """

    def __init__(self, config: ServeConfig) -> None:
        """Read the configuration."""
        own = (config.host, *config.allow_hosts, "127.0.0.1", "localhost", "[::1]")
        self._names = frozenset(_bare(name) for name in own)
        self._addresses = not loopback(config.host)

    def check(self, head: Head) -> None:
        """Refuse a request that was meant for another server, or that a web page sends.

        Raises:
            ApiError: 421 or 403.
        """
        match = _HOST.fullmatch(head.hosts[0]) if len(head.hosts) == 1 else None
        name = match["name"].lower() if match else b""
        if name not in self._names and not (self._addresses and _address(name)):
            raise ApiError(421, "This server does not answer to this Host. Whoever runs it can add a name with --allow-host.")
        if head.origin:
            raise ApiError(403, "This server does not answer to web pages. Ask it from a program of your own.")


def _bare(name: str) -> bytes:
    """Give a name of the configuration as it stands in `Host`, without its port."""
    if name.count(":") > 1 and not name.startswith("["):
        name = f"[{name}]"
    match = _HOST.fullmatch(name.encode())
    return (match["name"] if match else name.encode()).lower()


def _address(name: bytes) -> bool:
    try:
        ipaddress.ip_address(name.strip(b"[]").decode())
    except ValueError:
        return False
    return True


def body_limit(scope: Scope, head: Head, limits: Limits) -> int:
    """Give how many bytes the body of a request may have, after its type was checked.

    Raises:
        ApiError: 415: the route does not take this type. 413: it announces more than it may have.
    """
    form = _FORM_ROUTES.fullmatch(scope["path"]) if scope["method"] == "POST" else None
    if form is None:
        taken: Iterable[bytes] = (b"application/json",)
        most = limits.body_bytes
    else:
        taken = (b"multipart/form-data",)
        most = (limits.file_bytes if form["noun"] == "files" else limits.part_bytes) + _FORM_BYTES
    if head.encoded:
        raise ApiError(415, "Send the body as it is, without `Content-Encoding`.")
    if (head.brings or head.media_type) and head.media_type not in taken:
        raise ApiError(415, f"Send `Content-Type: {next(iter(taken)).decode()}`.")
    if head.length is not None and head.length > most:
        raise ApiError(413, f"The body has {head.length:,} bytes; {most:,} are taken here at most.")
    return most
