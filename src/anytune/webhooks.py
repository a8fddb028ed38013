"""Webhooks end a wait early: a provider that calls when a job has ended spares the rest of a pause.

A call is verified, its job is found by the provider's id, and whoever waits for it, in whichever process, looks at it within a second or
two. Nothing that the call says of the job is believed: it only wakes. So a call that comes twice, late, in another order or not at all
costs a look at most, and no wait depends on one.

Calls are signed by Standard Webhooks, as OpenAI and `anytune serve` send them; the openai client's own verification is used.
"""

from __future__ import annotations

import base64
import binascii
import json
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from anytune.errors import AuthError, ConfigError, DataError
from anytune.runtime import runtime
from anytune.values import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from openai import OpenAI

    from anytune.runtime import Runtime

__all__ = ["EVENTS", "Nudge", "receive"]

EVENTS = frozenset({"fine_tuning.job.succeeded", "fine_tuning.job.failed", "fine_tuning.job.cancelled"})
"""What OpenAI calls about (platform.openai.com/docs/guides/webhooks, read 2026-11-22); other calls are taken and wake nobody."""

TOLERANCE_S = 300
"""How old a call may be, and how far ahead of this machine's clock: five minutes, as the standard has it."""

_PREFIX = "whsec_"
_SHORTEST_BYTES = 16
_MOST_BYTES = 1 << 20
"""A call holds an id and a type; OpenAI's own have some 200 bytes."""


class Nudge(Value):
    """What a call came to.

    Attributes:
        id: The call's own id: the same for each attempt to deliver it.
        type: What it is about, such as `fine_tuning.job.succeeded`.
        remote_id: The provider's id of the job.
        jobs: Ids of the ledger's jobs with that id: those who wait for them were woken. Empty where the ledger knows no such job, or the
            call is about something else.
    """

    id: str
    type: str
    remote_id: str
    jobs: tuple[str, ...] = ()


def receive(
    body: bytes | str,
    headers: Mapping[str, str],
    *,
    secret: str | SecretStr | Sequence[str | SecretStr],
    tolerance_s: int = TOLERANCE_S,
    context: Runtime | None = None,
) -> Nudge:
    """Take one call: verify it, and wake those who wait for its job.

    Answer 2xx when it returns, 4xx when it raises `AuthError` or `DataError`, and 5xx for anything else: the provider then calls again.

    Args:
        body: The request's body, byte for byte as it came.
        headers: The request's headers, in any case.
        secret: What the provider signs with (`whsec_…`); several while one is being replaced by another.
        tolerance_s: How many seconds a call may be old, or ahead of this machine's clock.
        context: The ledger; the process's own by default.

    Raises:
        AuthError: It is not signed by any of the secrets, or is too old.
        DataError: It is signed, and no event.
        ConfigError: A secret is none.
        LedgerError: The nudge could not be written down.
    """
    kept = [secret] if isinstance(secret, str | SecretStr) else list(secret)
    secrets = [_checked(each.get_secret_value() if isinstance(each, SecretStr) else each) for each in kept]
    if not secrets:
        raise ConfigError("There is no secret to verify a webhook with.", fix="Pass the one that the provider showed: whsec_….")
    size = len(body)
    if size > _MOST_BYTES:
        raise DataError(f"A webhook of {size} bytes is none.", fix="Answer 413, and limit what is read.")
    _verify(body, headers, secrets, tolerance_s)
    event = _event(body)
    if event.type not in EVENTS:
        return event
    found = (context or runtime()).ledger.nudge(event.remote_id)
    return event.model_copy(update={"jobs": tuple(row.id for row in found)})


def _verify(body: bytes | str, headers: Mapping[str, str], secrets: Sequence[str], tolerance_s: int) -> None:
    from openai import InvalidWebhookSignatureError  # noqa: PLC0415 - takes half a second

    why = ""
    for secret in secrets:
        try:
            _client().webhooks.verify_signature(body, dict(headers), secret=secret, tolerance=tolerance_s)
        except (InvalidWebhookSignatureError, ValueError, TypeError) as error:
            # A header that is missing, bytes that are no UTF-8, a signature that is no ASCII: the client lets Python's own errors through
            # (openai 3.54, read 2026-11-23).
            why = str(error) if isinstance(error, InvalidWebhookSignatureError) else "a header is missing or cannot be read"
        else:
            return
    raise AuthError(
        f"A webhook was refused: {why.rstrip('.')}.",
        fix="Check the secret and this machine's clock, and that the body is passed as it came. Answer 401.",
    )


def _event(body: bytes | str) -> Nudge:
    """Read a call that was verified."""
    try:
        event: Any = json.loads(body)
        return Nudge(id=event["id"], type=event["type"], remote_id=event["data"]["id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DataError("A webhook is signed, and is no event: it has no id, type and data.id.", fix="Answer 400.") from None


def _checked(secret: str) -> str:
    """Refuse a secret that anybody could guess: an empty one signs too."""
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True) if secret.startswith(_PREFIX) else secret.encode()
    except binascii.Error:
        key = b""
    if len(key) < _SHORTEST_BYTES:
        raise ConfigError(
            f"The secret of a webhook is not {_PREFIX} and {_SHORTEST_BYTES} or more bytes in base64.",
            fix="Copy it whole from where the provider showed it.",
        )
    return secret


@cache
def _client() -> OpenAI:
    """Give a client that verifies and asks nobody for anything."""
    import openai  # noqa: PLC0415 - as above

    return openai.OpenAI(api_key="not used", base_url="http://127.0.0.1:9", max_retries=0)
