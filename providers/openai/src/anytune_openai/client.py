"""To whom the backend speaks, with which key, and the one `openai.OpenAI` that carries it."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from anytune.errors import ConfigError, hide

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx2
    from openai import OpenAI

__all__ = ["BASE_URL", "LONG_TIMEOUT_S", "TIMEOUT_S", "Connection", "address", "connection", "host_of", "open_client", "seconds"]

BASE_URL = "https://api.openai.com/v1"

TIMEOUT_S = 60.0
"""Seconds that an ordinary call may take; it makes the settle window, so it is shorter than the client's own 600."""

_SHORTEST_S = 0.1

_PORTS = {"http": 80, "https": 443}

LONG_TIMEOUT_S = 600.0
"""Seconds that an upload or an answer of a model may take."""


@dataclass(frozen=True)
class Connection:
    """An address and what opens it.

    Attributes:
        base_url: Up to and including `/v1`, without a slash at its end.
        key: The key, or a function that gives a token that is good now; it is asked before each request.
        organization: OpenAI's organisation, where the key has several.
        project: OpenAI's project, where the key has several.
        timeout_s: Seconds that an ordinary call may take.
        headers: Further headers of each request.
        transport: What carries the requests; None: the client's own.
    """

    base_url: str
    key: SecretStr | Callable[[], str] = field(repr=False)
    organization: str | None = None
    project: str | None = None
    timeout_s: float = TIMEOUT_S
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    transport: httpx2.BaseTransport | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Keep the key out of every text: hosts repeat it in their errors."""
        if isinstance(self.key, SecretStr):
            hide(self.key.get_secret_value())

    @property
    def host(self) -> str:
        """The address's host, with its port where one is named that is not the protocol's own."""
        return host_of(self.base_url)

    @property
    def account(self) -> str:
        """Whose jobs these are, as far as it can be known without asking: host, organisation and project."""
        return "/".join(part for part in (self.host, self.organization, self.project) if part)


def connection(
    *,
    api_key: str | SecretStr | None = None,
    base_url: str | None = None,
    organization: str | None = None,
    project: str | None = None,
    timeout_s: float = TIMEOUT_S,
) -> Connection:
    """Settle the settings of OpenAI: what was given, else the vendor's own environment names.

    Args:
        api_key: Else OPENAI_API_KEY.
        base_url: Else OPENAI_BASE_URL, else OpenAI's own address.
        organization: Else OPENAI_ORG_ID.
        project: Else OPENAI_PROJECT_ID.
        timeout_s: Seconds that an ordinary call may take.

    Raises:
        ConfigError: There is no key, or a setting makes no sense.
    """
    given = api_key.get_secret_value() if isinstance(api_key, SecretStr) else api_key
    key = _clean("api_key", given) or _environment("OPENAI_API_KEY")
    if not key:
        raise ConfigError(
            "There is no key for OpenAI.",
            fix="Set OPENAI_API_KEY, or give `api_key` to the backend or its profile.",
            backend="openai",
        )
    return Connection(
        base_url=address(_clean("base_url", base_url) or _environment("OPENAI_BASE_URL") or BASE_URL, backend="openai"),
        key=SecretStr(key),
        organization=_clean("organization", organization) or _environment("OPENAI_ORG_ID"),
        project=_clean("project", project) or _environment("OPENAI_PROJECT_ID"),
        timeout_s=seconds("timeout_s", timeout_s, backend="openai", least=_SHORTEST_S),
    )


def address(url: str, *, backend: str) -> str:
    """Give a base URL without the slash at its end.

    Raises:
        ConfigError: It is no address over HTTP, or it carries a password.
    """
    parts = urlsplit(url)
    try:
        known = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        known = False
    if not known or parts.username or parts.password:
        fix = f"Write it as {BASE_URL}: with https:// and the path that the host's documentation gives, without a password."
        raise ConfigError(f"The base URL {url!r} is no address of a host.", fix=fix, backend=backend)
    return url.rstrip("/")


def host_of(url: str) -> str:
    """Give an address's host, one word for all the ways to write it: whose jobs these are hangs on it.

    Example:
        >>> host_of("https://API.openai.com:443/v1"), host_of("http://127.0.0.1:8000/v1")
        ('api.openai.com', '127.0.0.1:8000')
    """
    parts = urlsplit(url)
    name = str(parts.hostname).rstrip(".")
    return f"{name}:{parts.port}" if parts.port not in {None, _PORTS.get(parts.scheme)} else name


def seconds(name: str, value: object, *, backend: str, least: float = 0.0) -> float:
    """Give a number of seconds, as a profile may have it.

    Raises:
        ConfigError: It is none, or less than `least`.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < math.inf:
        raise ConfigError(f"`{name}` is {value!r}.", fix=f"Give seconds, {least:g} or more.", backend=backend)
    return float(value)


def open_client(where: Connection) -> OpenAI:
    """Open the client. It never tries again by itself: core's retry layer is the only one, and a create is never sent twice.

    Nor does it follow a host that sends a create or a file elsewhere: rows would go to a place that nobody named.
    """
    from openai import DefaultHttpxClient, OpenAI, omit  # noqa: PLC0415 - takes two seconds when it is first imported

    class Straight(DefaultHttpxClient):
        def send(self, request: Any, **options: Any) -> Any:
            return super().send(request, **options | {"follow_redirects": request.method == "GET"})

    key = where.key
    headers: dict[str, object] = {**where.headers}
    if where.organization is None:  # the client would take OPENAI_ORG_ID and OPENAI_PROJECT_ID by itself, for another host too
        headers["OpenAI-Organization"] = omit
    if where.project is None:
        headers["OpenAI-Project"] = omit
    carried: dict[str, Any] = {} if where.transport is None else {"transport": where.transport}
    return OpenAI(
        base_url=where.base_url,
        api_key=key.get_secret_value() if isinstance(key, SecretStr) else key,
        organization=where.organization,
        project=where.project,
        timeout=where.timeout_s,
        max_retries=0,
        http_client=Straight(base_url=where.base_url, timeout=where.timeout_s, **carried),
        default_headers=headers,  # type: ignore[arg-type]  # `omit` takes a header away, which the annotation leaves out
    )


def _clean(name: str, value: object) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ConfigError(f"`{name}` is no text.", fix="Give it in quotes.", backend="openai")
    return value.strip() or None


def _environment(name: str) -> str | None:
    return os.environ.get(name, "").strip() or None
