"""Who asks the simulated Hub, what they may do, and how they are refused. All other parts stand on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from werkzeug.routing import BaseConverter, PathConverter

from anytune.testing.simulators.hub.errors import HUB_ERRORS, Refused, hub_error
from anytune.testing.simulators.service import Reply, Service, json_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from werkzeug.wrappers import Request

    from anytune.testing.simulators.hub.store import Commit, Kind, Repo, Store

__all__ = ["AccessRoutes", "Account"]

_KINDS: dict[str, Kind] = {"models": "model", "datasets": "dataset", "spaces": "space"}
_HIDDEN = "(not kept)"


class Account(NamedTuple):
    """Who a token stands for.

    Attributes:
        user: Name of the user.
        orgs: Organisations that the user may write to.
        role: `write`, or `read`: the token changes nothing.
    """

    user: str
    orgs: tuple[str, ...] = ()
    role: Literal["read", "write"] = "write"


class _RepoConverter(BaseConverter):
    regex = "[^/]+/[^/]+"
    part_isolating = False


class AccessRoutes(Service):
    """Who asks, what they may do, how they are refused.

    Attributes:
        store: All repos.
        user: The user whose token `token` is.
        orgs: Organisations that this user may write to.
        token: The token of a test's own account.
        tokens: The accounts, by token.
        unguarded: Beginnings of paths where a token is not looked at: what is public, and addresses that are signed themselves.
    """

    store: Store
    user: str
    orgs: tuple[str, ...]
    token: str
    tokens: dict[str, Account]
    converters: ClassVar[Mapping[str, type[BaseConverter]]] = {
        "repo": _RepoConverter,
        "revision": PathConverter,
        "path": PathConverter,
    }
    unguarded: ClassVar[tuple[str, ...]] = ("/api/agent-harnesses", "/lfs/")
    access_routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("GET", "/api/whoami-v2", "whoami"),
        ("GET", "/api/agent-harnesses", "agent_harnesses"),
    )

    # Who asks.

    def caller(self, request: Request) -> Account | None:
        """Give the account of a request's token; None without a token, or with one that is unknown."""
        return self.tokens.get(_token(request))

    def signed_in(self, request: Request, *, write: bool = False) -> Account:
        """Give the account of a request that needs one.

        Raises:
            Refused: There is none, or its token may only read.
        """
        account = self.caller(request)
        if account is None:
            raise Refused("unauthorized")
        if write and account.role == "read":
            raise Refused("read_token")
        return account

    def acting_for(self, request: Request, owner: str, *, refusal: str = "forbidden", **said: Any) -> Account:
        """Give the account of a request that changes what a user or an organisation has.

        Raises:
            Refused: There is none, its token may only read, or the owner is somebody else (`refusal` in `HUB_ERRORS`).
        """
        account = self.signed_in(request, write=True)
        if not _is_of(account, owner):
            raise Refused(refusal, owner=owner, **said)
        return account

    # What they may see.

    def kind(self, request: Request) -> Kind:
        """Tell from the path what kind of repo it is about."""
        first, second, *_ = [*request.path.removeprefix("/").split("/"), ""]
        return _KINDS.get(second if first == "api" else first, "model")

    def may_see(self, request: Request, repo: Repo) -> bool:
        """Tell whether the caller may know of a repo."""
        account = self.caller(request)
        return not repo.private or (account is not None and _is_of(account, repo.owner))

    def repo_of(self, request: Request, repo_id: str, *, write: bool = False, kind: Kind | None = None) -> Repo:
        """Give a repo that the caller may see, or change.

        Raises:
            Refused: As the Hub does: what may not be seen is not there.
        """
        repo = self.store.get(kind or self.kind(request), repo_id)
        if repo is None or not self.may_see(request, repo):
            raise Refused("not_found" if self.caller(request) else "repo_hidden")
        if write:
            self.acting_for(request, repo.owner, refusal="not_yours")
        return repo

    def commit_of(self, request: Request, repo: Repo, revision: str, *, files: bool = False) -> Commit:
        """Give the commit of a revision; with `files`, for somebody who was let in.

        Raises:
            Refused: There is none; the files are for others.
        """
        account = self.caller(request)
        inside = account is not None and (_is_of(account, repo.owner) or account.user in repo.admitted)
        if files and repo.gated and not inside:
            raise Refused("gated" if account else "gated_anonymous", kind=repo.kind, repo=repo.repo_id)
        commit = repo.commit(revision)
        if commit is None:
            raise Refused("revision_not_found", revision=revision)
        return commit

    # Routes.

    def whoami(self, request: Request) -> Reply:
        """Say whose token it is."""
        account = self.signed_in(request)
        orgs = [
            {"type": "org", "id": f"org-{name}", "name": name, "fullname": name, "email": None, "canPay": True, "roleInOrg": "admin"}
            for name in account.orgs
        ]
        token = {"displayName": "simulated", "role": account.role, "createdAt": "2026-01-01T00:00:00.000Z"}
        about = {"type": "user", "id": f"user-{account.user}", "name": account.user, "fullname": account.user, "isPro": False}
        return Reply({**about, "canPay": True, "orgs": orgs, "auth": {"type": "access_token", "accessToken": token}})

    def agent_harnesses(self, request: Request) -> Reply:  # noqa: ARG002 - a route's shape
        """Have no list of agents."""
        return hub_error("no_route")

    # How requests come in and are refused.

    def guard(self, request: Request) -> Reply | None:
        """Refuse a token that nobody has, whatever it is shown for."""
        given = _token(request)
        unknown = given and given not in self.tokens and not request.path.startswith(self.unguarded)
        return hub_error("bad_token") if unknown else super().guard(request)

    def handled(self, endpoint: str, request: Request, values: Mapping[str, Any]) -> Reply:
        """Let one request take effect, alone, or refuse it."""
        try:
            return super().handled(endpoint, request, values)
        except Refused as refused:
            return refused.reply

    def noted(self, request: Request) -> Any:
        """Give the body without secrets and tokens."""
        body = json_of(request)
        if request.path.endswith("/secrets") and isinstance(body, dict):
            body = body | dict.fromkeys(body.keys() & {"value"}, _HIDDEN)
        return _without(body, tuple(self.tokens))

    def refusals(self, on: str) -> Collection[str]:  # noqa: ARG002 - all are possible everywhere
        """Name the errors that a fault may name."""
        return HUB_ERRORS

    def refusal(self, name: str, request: Request) -> Reply:
        """Give the named error, about what the request is for."""
        parts = [part for part in request.path.split("/") if part not in {"", "api", *_KINDS}]
        repo = "/".join(parts[:2])
        return hub_error(name, kind=self.kind(request), repo=repo, owner=parts[0] if parts else "", path=request.path, revision="main")

    def missing(self, request: Request) -> Reply:  # noqa: ARG002 - a base's shape
        """Give the answer to a path that is not there."""
        return hub_error("no_route")


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _is_of(account: Account, owner: str) -> bool:
    return owner.lower() in {account.user.lower(), *map(str.lower, account.orgs)}


def _without(body: Any, tokens: Iterable[str]) -> Any:
    if isinstance(body, dict):
        return {key: _masked(value) if key == "secrets" else _without(value, tokens) for key, value in body.items()}
    if isinstance(body, list):
        return [_without(value, tokens) for value in body]
    return _HIDDEN if isinstance(body, str) and any(token in body for token in tokens) else body


def _masked(secrets: Any) -> Any:
    """Keep the names of secrets, in the two shapes that requests have: a mapping, or a list of keys and values."""
    if isinstance(secrets, dict):
        return dict.fromkeys(secrets, _HIDDEN)
    if isinstance(secrets, list):
        return [entry | {"value": _HIDDEN} if isinstance(entry, dict) else _HIDDEN for entry in secrets]
    return _HIDDEN
