"""The one retry layer. Vendor retries are off; nothing above or below this module tries again.

| class of call | tries | what is retried |
|---|---|---|
| read | 5 | every `Transient` error, with full jitter (base 0.5 s, cap 20 s) or the provider's Retry-After (up to 120 s) |
| write | 5 | the same; only for calls that may be made twice |
| create | 1 | nothing: an unclear answer is *in doubt*, and the ledger's business |

What a vendor's library has tried several times by itself, where that cannot be switched off, is not tried again here (`Transient.tried`).
Many questions to one model at once wait out a 429 together (`anytune.evaluation.asking.pace`): that is a question's turn, and no try.

A bucket of 500 tokens, shared by one instance, ends retry storms: a retry takes 5, a first try that succeeds gives 1 back.
"""

from __future__ import annotations

import random as _random
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from anytune.errors import (
    REDACTED,
    AnytuneError,
    AuthError,
    BackendError,
    MalformedReply,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Rejected,
    Transient,
    Unreachable,
    redact,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import tenacity

    from anytune.backend import Backend

__all__ = ["AsyncRetry", "Retry", "translated", "unsent"]

T = TypeVar("T")

_TRIES = 5
_BASE_S = 0.5
_CAP_S = 20.0
_RETRY_AFTER_CAP_S = 120.0
_RETRY_COST = 5

_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 400, 401, 403, 404
_TIMEOUT, _CONFLICT, _UNPROCESSABLE, _TOO_MANY, _SERVER = 408, 409, 422, 429, 500

_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"})
"""Names of httpx's exceptions (and of httpx2's, which huggingface_hub and this project use) that come before a request is written."""

_DEPTH = 8
"""Causes of causes that are looked at."""

_NO_CREDIT = frozenset({"insufficient_quota", "credit_balance_exhausted"})
"""`code` or `type` of a 429 that no waiting mends; hosts put the word in either (replies of real accounts, read 2026-11-22)."""


class Retry:
    """Calls a backend, retries what may be retried, and raises only anytune's errors.

    Args:
        deadline_s: Seconds for one call with all its tries and waits.
        clock: Gives monotonic seconds.
        sleep: Waits for seconds.
        random: Gives a float in [0, 1).
        bucket: Tokens for retries.
    """

    def __init__(
        self,
        *,
        deadline_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Any] = time.sleep,
        random: Callable[[], float] = _random.random,
        bucket: int = 500,
    ) -> None:
        """Keep the seams; no call is made."""
        self._policy = _Policy(deadline_s, clock, random, bucket)
        self._sleep = sleep

    def read(self, call: Callable[[], T], *, backend: Backend | None = None) -> T:
        """Make a call that changes nothing, up to 5 times.

        Raises:
            AnytuneError: The last error, translated.
        """
        return self._retried(call, backend)

    def write(self, call: Callable[[], T], *, backend: Backend | None = None) -> T:
        """Make a call that may be made twice without harm (cancel, delete, put), up to 5 times."""
        return self._retried(call, backend)

    def create(self, call: Callable[[], T], *, backend: Backend | None = None) -> T:
        """Make a call that must not be made twice: once."""
        return _guarded(call, backend)

    def _retried(self, call: Callable[[], T], backend: Backend | None) -> T:
        import tenacity  # noqa: PLC0415 - brings asyncio, which naming a class does not need

        result = tenacity.Retrying(sleep=self._sleep, **self._policy.rules())(lambda: _guarded(call, backend))
        self._policy.refund()
        return result


class AsyncRetry:
    """`Retry.read` for coroutines; waits sleep on the loop. Arguments as for `Retry`."""

    def __init__(
        self,
        *,
        deadline_s: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[Any]] | None = None,
        random: Callable[[], float] = _random.random,
        bucket: int = 500,
    ) -> None:
        """Keep the seams; no call is made."""
        import asyncio  # noqa: PLC0415 - as tenacity

        self._policy = _Policy(deadline_s, clock, random, bucket)
        self._sleep = sleep or asyncio.sleep

    async def read(self, call: Callable[[], Awaitable[T]], *, backend: Backend | None = None) -> T:
        """Make a call that changes nothing, up to 5 times.

        Raises:
            AnytuneError: The last error, translated.
        """

        async def guarded() -> T:
            try:
                return await call()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is translated
                ours = translated(error, backend)
                raise ours from _shown(error, ours)

        import tenacity  # noqa: PLC0415 - as in `Retry`

        result: T = await tenacity.AsyncRetrying(sleep=self._sleep, **self._policy.rules())(guarded)
        self._policy.refund()
        return result


class _Policy:
    """When a call is made again, and after how long."""

    def __init__(self, deadline_s: float, clock: Callable[[], float], random: Callable[[], float], bucket: int) -> None:
        self._deadline_s = deadline_s
        self._clock = clock
        self._random = random
        self._size = self._tokens = bucket
        self._lock = threading.Lock()

    def rules(self) -> dict[str, Any]:
        """Give tenacity's rules for one call that begins now."""
        began = self._clock()

        def again(state: tenacity.RetryCallState) -> bool:
            error = state.outcome.exception() if state.outcome is not None else None
            retried = isinstance(error, Transient) and not error.tried
            return retried and state.attempt_number < _TRIES and self._spend()

        def out_of_time(state: tenacity.RetryCallState) -> bool:
            return self._clock() - began + state.upcoming_sleep > self._deadline_s

        return {"retry": again, "wait": self._wait, "stop": out_of_time, "reraise": True}

    def refund(self) -> None:
        """Give a token back after a success."""
        with self._lock:
            self._tokens = min(self._size, self._tokens + 1)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        asked = error.retry_after if isinstance(error, RateLimited) else None
        if asked is not None:
            return min(max(asked, 0.0), _RETRY_AFTER_CAP_S)
        return self._random() * min(_CAP_S, _BASE_S * 2.0 ** (state.attempt_number - 1))

    def _spend(self) -> bool:
        with self._lock:
            if self._tokens < _RETRY_COST:
                return False
            self._tokens -= _RETRY_COST
            return True


def translated(error: Exception, backend: Backend | None) -> AnytuneError:
    """Turn any exception of a backend into ours: the backend's own `translate` first, then the HTTP status it carries, then its kind.

    An exception that says nothing about the request's fate is `Unreachable`: the outcome is unknown.
    """
    name = backend.name if backend else None
    if isinstance(error, AnytuneError):
        return error.at(backend=name)
    own = backend.translate(error) if backend else None
    if own is not None:
        return own.at(backend=name)
    status = _status(error)
    return _by_status(status, error, name) if status else _by_kind(error, name)


def unsent(error: BaseException) -> bool:
    """Tell whether a call failed before a byte of it was sent: no address was found, or nobody took the connection.

    Only what is known for certain counts. A connection that was made and then broke, or an answer that did not come, says nothing. Neither
    does the error that somebody was handling while this call was made (`__context__`): it is of another call.
    """
    seen: BaseException | None = error
    for _ in range(_DEPTH):
        if seen is None:
            return False
        if isinstance(seen, (ConnectionRefusedError, socket.gaierror)) or type(seen).__name__ in _NEVER_SENT:
            return True
        seen = seen.__cause__
    return False


def _guarded(call: Callable[[], T], backend: Backend | None) -> T:
    try:
        return call()
    except Exception as error:
        ours = translated(error, backend)
        if ours is error:
            raise
        raise ours from _shown(error, ours)


def _shown(error: Exception, ours: AnytuneError) -> Exception | None:
    """Give the cause that a traceback may show: none where a text echoes a key, which the vendor's exception holds as it came."""
    if REDACTED in f"{ours} {ours.raw}" or REDACTED in redact(f"{error} {error.__cause__} {error.__context__}"):
        return None
    return error


def _status(error: Exception) -> int | None:
    found = getattr(error, "status_code", None) or getattr(getattr(error, "response", None), "status_code", None)
    return found if isinstance(found, int) else None


def _by_status(status: int, error: Exception, backend: str | None) -> AnytuneError:
    text = f"HTTP {status}: {_told(error)}"
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        return AuthError(
            text, fix="Check the key and what it may do; `anytune doctor` shows which settings are read.", backend=backend, raw=error
        )
    if status == _NOT_FOUND:
        return NotFound(text, fix="Check the id, and that the key belongs to the same account.", backend=backend, raw=error)
    if status == _TOO_MANY and _NO_CREDIT & {getattr(error, "code", None), getattr(error, "type", None)}:
        return QuotaExceeded(text, fix="Add credit at the provider: waiting does not help.", backend=backend, raw=error)
    if status == _TOO_MANY:
        return RateLimited(text, retry_after=_retry_after(error), fix="Wait, or ask for higher limits.", backend=backend, raw=error)
    if status in {_TIMEOUT, _CONFLICT} or status >= _SERVER:
        return Unreachable(text, fix="Try again later.", backend=backend, raw=error)
    return Rejected(text, fix="Correct what the message names.", backend=backend, raw=error)


def _told(error: Exception) -> str:
    """Give the host's own message, where the exception kept the body that it read; its text repeats the status."""
    body = getattr(error, "body", None)
    message = body.get("message") if isinstance(body, dict) else None
    return message if isinstance(message, str) and message else str(error)


def _by_kind(error: Exception, backend: str | None) -> AnytuneError:
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, ValueError) and "json" in type(error).__name__.lower():
        return MalformedReply(text, fix="Check that the address is the provider's, and no proxy's.", backend=backend)
    if isinstance(error, OSError) or "connection" in type(error).__name__.lower() or "timeout" in type(error).__name__.lower():
        return Unreachable(text, fix="Check the network and the address, then try again.", backend=backend)
    return BackendError(f"Backend {backend or '?'} broke: {text}", fix="This is a defect of the backend; tell its author.", backend=backend)


def _retry_after(error: Exception) -> float | None:
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return float(headers[name]) * scale
        except (KeyError, TypeError, ValueError):
            continue
    return None
