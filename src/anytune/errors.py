"""The errors of anytune, and nothing else: this is the lowest floor of the house.

```text
AnytuneError
├── ConfigError (ValueError)              a setting, profile or spec is wrong
│   └── JobConflict                       same name, other spec; both are shown
├── DataError (ValueError)                rows are wrong; `findings` carry the row numbers
├── BudgetExceeded [Terminal]             the quote or the bill is over the budget
├── BackendMissing (ImportError)          no such backend is installed, or it is broken
├── WaitTimeout (TimeoutError)            the caller's patience ended; the job goes on
├── LedgerError                           the ledger cannot be opened, read or written
│   └── LedgerAway [Transient]            its database is down, not reachable or locked at the moment
├── SubmitInDoubt [Transient]             one create was sent and its reply was lost
├── DeploymentFailed [Terminal]           the host never became ready; the reason and the log
├── MalformedReply [Transient]            an endpoint answered with something that is no reply
└── BackendError                          the provider said no, or could not be asked
    ├── AuthError [Terminal]              key or permission
    ├── RateLimited [Transient]           `retry_after` seconds, if the provider said so
    ├── QuotaExceeded [Terminal]          no credit left; waiting does not help
    ├── NotFound (LookupError) [Terminal]
    ├── Rejected [Terminal]               the provider understood the request and refused it
    ├── Unreachable [Transient]           connection lost, timeout, 5xx: the outcome is unknown
    ├── FineTuningUnavailable [Terminal]  this account, model or date cannot be tuned any more
    ├── JobFailed [Terminal]              failed or cancelled; `snapshot` says why
    ├── JobPaused [Terminal]              stopped by its host with a checkpoint; `resume` goes on from there
    └── Unsupported (NotImplementedError) [Terminal]   this backend has no such ability
```

`Transient` and `Terminal` are markers beside the tree: the first may go away when the same call is made again, the second will not.
An error without a marker concerns the caller's own input.
"""

from __future__ import annotations

import os
import re
import threading
from typing import TYPE_CHECKING, Any, Final, Self

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune.values import Finding, Snapshot

__all__ = [
    "REDACTED",
    "AnytuneError",
    "AuthError",
    "BackendError",
    "BackendMissing",
    "BudgetExceeded",
    "ConfigError",
    "DataError",
    "DeploymentFailed",
    "FineTuningUnavailable",
    "JobConflict",
    "JobFailed",
    "JobPaused",
    "LedgerAway",
    "LedgerError",
    "MalformedReply",
    "NotFound",
    "QuotaExceeded",
    "RateLimited",
    "Rejected",
    "SubmitInDoubt",
    "Terminal",
    "Transient",
    "Unreachable",
    "Unsupported",
    "WaitTimeout",
    "hide",
    "redact",
]

_SHAPED = re.compile(
    r"(?:(?<![A-Za-z])|(?<=\\[nrt]))(?:"
    r"(?:sk|rk|pk)[-_][A-Za-z0-9_\-]{8,}"
    r"|hf_[A-Za-z0-9]{16,}"
    r"|whsec_[A-Za-z0-9+/=_\-]{16,}"
    r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
    r"|(?i:(?<=bearer ))[A-Za-z0-9._\-]{8,}"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"
)
"""Keys that show by themselves what they are; an escaped line end (`\n`) may stand before one."""

_NAMED = re.compile(
    r"(?i)((?:api[-_]?key|authorization|password|passwd|client[-_]?secret|(?:access|auth|refresh)[-_]token)"
    r"\\?[\"']?\s{0,3}[:=]\s{0,3}\\?[\"']?(?:(?:bearer|basic)\s+)?)([^\s\"',}&\\]{8,})"
    r"|((?<![A-Za-z_-])token=)([\w.~+/=-]{16,})"
)
"""Words of no shape, behind the name of what they are."""

_SECRET_NAMES: Final = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIALS")
"""How names of the environment end whose values are secrets."""

REDACTED = "[redacted]"
"""What stands in a text where a secret stood."""

_SHORTEST: Final = 16
"""Shorter words stand in ordinary texts too; keys of hosts have 20 characters and more."""

_MOST: Final = 64
"""Tokens are renewed every hour: the oldest are no secrets any more."""

_hidden: dict[str, None] = {}
_lock = threading.Lock()


def hide(secret: str) -> None:
    """Let `redact` replace this very text too, whatever its shape: Azure's keys are plain letters and digits.

    A backend calls it for every key and token that it is about to send. Texts under 16 characters are left alone.
    """
    if len(secret) < _SHORTEST:
        return
    with _lock:
        _hidden.pop(secret, None)
        _hidden[secret] = None
        if len(_hidden) > _MOST:
            del _hidden[next(iter(_hidden))]


def redact(text: str) -> str:
    """Replace what looks like a key, a bearer token or a URL's password, and what `hide` was told, by `[redacted]`.

    So are the values of environment names that end like a secret's (`WANDB_API_KEY`, `AZURE_OPENAI_API_KEY`): a plugin or a library may
    show one that no backend here was told of.

    Providers echo keys in their error texts (seen with a 401 on 2026-11-22), so every text from outside passes through here before it is
    raised, stored or logged.

    Example:
        >>> redact("Incorrect API key provided: sk-proj-abcdefgh12345678")
        'Incorrect API key provided: [redacted]'
    """
    known = {*list(_hidden), *_environment()} if len(text) >= _SHORTEST else ()  # a copy at once: other threads may add to it
    for secret in sorted(known, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return _NAMED.sub(_kept_name, _SHAPED.sub(REDACTED, text))


def _kept_name(found: re.Match[str]) -> str:
    return f"{found[1] or found[3]}{REDACTED}"


def _environment() -> list[str]:
    named = [os.environ.get(name, "") for name in list(os.environ) if name.upper().endswith(_SECRET_NAMES)]
    return [value for value in named if len(value) >= _SHORTEST]


class Transient(Exception):
    """Marks an error that the same call may not meet again: retrying reads is sensible.

    Attributes:
        tried: A vendor's library has made the call several times by itself: nobody makes it again on top of that.
    """

    tried: bool = False


class Terminal(Exception):
    """Marks an error that the same call will meet again: retrying is pointless."""


class AnytuneError(Exception):
    """What every error of anytune is.

    Args:
        message: What happened, to which row, key or job. Secrets are redacted.
        fix: The next step for the person who reads it; it ends the text.
        backend: Name of the backend concerned.
        job_id: anytune's id of the job concerned.
        raw: The provider's reply, redacted and cut to 2,000 characters.
    """

    def __init__(self, message: str, *, fix: str = "", backend: str | None = None, job_id: str | None = None, raw: object = None) -> None:
        """Keep the parts as attributes, so that callers need not read the text."""
        self.message = redact(message)
        self.fix = redact(fix)
        self.backend = backend
        self.job_id = job_id
        self.raw = None if raw is None else redact(str(raw))[:2000]
        super().__init__(self.message)

    def __str__(self) -> str:
        """Give the message, then the next step."""
        return f"{self.message} {self.fix}".strip()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by state: subclasses have keyword arguments that `Exception` would forget."""
        return _rebuild, (type(self), self.message, dict(self.__dict__))

    def at(self, *, backend: str | None = None, job_id: str | None = None) -> Self:
        """Name the backend and job where the raiser could not know them; what is known already stays."""
        self.backend = self.backend or backend
        self.job_id = self.job_id or job_id
        return self


def _rebuild(cls: type[AnytuneError], message: str, state: dict[str, Any]) -> AnytuneError:
    error = cls.__new__(cls, message)
    error.args = (message,)  # OSError's kind (WaitTimeout) takes its arguments in __init__ only
    error.__dict__.update(state)
    return error


class ConfigError(AnytuneError, ValueError):
    """A setting, a profile or a spec is wrong; the text names the key."""


class JobConflict(ConfigError):
    """The name is taken by a job with another spec; `differences` maps each field to (theirs, yours)."""

    def __init__(self, message: str, *, differences: dict[str, tuple[object, object]], **details: Any) -> None:
        """Keep the differences, so that a program can show them its own way."""
        super().__init__(message, **details)
        self.differences = differences


class DataError(AnytuneError, ValueError):
    """Training data cannot be used; `findings` name every row concerned."""

    def __init__(self, message: str, *, findings: Sequence[Finding] = (), **details: Any) -> None:
        """Keep the findings."""
        super().__init__(message, **details)
        self.findings = tuple(findings)


class BudgetExceeded(AnytuneError, Terminal):
    """The quote, or what was spent over all attempts, is over the budget."""


class BackendMissing(AnytuneError, ImportError):
    """No backend of that name is installed, or it is and cannot be imported."""


class WaitTimeout(AnytuneError, TimeoutError):
    """`wait` gave up; the job itself goes on."""


class LedgerError(AnytuneError):
    """The ledger cannot be opened, is of a newer anytune, or refused a write."""


class LedgerAway(LedgerError, Transient):
    """The ledger's database is down, cannot be reached or is kept locked: a write that broke off may have taken effect, or not."""


class SubmitInDoubt(AnytuneError, Transient):
    """A create was sent, its reply was lost, and the provider could not yet be asked whether it took effect.

    Attributes:
        asks: Only a person can say what is next: who waits would see the same again and again.
    """

    asks: bool = False


class DeploymentFailed(AnytuneError, Terminal):
    """A deployment never became ready, or vanished."""


class MalformedReply(AnytuneError, Transient):
    """An endpoint answered with something other than a reply of its protocol (HTML, a cut JSON, no choices)."""


class BackendError(AnytuneError):
    """The provider refused, failed or could not be reached."""


class AuthError(BackendError, Terminal):
    """The key is missing, wrong or lacks a permission."""


class RateLimited(BackendError, Transient):
    """Too many requests; `retry_after` is in seconds, or None where the provider did not say."""

    def __init__(self, message: str, *, retry_after: float | None = None, **details: Any) -> None:
        """Keep the wait the provider asked for."""
        super().__init__(message, **details)
        self.retry_after = retry_after


class QuotaExceeded(BackendError, Terminal):
    """No credit or no slots are left."""


class NotFound(BackendError, LookupError, Terminal):
    """The provider, or the ledger, knows no such job, model, file or deployment."""


class Rejected(BackendError, Terminal):
    """The provider understood the request and refused it; nothing was created."""


class Unreachable(BackendError, Transient):
    """The connection broke, timed out or gave a 5xx: whether a write took effect is unknown."""


class FineTuningUnavailable(BackendError, Terminal):
    """This account, model or date cannot be tuned (any more)."""


class JobFailed(BackendError, Terminal):
    """The job ended without a model; `snapshot` is the last observation."""

    def __init__(self, message: str, *, snapshot: Snapshot | None = None, **details: Any) -> None:
        """Keep the last observation."""
        super().__init__(message, **details)
        self.snapshot = snapshot


class JobPaused(BackendError, Terminal):
    """The job's host stopped it with a checkpoint, as its time was up or its machine was lost: nobody else will resume it."""

    def __init__(self, message: str, *, snapshot: Snapshot | None = None, **details: Any) -> None:
        """Keep the last observation."""
        super().__init__(message, **details)
        self.snapshot = snapshot


class Unsupported(BackendError, NotImplementedError, Terminal):
    """This backend, model or machine has no such ability."""
