"""From what `huggingface_hub` raises to anytune's errors with a next step.

What happened is read from the status, from `X-Error-Code` and from the kind of the exception (huggingface_hub 2.4.0, read 2026-11-23): a
401 is a matter of the token wherever it comes from, although the library calls it a missing repository.
"""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from traceback import walk_tb
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from anytune.errors import (
    REDACTED,
    AnytuneError,
    AuthError,
    ConfigError,
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
    from collections.abc import Iterator, Mapping

    from huggingface_hub.errors import HfHubHTTPError

__all__ = ["asking", "lost_race", "offline", "translate"]

_TOKENS = "https://huggingface.co/settings/tokens"
_BILLING = "https://huggingface.co/settings/billing"

_NO_TOKEN = f"Set HF_TOKEN, or run `hf auth login`; tokens are made on {_TOKENS}."
_BAD_TOKEN = f"Check HF_TOKEN (it goes before a stored login), or make a new token on {_TOKENS}."
_SCOPE = f"Give the token write access to this namespace on {_TOKENS}, or set `namespace` to one that it may write to."
_PAY = (
    f"Add credit or a payment method on {_BILLING} (Jobs and Inference Endpoints are prepaid or need a plan), or take a cheaper flavor; "
    "waiting does not help. Nothing was created."
)
_NETWORK = "Check the network and `HF_ENDPOINT`, then run it again: what was sent already is looked for before anything is sent twice."
_PROXY = "Check that `HF_ENDPOINT` is the Hub's and that no proxy stands before it, then run it again."
_DOWN = "The fault is the Hub's (https://status.huggingface.co): run it again in a few minutes; what was sent already is looked for first."
_ID = "Check the id, and that the token may see it: the Hub hides what is private."
_MOVED = "Somebody else wrote to the repository in the same moment: run it again."

_EXISTS = re.compile(r"/api/repos/create$|/branch/|/tag/|/endpoint/[^/]+$")
"""Paths whose 409 means that what was to be made is there; elsewhere another operation was in the way."""

_PLAN = re.compile(r"\b(pro (?:user|plan|subscription)|payment|billing|pre-?paid|subscri\w+|credits?|upgrade)\b", re.IGNORECASE)
"""Words of a 403 that is about money and not about the token."""

_RESET = re.compile(r";\s*t\s*=\s*(\d+)")
_UNAUTHORIZED, _PAYMENT, _FORBIDDEN, _CONFLICT, _MOVED_ON, _TOO_MANY, _SERVER = 401, 402, 403, 409, 412, 429, 500

_BY_STATUS: Mapping[int, tuple[type[AnytuneError], str]] = {
    403: (AuthError, _SCOPE),
    404: (NotFound, _ID),
    408: (Unreachable, _DOWN),
    409: (Unreachable, _MOVED),
    412: (Unreachable, _MOVED),
    413: (Rejected, "Send less at once: smaller files, or fewer of them."),
}


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Let only anytune's errors out of a call of the library.

    Args:
        what: What is asked for, as it stands in "the Hub's answer about …".

    Raises:
        AnytuneError: What `translate` makes of an exception; `MalformedReply` for a reply in which something is missing.
    """
    try:
        yield
    except AnytuneError:
        raise
    except Exception as error:
        ours = translate(error)
        if ours is None and isinstance(error, (KeyError, TypeError, AttributeError, ValueError, IndexError)):
            ours = MalformedReply(f"The Hub's answer about {what} is not what it should be ({type(error).__name__}).", fix=_PROXY)
        if ours is None:
            raise
        if isinstance(ours, Transient):
            ours.tried = _tried(error)
        secret = REDACTED in f"{ours} {ours.raw}" or REDACTED in redact(f"{error} {error.__cause__} {error.__context__}")
        raise ours from (None if secret else error)


def offline() -> ConfigError:
    """Give the error for a call while the environment switches the Hub off."""
    return ConfigError(
        "The Hub is switched off by the environment (HF_HUB_OFFLINE=1), and this needs it.",
        fix='Unset HF_HUB_OFFLINE, or use `compute="local"` with a local model and local data.',
    )


def lost_race(error: Exception) -> bool:
    """Tell whether a commit was refused because of another one in the same moment: nothing was written, and the same may be sent again."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status == _MOVED_ON or (status == _CONFLICT and not _EXISTS.search(_path(error)))


def translate(error: Exception) -> AnytuneError | None:
    """Turn an exception of `huggingface_hub`, or of what it stands on, into ours.

    A lost connection, a time-out and a 5xx are `Unreachable`: whether a create took effect is not known.

    Returns:
        None for an exception that is neither of the library nor of the wire.
    """
    if isinstance(error, AnytuneError):
        return error
    if "huggingface_hub" not in sys.modules:  # then nothing of it was raised, and loading it takes half a second
        return None
    import httpx2  # noqa: PLC0415 - comes with it
    from huggingface_hub import errors as hub  # noqa: PLC0415 - loaded by whoever raised

    if isinstance(error, hub.HfHubHTTPError):
        return _refused(error, hub)
    return _of_the_library(error, hub) or _of_the_wire(error, httpx2)


def _tried(error: BaseException | None) -> bool:
    """Tell whether the library made a call several times before it gave up.

    It does so for listings of files, for what comes before a commit, and for parts of files on their way: 6 or 7 times, with waits of up to
    8 s, and no setting ends it (huggingface_hub 2.4.0, counted 2026-11-23). An exception that passed through its loop shows that.
    """
    while error is not None:
        frames = [frame for frame, _ in walk_tb(error.__traceback__)]
        looped = any(frame.f_code.co_name == "_http_backoff_base" and frame.f_locals.get("nb_tries", 1) > 1 for frame in frames)
        if looped or sum(frame.f_code.co_name == "http_get" for frame in frames) > 1:
            return True
        error = error.__cause__ or error.__context__
    return False


def _of_the_library(error: Exception, hub: Any) -> AnytuneError | None:
    """Judge what the library found without an answer of the Hub."""
    if isinstance(error, hub.OfflineModeIsEnabled):
        return offline()
    if isinstance(error, hub.LocalTokenNotFoundError):
        return AuthError("There is no token for the Hub.", fix=_NO_TOKEN)
    if isinstance(error, hub.LocalEntryNotFoundError):
        cause = error.__cause__
        ours = translate(cause) if isinstance(cause, Exception) else None
        return ours or Unreachable("A file is neither in the cache nor to be had from the Hub.", fix=_NETWORK)
    if isinstance(error, (hub.HFValidationError, hub.HfUriError)):
        return ConfigError(f"This is no name of the Hub: {error}", fix="Give `owner/name`: letters, digits, `-`, `_` and `.`.")
    if isinstance(error, hub.EntryNotFoundError):
        return NotFound(f"The Hub has no such file: {_first_line(error)}", fix=_ID)
    if isinstance(error, hub.RevisionResolutionError):
        return Unreachable("The Hub could not say which commit is meant.", fix=_NETWORK)
    if isinstance(error, ValueError) and "metadata in README.md" in str(error):
        return Rejected(f"The Hub refuses the model card: {error}", fix="Correct the block between the two `---` of the card.")
    return None


def _of_the_wire(error: Exception, httpx2: Any) -> AnytuneError | None:
    if isinstance(error, httpx2.TimeoutException):
        return Unreachable(f"{_host(error)} did not answer in time.", fix=_NETWORK)
    if isinstance(error, httpx2.TransportError):
        inner = error.__cause__ or error
        why = str(inner) if isinstance(inner, (OSError, httpx2.TransportError)) else ""
        return Unreachable(f"The connection to {_host(error)} broke or was never made ({why or type(inner).__name__}).", fix=_NETWORK)
    if isinstance(error, httpx2.DecodingError):
        return MalformedReply(f"{_host(error)} answered with something that is no reply of its protocol.", fix=_PROXY)
    if isinstance(error, httpx2.HTTPStatusError):
        return _by_status(error.response.status_code, f"{_host(error)} answered {error.response.status_code}.", error)
    if isinstance(error, (httpx2.InvalidURL, httpx2.UnsupportedProtocol)):
        return ConfigError(f"The Hub's address is none: {error}", fix="Correct `HF_ENDPOINT`, such as https://huggingface.co.")
    if isinstance(error, RuntimeError):
        return _of_storage(error)
    return None


def _of_storage(error: RuntimeError) -> AnytuneError | None:
    """Judge what went wrong on the way to the Hub's storage of large files, which the library wraps into something plain."""
    words = _first_line(error)
    if words.startswith("Error while uploading"):
        ours = translate(error.__cause__) if isinstance(error.__cause__, Exception) else None
        return ours or Unreachable(words, fix=_NETWORK)
    if "data processing error" in words.lower():
        # So the Rust side of `hf_xet` speaks of a lost connection and of a refusal alike (not confirmed beyond its strings).
        return Unreachable(f"The Hub's storage broke off: {words}", fix=f"{_NETWORK} HF_HUB_DISABLE_XET=1 goes around it.")
    return None


def _refused(error: HfHubHTTPError, hub: Any) -> AnytuneError:
    status = error.response.status_code
    said = error.server_message or error.response.headers.get("X-Error-Message") or ""
    where = _path(error)
    number = f" (request {error.request_id})" if error.request_id else ""
    text = f"The Hub answered {status} to {_method(error)} {where}{number}" + (f": {said}" if said else ".")
    if isinstance(error, hub.GatedRepoError):
        return _gated(error, text)
    if isinstance(error, hub.DisabledRepoError):
        return Rejected(text, fix="Its owner or the Hub has switched the repository off: take another one.", raw=_raw(error))
    if isinstance(error, hub.RevisionNotFoundError) and status != _UNAUTHORIZED:
        return NotFound(text, fix="Check the revision: a branch, a tag or a commit of that repository.", raw=_raw(error))
    return _by_status(status, text, error)


def _by_status(status: int, text: str, error: Any) -> AnytuneError:
    raw = _raw(error)
    if status == _UNAUTHORIZED:
        return _unknown(text, error)
    if status == _TOO_MANY:
        wait_s = _wait_s(error.response.headers)
        fix = (
            "Wait"
            + (f" {wait_s:.0f} s" if wait_s else "")
            + ": the Hub allows so many requests in five minutes and so many commits in an hour."
        )
        return RateLimited(text, retry_after=wait_s, fix=fix, raw=raw)
    if status == _PAYMENT or (status == _FORBIDDEN and _PLAN.search(raw or "")):
        return QuotaExceeded(text, fix=_PAY, raw=raw)
    if status == _CONFLICT and _EXISTS.search(_path(error)):
        return Rejected(text, fix="It is there already: use it, delete it, or take another name.", raw=raw)
    if status in _BY_STATUS:
        kind, fix = _BY_STATUS[status]
        return kind(text, fix=fix, raw=raw)
    if status >= _SERVER:
        return Unreachable(text, fix=_DOWN, raw=raw)
    unpaid = "; nothing was created" if _method(error) == "POST" else ""
    return Rejected(text, fix=f"Correct what the message names{unpaid}.", raw=raw)


def _unknown(text: str, error: Any) -> AuthError:
    """Judge a 401: the token is refused, or there is none and the Hub does not say what it hides."""
    if _shown_token(error):
        return AuthError(text, fix=_BAD_TOKEN, raw=_raw(error))
    hidden = " So the Hub answers whom it does not know, about what is private or gated, and about what does not exist."
    return AuthError(text + hidden, fix=f"{_NO_TOKEN} If you meant something public, check its id.", raw=_raw(error))


def _gated(error: Any, text: str) -> AnytuneError:
    prefix = {"dataset": "datasets/", "space": "spaces/"}.get(error.repo_type or "", "")
    page = f"https://huggingface.co/{prefix}{error.repo_id}" if error.repo_id else "its page"
    fix = f"Visit {page}, accept its terms, and use a token of the account that did so."
    return AuthError(text, fix=fix if _shown_token(error) else f"{fix} {_NO_TOKEN}", raw=_raw(error))


def _wait_s(headers: Mapping[str, str]) -> float | None:
    """Read how long to wait: the longer of `Retry-After` and, where nothing remains, the time in `ratelimit`."""
    found = []
    after = headers.get("retry-after", "").strip()
    if after.isdigit():
        found.append(float(after))
    limit = headers.get("ratelimit", "")
    if (match := _RESET.search(limit)) and re.search(r";\s*r\s*=\s*0\b", limit):
        found.append(float(match[1]))
    return max(found, default=None)


def _raw(error: Any) -> str | None:
    try:
        return str(error.response.text)
    except Exception:  # noqa: BLE001 - a body that was not read, or that is no text, says nothing
        return None


def _request(error: Any) -> Any:
    """Give the request; the library's own errors forget it beside the answer's (httpx2 2.16, 2026-11-23)."""
    try:
        return error.response.request if getattr(error, "response", None) is not None else error.request
    except (AttributeError, RuntimeError):
        return None


def _path(error: Any) -> str:
    request = _request(error)
    return urlsplit(str(request.url)).path if request is not None else "?"


def _method(error: Any) -> str:
    request = _request(error)
    return str(request.method) if request is not None else "?"


def _shown_token(error: Any) -> bool:
    request = _request(error)
    return request is not None and "authorization" in request.headers


def _host(error: Any) -> str:
    request = _request(error)
    return (str(request.url.netloc.decode()) if request is not None else "") or "the Hub"


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)[:300]
