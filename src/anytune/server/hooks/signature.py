"""How a receiver knows who called: Standard Webhooks (standardwebhooks.com, read 2026-11-22), which OpenAI's clients verify."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from anytune.errors import ConfigError

__all__ = ["PREFIX", "headers", "key_of"]

PREFIX = "whsec_"
_SHORTEST = 24
"""Bytes that the standard asks of a secret, at least."""


def key_of(secret: str) -> bytes:
    """Give the key in a secret.

    Raises:
        ConfigError: It is none, or too short.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True) if secret.startswith(PREFIX) else b""
    except binascii.Error:
        key = b""
    if len(key) < _SHORTEST:
        raise ConfigError(
            f"The `secret` of a webhook is not {PREFIX} and {_SHORTEST} or more bytes in base64.",
            fix=f'Make one: echo "{PREFIX}$(openssl rand -base64 32)"; give it to the receiver too.',
        )
    return key


def headers(key: bytes, call_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Give the headers that sign a body: the same `call_id` at each attempt, and the time of this one.

    Example:
        >>> headers(b"k" * 24, "evt_1", 1700000000, b"{}")["webhook-signature"][:3]
        'v1,'
    """
    signed = hmac.new(key, f"{call_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": call_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }
