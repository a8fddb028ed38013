"""Tokens of a simulated Microsoft Entra ID: what `azure-identity` would give, for one scope each, with an end."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ARM_AUDIENCES", "DATA_AUDIENCES", "Claims", "EntraToken", "SimulatedCredential", "claims_of"]

ARM_AUDIENCES = frozenset({"https://management.azure.com", "https://management.core.windows.net"})
"""What a token must be for at ARM."""

DATA_AUDIENCES = frozenset({"https://ai.azure.com", "https://cognitiveservices.azure.com"})
"""What a token must be for at the data plane: the first in Microsoft's pages since September 2026, the second before."""


class EntraToken(NamedTuple):
    """A token and its end (seconds since 1970), as `azure.core.credentials.AccessToken` names them."""

    token: str
    expires_on: int


class Claims(NamedTuple):
    """What a token says of itself."""

    audience: str
    expires_on: float


class SimulatedCredential:
    """A credential in the shape of `azure-identity`'s: give it to any Azure client, or to `azure.identity.get_bearer_token_provider`.

    Args:
        secret: The simulator's `entra_token`, which signs what it gives.
        lives_s: Seconds that a token is good for.
        clock: Gives seconds since 1970.

    Attributes:
        scopes: What was asked for, call by call.
    """

    def __init__(self, secret: str, *, lives_s: float = 3600.0, clock: Callable[[], float] = time.time) -> None:
        """Hold the secret."""
        self.lives_s = lives_s
        self.scopes: list[tuple[str, ...]] = []
        self._secret = secret
        self._clock = clock

    def get_token(self, *scopes: str, **_: Any) -> EntraToken:
        """Give a token for a scope such as `https://management.azure.com/.default`."""
        self.scopes.append(scopes)
        audience = scopes[0].removesuffix("/.default").rstrip("/") if scopes else ""
        expires_on = int(self._clock() + self.lives_s)
        head = _packed({"typ": "JWT", "alg": "HS256"})
        body = f"{head}.{_packed({'aud': audience, 'exp': expires_on})}"
        return EntraToken(f"{body}.{_signature(body, self._secret)}", expires_on)

    def close(self) -> None:
        """Do nothing; real credentials close connections."""

    def __repr__(self) -> str:
        """Name the class; never the secret."""
        return "SimulatedCredential()"


def claims_of(token: str, secret: str) -> Claims | None:
    """Read a token that `SimulatedCredential` gave with this secret; None for any other."""
    body, _, signature = token.rpartition(".")
    if body.count(".") != 1 or signature != _signature(body, secret):
        return None
    packed = body.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4)))
    return Claims(claims["aud"], claims["exp"])


def _packed(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def _signature(body: str, secret: str) -> str:
    return hashlib.sha256(f"{body}.{secret}".encode()).hexdigest()[:43]
