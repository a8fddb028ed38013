"""What the simulated Hub says when it refuses, by the names that faults use.

Clients go by the status and by the headers `X-Error-Code` and `X-Error-Message` (`huggingface_hub.utils._http.hf_raise_for_status`, read in
2.4.0 on 2026-11-23). The words are the Hub's where public reports quote them; where none was found the message says `(simulated)`.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from anytune.testing.simulators.service import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["HUB_ERRORS", "HubError", "Refused", "hub_error", "well_formed"]

_DOCS = "See https://huggingface.co/docs/hub/rate-limits"
_RATE = (
    "We had to rate limit you, you hit the quota of 1000 api requests per 5 minutes period. Upgrade to a PRO user or Team/Enterprise "
    f"organization account (https://hf.co/pricing) to get higher limits. {_DOCS}"
)
_RATE_HEADERS = {"ratelimit": '"api";r=0;t=1', "ratelimit-policy": '"fixed window";"api";q=1000;w=300', "retry-after": "1"}


class HubError(NamedTuple):
    """What a request is answered instead of what it asked for.

    Attributes:
        status: HTTP status.
        message: With places such as `{repo}`, which the simulator fills in.
        code: `X-Error-Code`; empty: none is sent.
        headers: More headers.
    """

    status: int
    message: str
    code: str = ""
    headers: Mapping[str, str] = {}


HUB_ERRORS: dict[str, HubError] = {
    "bad_request": HubError(400, "{reason} (simulated)"),
    "lfs_missing": HubError(400, "LFS pointer pointed to a file that does not exist: {path} (simulated)"),
    "bad_token": HubError(401, "Invalid credentials in Authorization header"),
    "unauthorized": HubError(401, "Invalid username or password."),
    "repo_hidden": HubError(401, "Invalid username or password.", "RepoNotFound"),
    "gated_anonymous": HubError(
        401,
        "Access to {kind} {repo} is restricted. You must have access to it and be authenticated to access it. Please log in.",
        "GatedRepo",
    ),
    "payment_required": HubError(402, "Payment required: add a payment method or pre-paid credits to {owner} (simulated)"),
    "forbidden": HubError(403, "You don't have the required permissions to perform this operation (simulated)"),
    "read_token": HubError(403, "Forbidden: you must use a write token to upload to a repository."),
    "not_yours": HubError(403, "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request"),
    "namespace": HubError(403, 'You don\'t have the rights to create a {kind} under the namespace "{owner}"'),
    "gated": HubError(
        403,
        "Access to {kind} {repo} is restricted and you are not in the authorized list. "
        "Visit https://huggingface.co/{repo} to ask for access.",
        "GatedRepo",
    ),
    "not_found": HubError(404, "Repository not found", "RepoNotFound"),
    "revision_not_found": HubError(404, "Invalid rev id: {revision}", "RevisionNotFound"),
    "entry_not_found": HubError(404, "Entry not found", "EntryNotFound"),
    "no_file": HubError(404, "A file with this name doesn't exist: {path}", "EntryNotFound"),
    "no_route": HubError(404, "Sorry, we can't find the page you are looking for."),
    "exists": HubError(409, "You already created this {kind} repo"),
    "ref_exists": HubError(409, "Reference already exists: {revision} (simulated)"),
    "create_conflict": HubError(409, "Cannot create repo: another conflicting operation is in progress"),
    "conflict": HubError(409, "Conflict: another operation on this repository is in progress (simulated)"),
    "moved_on": HubError(412, "A commit has happened since. Please refresh and try again."),
    "range": HubError(416, "Range Not Satisfiable"),
    "rate_limited": HubError(429, _RATE, headers=_RATE_HEADERS),
    "server_error": HubError(500, "Internal Error - We're working hard to fix this as soon as possible!"),
}
"""Errors by name. Beside the status and the words, `rate_limited` has the headers that clients wait by (one second)."""


class Refused(Exception):
    """A request is refused: the simulator answers with the error."""

    def __init__(self, name: str, **said: Any) -> None:
        """Take the name in `HUB_ERRORS` and what its message leaves open."""
        super().__init__(name)
        self.reply = hub_error(name, **said)


@contextmanager
def well_formed(what: str) -> Iterator[None]:
    """Refuse what cannot be read: keys that are not there, values of another kind.

    Raises:
        Refused: 400, with the name of what was read.
    """
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Refused("bad_request", reason=f"Invalid {what}") from None


class _Places(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return f"<{key}>"


def hub_error(name: str, *, headers: Mapping[str, str] | None = None, more: Mapping[str, Any] | None = None, **said: Any) -> Reply:
    """Give an error as the Hub words it.

    Args:
        name: As in `HUB_ERRORS`.
        headers: More headers.
        more: More of the body.
        said: What the message leaves open.
    """
    error = HUB_ERRORS[name]
    message = error.message.format_map(_Places(said))
    known = {"X-Error-Message": message.encode("ascii", "replace").decode().replace("\n", " "), **error.headers, **(headers or {})}
    if error.code:
        known["X-Error-Code"] = error.code
    return Reply({"error": message, **(more or {})}, error.status, known)
