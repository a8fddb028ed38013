"""From the vendor's exceptions, and a failed job's code, to anytune's errors with a next step.

What happened is read from the status, the `code`, the `type` and the body's own message; never from `str(error)`, whose form changed
between openai 2 and 3. Sources: OpenAI's guide to error codes, and replies of real accounts kept in public repositories (read
2026-11-22).
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from anytune.errors import (
    AnytuneError,
    AuthError,
    ConfigError,
    MalformedReply,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Rejected,
    Unreachable,
)
from anytune_openai.closing import unavailable
from anytune_openai.waiting import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import openai

    from anytune_openai.dialect import Dialect

__all__ = ["CREATE", "Said", "hint", "said", "translate"]

CREATE = "/fine_tuning/jobs"
"""How the path of the create call ends."""

_AGAIN = "run the same script again"
_BILLING = "Add credit or raise the limit in the host's billing settings, then run the same script again: waiting does not help."
_SCOPE = "Give the key the permission that the message names: a restricted key needs write access to fine-tuning, files and models."
_COUNTRY = "OpenAI does not serve this place: use a backend that does (`trl` trains on your own machine)."
_NETWORK = "Check the network and `{setting}`, then run it again: what was sent already is looked for before anything is sent twice."
_HOST_DOWN = f"The fault is the host's: {_AGAIN} in a few minutes; what was sent already is looked for first."
_FILE = f"The host has no such file for this key, or not one for fine-tuning: {_AGAIN}, which looks for it and sends it."

_LIMITS: Mapping[str, str] = {
    "daily_rate_limit_exceeded": f"The account has used up its jobs for today: {_AGAIN} tomorrow, or ask the host for a higher limit.",
    "active_limit_exceeded": f"Too many of the account's jobs are active: wait until one has ended (`anytune jobs list`), then {_AGAIN}.",
}
"""Limits on jobs. They are answered as 429 and are gone by waiting for hours or for other jobs: core lets the job wait in the ledger."""

_LIMIT_WORDS: tuple[tuple[str, str], ...] = (
    ("requests per day", "daily_rate_limit_exceeded"),
    ("active requests", "active_limit_exceeded"),
)
"""The same by the body's message, since the codes are known from memory only (2026-11-22)."""

_FIXES: Mapping[str, str] = {
    "model_not_found": "Check the model's name, and that the key's project may use it; one that was just made may take minutes.",
    "fine_tune_not_found": "Check the job's id, and that the key belongs to its organisation and project (`organization`, `project`).",
    "model_not_available": "Take a model that is tuned there; `anytune.catalog` and docs/reference/catalog.md list them.",
    "missing_required_parameter": "Set what the message names.",
    "invalid_value": "Correct the setting that the message names; `anytune preflight` checks a spec and makes nothing.",
    "content_filter": "The host's content filter refused the text: take it out, or ask the host for another filter.",
}
"""By the error's code."""

_PARAMS: Mapping[str, str] = {"training_file": _FILE, "validation_file": _FILE}
"""By the parameter that is blamed, where no code says more."""

_WORDS: tuple[tuple[str, str], ...] = (
    ("is not ready", f"The host still looks at the file: wait a minute and {_AGAIN}."),
    ("must be .jsonl", "The host takes JSONL alone: `anytune data convert` makes it of other formats."),
    ("invalid file format", "`anytune data check` says which rows are wrong; `anytune data convert` makes JSONL of other formats."),
    ("already completed", "The job has ended: there is nothing left to cancel or pause."),
    ("extra fields not permitted", "The host does not know this setting: leave it out of the spec."),
    ("is not of type", "Give the setting that the message names a value of that type, or leave it out."),
    ("no such file object", _FILE),
    ("invalid url", "Check `base_url`: it goes up to and including `/v1`, or what the host's documentation gives instead."),
)
"""By the body's own message, lower case, where it carries no code: what OpenAI leaves uncoded."""

_HINTS: Mapping[str, str] = {
    "invalid_n_examples": "Add rows to the training file: 10 at least, 50 to see an effect.",
    "invalid_training_file": "`anytune data check` with this backend names the rows that are wrong; examples are counted from 1.",
    "invalid_validation_file": "`anytune data check` with this backend names the rows of the validation file that are wrong.",
    "invalid_file_format": "Take out or rename the key that the message names: `anytune data check` lists every row that has it.",
    "moderation": "Take the flagged rows out of the file (lines are counted from 1) and read the host's usage policies.",
    "server_error": "The fault is the host's, not the data's: start a new attempt, and ask its support if it fails again.",
    "exceeded_quota": "Add credit or raise the hard limit in the host's billing settings first.",
    "insufficient_quota": "Add credit or raise the hard limit in the host's billing settings first.",
    "user-error": "Look at the account's billing settings: the host could not charge it.",
}
"""What helps against a failed job, by the code of its error."""


class Said(NamedTuple):
    """What a refusal says of itself; empty where it does not."""

    status: int
    code: str
    type: str
    param: str
    message: str

    @property
    def words(self) -> set[str]:
        """Code and type in lower case: hosts put the same word in either."""
        return {self.code.lower(), self.type.lower()} - {""}


def said(error: openai.APIStatusError) -> Said:
    """Read a refusal."""
    body = error.body if isinstance(error.body, dict) else {"message": error.body if isinstance(error.body, str) else ""}
    code, kind, param, message = (str(body.get(name) or "") for name in ("code", "type", "param", "message"))
    return Said(error.status_code, code, kind, param, message)


def hint(code: object, message: object, dialect: Dialect) -> str:
    """Say what helps against the failure of a job; nothing for a code that is not known."""
    word = str(code or "").lower()
    if "specified fine-tuning job is not using" in str(message or ""):
        return "The rows are of another method's kind: set the spec's `method` to theirs, or `anytune data convert` them."
    return dialect.fixes.get(word) or _HINTS.get(word, "")


def translate(
    error: Exception, dialect: Dialect, *, catalogued: str | None = None, run: tuple[str, str] = ("", "sft")
) -> AnytuneError | None:
    """Turn an exception of the `openai` client, or of what it stands on, into ours.

    Args:
        error: What was raised.
        dialect: The host's words.
        catalogued: Under which name the catalogue knows the host; None: no dates and alternatives are told.
        run: Model and method that were to be tuned, where that is known.

    Returns:
        None for an exception that is not of the wire: core judges it.
    """
    import httpx2  # noqa: PLC0415 - comes with openai
    import openai  # noqa: PLC0415 - takes two seconds when it is first imported; it has been by whoever raised

    if isinstance(error, openai.APIStatusError):
        return _refused(error, dialect, partial(unavailable, host=dialect.host, catalogued=catalogued, model=run[0], method=run[1]))
    if isinstance(error, openai.APITimeoutError):
        return Unreachable(f"{_place(error, dialect)} did not answer in time.", fix=_network(dialect), raw=error.request.url.path)
    if isinstance(error, (openai.APIConnectionError, httpx2.TransportError)):
        text = f"The connection to {_place(error, dialect)} broke or was never made ({_cause(error)})."
        return Unreachable(text, fix=_network(dialect))
    if isinstance(error, (openai.APIResponseValidationError, json.JSONDecodeError, httpx2.DecodingError)):
        fix = f"Check that `{dialect.address}` is the provider's own and no proxy stands before it, then {_AGAIN}."
        return MalformedReply(f"{dialect.host} answered with something that is no reply of its protocol.", fix=fix)
    if isinstance(error, openai.APIError):
        return Unreachable(f"{dialect.host} broke off: {error.message}", fix=_HOST_DOWN, raw=error.body)
    if isinstance(error, openai.OpenAIError):
        return ConfigError(f"The client for {dialect.host} could not be used: {error}", fix=dialect.auth_fix)
    return None


def _refused(error: openai.APIStatusError, dialect: Dialect, closed: Callable[..., AnytuneError]) -> AnytuneError:
    what = said(error)
    word = what.code or what.type
    words = f"{dialect.host} answered {what.status}" + (f" ({word})" if word and word != str(what.status) else "")
    text = f"{words}: {what.message}" if what.message else f"{words}."
    if what.status in {401, 403}:
        return _forbidden(error, what, text, dialect, closed)
    if what.status == 429:  # noqa: PLR2004 - HTTP's own number
        return _too_many(error, what, text, dialect)
    if "model_not_available" in what.words:
        return closed(text, fix=_fix(what, dialect), raw=error.body)
    if what.words & dialect.quota_codes:
        return QuotaExceeded(text, fix=_fix(what, dialect) or _BILLING, raw=error.body)
    kind, fix = _by_status(what.status, error.request.method, dialect.address)
    certain = kind in {NotFound, Rejected}
    return kind(text, fix=(_fix(what, dialect) if certain else "") or fix, raw=error.body)


def _by_status(status: int, method: str, address: str) -> tuple[type[AnytuneError], str]:
    match status:
        case 404:
            return NotFound, f"Check the id, the `{address}`, and that the key belongs to the same organisation and project."
        case 409 if method == "DELETE":
            return Rejected, "Stop what still uses it, then delete it again."
        case 408 | 409:
            return Unreachable, _HOST_DOWN
        case _ if status >= 500:  # noqa: PLR2004 - HTTP's own classes
            return Unreachable, _HOST_DOWN
        case _ if status < 400:  # noqa: PLR2004 - the same
            return MalformedReply, f"The address leads elsewhere: give the `{address}` that the host names itself."
        case _:
            unpaid = "; nothing was created, and nothing is paid" if method == "POST" else ""
            return Rejected, f"Correct what the message names{unpaid}."


def _forbidden(error: openai.APIStatusError, what: Said, text: str, dialect: Dialect, closed: Callable[..., AnytuneError]) -> AnytuneError:
    message = what.message.lower()
    if "missing_scope" in what.words or "missing scopes" in message or "insufficient permissions" in message:
        return AuthError(text, fix=_SCOPE, raw=error.body)
    if "unsupported_country_region_territory" in what.words or "region, or territory not supported" in message:
        return AuthError(text, fix=_COUNTRY, raw=error.body)
    created = error.request.method == "POST" and error.request.url.path.endswith(CREATE)
    if what.status == 403 and created and dialect.closes:  # noqa: PLR2004 - as its documentation numbers it
        fix = "If your account should still be able to, check the key's organisation and project, and ask the host."
        return closed(text, fix=fix, raw=error.body)
    fix = _fix(what, dialect) or dialect.auth_fix or "Check the key and what it may do; `anytune doctor` shows which settings are read."
    return AuthError(text, fix=fix, raw=error.body)


def _too_many(error: openai.APIStatusError, what: Said, text: str, dialect: Dialect) -> AnytuneError:
    message = what.message.lower()
    words = what.words | {code for needle, code in _LIMIT_WORDS if "fine-tun" in message and needle in message}
    limited = next((_LIMITS[word] for word in words if word in _LIMITS), None)
    if limited is not None:
        return RateLimited(text, retry_after=retry_after(error.response.headers), fix=limited, raw=error.body)
    if what.words & dialect.quota_codes or any("billing" in word for word in what.words):
        return QuotaExceeded(text, fix=_fix(what, dialect) or _BILLING, raw=error.body)
    wait_s = retry_after(error.response.headers)
    fix = "Wait" + (f" {wait_s:.0f} s" if wait_s is not None and wait_s >= 1 else "") + ", or ask the host for higher limits."
    return RateLimited(text, retry_after=wait_s, fix=fix, raw=error.body)


def _fix(what: Said, dialect: Dialect) -> str:
    by_code = dialect.fixes.get(what.code.lower()) or _FIXES.get(what.code.lower())
    message = what.message.lower()
    by_words = next((fix for needle, fix in _WORDS if needle in message), "")
    return by_code or by_words or _PARAMS.get(what.param, "")


def _network(dialect: Dialect) -> str:
    return _NETWORK.format(setting=dialect.address)


def _place(error: Exception, dialect: Dialect) -> str:
    """Name the host, and the address that was asked where that says more: it may be misspelt."""
    try:
        asked = error.request.url.netloc.decode()  # type: ignore[attr-defined]  # both kinds have it, and httpx2's raises where it lacks
    except (AttributeError, RuntimeError):
        return dialect.host
    return dialect.host if asked == dialect.host else f"{dialect.host} at {asked}"


def _cause(error: Exception) -> str:
    """Give the words of the layer below (no such name, refused, a wrong certificate), else the name of its kind."""
    import httpx2  # noqa: PLC0415 - as above

    inner = error.__cause__ or error
    return (str(inner) if isinstance(inner, (OSError, httpx2.TransportError)) else "") or type(inner).__name__
