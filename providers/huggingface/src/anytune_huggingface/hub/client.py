"""One account of the Hugging Face Hub: its address, its token and its namespace, and the few calls that all other modules stand on.

Nothing is imported, read or sent before the first call. `HF_ENDPOINT`, `HF_TOKEN` and `HF_HUB_OFFLINE` are read when they are needed, not
when a module is imported as the library does.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from anytune.errors import AuthError, ConfigError, MalformedReply, NotFound, Rejected, Unreachable, hide
from anytune_huggingface.hub.errors import asking, lost_race, offline, translate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from huggingface_hub import HfApi

__all__ = ["Hub", "Kind", "translate"]

Kind = Literal["model", "dataset", "space"]

_ENDPOINT = "https://huggingface.co"
_MAX_TEXT_BYTES = 64 << 20
_TRIES = 6
"""Of a commit that met another one: a repo has two writers at most, the job and whoever asks it to stop."""

_CONNECT_S, _READ_S = 20.0, 120.0
"""The library waits for ever (2.4.0, 2026-11-23). A commit of many files is answered after half a minute and more."""


class Hub:
    """An account of the Hub.

    Args:
        token: Its token; None takes `HF_TOKEN`, else the stored login of `hf auth login`.
        endpoint: Address of the Hub; None takes `HF_ENDPOINT`, else huggingface.co.
        namespace: User or organisation that owns what is made; None: whose the token is (asked once).

    Example:
        >>> Hub(endpoint="http://127.0.0.1:9", namespace="acme").account
        '127.0.0.1:9/acme'
    """

    def __init__(self, token: str | SecretStr | None = None, endpoint: str | None = None, namespace: str | None = None) -> None:
        """Keep what is given; nothing is read or sent."""
        self._token = SecretStr(token) if isinstance(token, str) else token
        self._endpoint = endpoint
        self._namespace = namespace
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Show no token."""
        return f"Hub(endpoint={self.endpoint!r}, namespace={self._namespace!r})"

    @property
    def endpoint(self) -> str:
        """The Hub's address, without a slash at its end.

        Raises:
            ConfigError: It is no address.
        """
        found = (self._endpoint or os.environ.get("HF_ENDPOINT") or _ENDPOINT).strip().rstrip("/")
        parts = urlsplit(found)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigError(f"The Hub's address {found!r} is none.", fix=f"Correct `HF_ENDPOINT`, such as {_ENDPOINT}.")
        return found

    @property
    def environment(self) -> dict[str, str]:
        """What another process needs in its environment to ask the same Hub; no token."""
        return {} if self.endpoint == _ENDPOINT else {"HF_ENDPOINT": self.endpoint}

    @property
    def token(self) -> SecretStr | None:
        """The token, or None where there is none."""
        word = self._token.get_secret_value() if self._token else os.environ.get("HF_TOKEN", "").strip()
        if not word:
            from huggingface_hub import get_token  # noqa: PLC0415 - takes half a second to load

            word = get_token() or ""
        hide(word)
        return SecretStr(word) if word else None

    @property
    def bearer(self) -> str:
        """The token as it is sent: to be passed to every call of the library that takes one.

        Raises:
            AuthError: There is none.
        """
        found = self.token
        if found is None:
            fix = "Set HF_TOKEN, or run `hf auth login`; tokens are made on https://huggingface.co/settings/tokens."
            raise AuthError("There is no token for the Hub.", fix=fix)
        return found.get_secret_value()

    @property
    def namespace(self) -> str:
        """The user or organisation that owns what is made.

        Raises:
            AnytuneError: There is no token, or the Hub does not tell whose it is.
        """
        with self._lock:
            if self._namespace is None:
                with asking("the account"):
                    self._namespace = str(self.api.whoami(token=self.bearer)["name"])
            return self._namespace

    @property
    def account(self) -> str:
        """Whose jobs and repositories these are: host and namespace, no secret."""
        return f"{urlsplit(self.endpoint).netloc.rpartition('@')[2]}/{self.namespace}"

    @property
    def offline(self) -> bool:
        """Tell whether the environment switches the Hub off."""
        word = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
        return word.upper() in {"1", "TRUE", "YES", "ON"}

    @property
    def api(self) -> HfApi:
        """The library's client for this address and token; without a token it asks as nobody.

        Calls that make or change something, and all of Inference Endpoints, get `token=hub.bearer` beside: some of them forget the client's
        own (2.4.0, 2026-11-22). Enclose each call in `asking`.

        Raises:
            ConfigError: The environment switches the Hub off.
        """
        from huggingface_hub import HfApi  # noqa: PLC0415 - takes half a second to load

        if self.offline:
            raise offline()
        _bound_waiting()
        found = self.token
        return HfApi(endpoint=self.endpoint, token=found.get_secret_value() if found else False, library_name="anytune")

    def sha(self, repo: str, *, kind: Kind = "model", revision: str = "main") -> str:
        """Give the commit that a branch or tag stands for.

        Raises:
            NotFound: There is no such repository or revision.
        """
        with asking(repo):
            info = self.api.repo_info(repo, repo_type=kind, revision=revision, timeout=_READ_S)
            return str(info.sha)

    def exists(self, repo: str, *, kind: Kind = "model") -> bool:
        """Tell whether a repository is there that the token may see.

        Raises:
            AnytuneError: That could not be asked; a refused token is not taken for an absence.
        """
        try:
            with asking(repo):
                self.api.repo_info(repo, repo_type=kind, timeout=_READ_S)
        except NotFound:
            return False
        return True

    def read(self, repo: str, path: str, *, kind: Kind = "model", revision: str = "main") -> bytes | None:
        """Give a small file as it is now, past every cache; None where the repository has no such file.

        Args:
            repo: `owner/name`.
            path: Path in it.
            kind: What the repository is.
            revision: Branch, tag or commit.

        Raises:
            NotFound: There is no such repository or revision.
            MalformedReply: The file is larger than 64 MiB.
        """
        api = self.api
        from huggingface_hub import get_session, hf_hub_url  # noqa: PLC0415 - loaded by `api`
        from huggingface_hub.errors import RemoteEntryNotFoundError  # noqa: PLC0415 - the same
        from huggingface_hub.utils._headers import build_hf_headers  # noqa: PLC0415 - the same; its public place does not export it
        from huggingface_hub.utils._http import hf_raise_for_status  # noqa: PLC0415 - the same

        url = hf_hub_url(repo, path, repo_type=kind, revision=revision, endpoint=api.endpoint)
        found = bytearray()
        with asking(f"{repo}/{path}"):
            try:
                with get_session().stream("GET", url, headers=build_hf_headers(token=api.token)) as response:
                    if response.status_code >= 400:  # noqa: PLR2004 - HTTP's own classes
                        response.read()
                    hf_raise_for_status(response)
                    for chunk in response.iter_bytes():
                        found += chunk
                        if len(found) > _MAX_TEXT_BYTES:
                            raise MalformedReply(f"{repo}/{path} is too large to be read at once.", fix="It is none of anytune's files.")
            except RemoteEntryNotFoundError:
                return None
        return bytes(found)

    def create(self, repo: str, *, kind: Kind = "model") -> None:
        """Make a private repository; one that is there already must be private.

        Raises:
            Rejected: There is a public one of that name.
            AnytuneError: As `asking`; after a lost connection it may have been made, and the same call again finds it.
        """
        with asking(repo):
            self.api.create_repo(repo, repo_type=kind, private=True, exist_ok=True, token=self.bearer)
            info = self.api.repo_info(repo, repo_type=kind, timeout=_READ_S)
            private = bool(info.private)
        if not private:
            raise Rejected(f"{repo} is public: what belongs to a job is not written there.", fix="Make it private, or delete or rename it.")

    def commit(
        self,
        repo: str,
        operations: Callable[[str], Sequence[Any] | None],
        message: str,
        *,
        kind: Kind = "model",
        revision: str = "main",
        sleep: Callable[[float], None] = time.sleep,
    ) -> str:
        """Make one commit on top of what was read, all of it or nothing; again where another writer was faster.

        Args:
            repo: `owner/name`.
            operations: Gives the library's operations for the commit that they will stand on, so that it may look first; None or nothing:
                there is nothing to do.
            message: Of the commit.
            kind: What the repository is.
            revision: The branch.
            sleep: Waits for seconds.

        Returns:
            The commit that holds it now.

        Raises:
            Unreachable: Other writers were faster each time, or the connection broke: the same call again does no harm.
        """
        for tried in range(1, _TRIES + 1):
            parent = self.sha(repo, kind=kind, revision=revision)
            wanted = operations(parent)
            if not wanted:
                return parent
            made = self._commit_on(parent, repo, wanted, message, kind=kind, revision=revision)
            if made is not None:
                return made
            sleep(0.2 * tried)
        raise Unreachable(f"{repo} changed each time while it was written to.", fix="Let only one process write to it, then run it again.")

    def _commit_on(self, parent: str, repo: str, wanted: Sequence[Any], message: str, *, kind: Kind, revision: str) -> str | None:
        """Make one commit; None where the branch has moved on, or another operation was in the way."""
        with asking(repo):
            try:
                made = self.api.create_commit(
                    repo, wanted, commit_message=message, repo_type=kind, revision=revision, parent_commit=parent, token=self.bearer
                )
            except Exception as error:
                if lost_race(error):
                    return None
                raise
            return str(made.oid)


def _bound_waiting() -> None:
    """Give the library's shared client time limits, unless somebody gave it some."""
    import httpx2  # noqa: PLC0415 - loaded with the library
    from huggingface_hub import get_session  # noqa: PLC0415 - the same

    session = get_session()
    if session.timeout == httpx2.Timeout(None):
        session.timeout = httpx2.Timeout(_READ_S, connect=_CONNECT_S)
