"""The Hugging Face Hub and its cloud over real HTTP on loopback, as far as `huggingface_hub` 2.4 asks for them.

Routes, shapes and headers are what that client sends and reads (its source, 2026-11-23); the words of refusals are in `errors`. Not
confirmed, since no reply of the Hub itself was seen:

- which parts of a gated repo are open (here: what is told of it and its list of files; not a revision, not a file);
- which files a new repo holds (here: `.gitattributes`, for Spaces too), and from which size on files go to large file storage by it alone;
- the status for a commit that names a large file which was not uploaded, and for a path that is none (here 400);
- that a commit which changes nothing is made all the same;
- the body of refusals beside their message.

Otherwise than there: large files come from the same address instead of a redirect to another host, there is no Xet storage (set
`HF_HUB_DISABLE_XET=1`), no pull request, no repo without an owner, and names that repos had before are forgotten.
"""

from __future__ import annotations

import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from anytune.testing.simulators.hub.access import AccessRoutes, Account
from anytune.testing.simulators.hub.attributes import ATTRIBUTES
from anytune.testing.simulators.hub.commits import CommitRoutes
from anytune.testing.simulators.hub.downloads import DownloadRoutes
from anytune.testing.simulators.hub.endpoints import EndpointRoutes
from anytune.testing.simulators.hub.jobs import JobRoutes
from anytune.testing.simulators.hub.lfs import LfsRoutes
from anytune.testing.simulators.hub.repos import RepoRoutes
from anytune.testing.simulators.hub.spaces import SpaceRoutes
from anytune.testing.simulators.hub.store import Blob, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anytune.testing.simulators.faults import WireFaults
    from anytune.testing.simulators.hub.store import Kind, Repo

__all__ = ["HubSimulator"]


# The parts set their own state in `__init__(self, **settings)` and call `super().__init__(**settings)` last: the server answers from then
# on. What is set here before, they may use.
class HubSimulator(EndpointRoutes, SpaceRoutes, JobRoutes, RepoRoutes, CommitRoutes, LfsRoutes, DownloadRoutes):
    """The Hugging Face Hub: repos of models, datasets and Spaces, Jobs, running Spaces and Inference Endpoints.

    Args:
        user: The user whose token `token` is.
        orgs: Organisations that the user may write to.
        token: A token that may write; by default a new one.
        role: What that token may do.
        lfs_from_bytes: Files of this size and more go to large file storage, and all that a repo's `.gitattributes` names.
        faults: What goes wrong; may be changed while it runs.
        clock: Gives seconds since 1970.
        port: 0 takes a free one.
        settings: Of the parts that run something: see `JobRoutes`, `SpaceRoutes` and `EndpointRoutes`.

    Attributes:
        store: The repos.
        tokens: The accounts, by token; `token_for` makes more.
        page_size: Repos, files or commits on a page of a listing.

    Example:
        >>> with HubSimulator() as hub:
        ...     hub.add("model", "acme/tiny", {"config.json": "{}"}).sha == hub.store.get("model", "acme/tiny").sha
        True
    """

    routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        *JobRoutes.job_routes,
        *SpaceRoutes.space_routes,
        *EndpointRoutes.endpoint_routes,
        *AccessRoutes.access_routes,
        *RepoRoutes.repo_routes,
        *CommitRoutes.commit_routes,
        *LfsRoutes.lfs_routes,
        *DownloadRoutes.download_routes,
    )

    def __init__(
        self,
        *,
        user: str = "ada",
        orgs: Sequence[str] = ("acme",),
        token: str = "",
        role: Literal["read", "write"] = "write",
        lfs_from_bytes: int = 10 << 20,
        faults: WireFaults | Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.time,
        port: int = 0,
        **settings: Any,
    ) -> None:
        """Bind a port of loopback and start to answer."""
        self.user, self.orgs, self.lfs_from_bytes = user, tuple(orgs), lfs_from_bytes
        self.token = token or _new_token()
        self.tokens = {self.token: Account(user, self.orgs, role)}
        self.store = Store(clock)
        super().__init__(faults=faults, clock=clock, port=port, **settings)

    @property
    def endpoints_url(self) -> str:
        """Where Inference Endpoints are: `huggingface_hub.constants.INFERENCE_ENDPOINTS_ENDPOINT`, for which there is no variable."""
        return f"{self.url}/endpoints/v2"

    def environment(self) -> dict[str, str]:
        """Give what the client of another process reads from its environment to speak to it."""
        quiet = {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        return {"HF_ENDPOINT": self.url, "HF_TOKEN": self.token, **quiet}

    def token_for(self, user: str, *, orgs: Sequence[str] = (), role: Literal["read", "write"] = "write") -> str:
        """Give a user, who may be new, another token."""
        token = _new_token()
        with self.lock:
            self.tokens[token] = Account(user, tuple(orgs), role)
        return token

    def admit(self, kind: Kind, repo_id: str, user: str) -> None:
        """Let a user in to the files of a gated repo.

        Raises:
            KeyError: There is no such repo.
        """
        with self.lock:
            repo = self.store.get(kind, repo_id)
            if repo is None:
                raise KeyError(repo_id)
            repo.admitted.add(user)

    def add(
        self,
        kind: Kind,
        repo_id: str,
        files: Path | str | Mapping[str, bytes | str],
        *,
        private: bool = False,
        gated: Literal["auto", "manual", False] = False,
        branch: str = "main",
        created: Mapping[str, Any] | None = None,
    ) -> Repo:
        """Place a repo, or a further commit of one that is there; its files are these and no others.

        Args:
            kind: `model`, `dataset` or `space`.
            repo_id: `owner/name`.
            files: A folder, or contents by path.
            private: Only its owner may see it.
            gated: Its files are for those who were let in.
            branch: Where the commit goes; it may be new, as `refs/convert/parquet` of a dataset.
            created: The body of a request that would have made it, such as `{"sdk": "docker"}`.
        """
        contents = _read(Path(files)) if isinstance(files, (str, Path)) else files
        raw = {path: each.encode() if isinstance(each, str) else each for path, each in contents.items()}
        attributes = raw.get(".gitattributes", ATTRIBUTES)
        tree = {path: Blob.of(content, lfs=self.is_large(path, len(content), attributes)) for path, content in raw.items()}
        with self.lock:
            self.store.objects |= {blob.sha256: blob.content for blob in tree.values() if blob.lfs}
            repo = self.store.get(kind, repo_id)
            if repo is None:
                first = tree if branch == "main" else {}
                repo = self.store.create(kind, repo_id, created, private=private, gated=gated, tree=first)
                if branch == "main":
                    return repo
            self.store.commit(repo, branch, tree, title="Placed by a test")
            return repo


def _read(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _new_token() -> str:
    return f"hf_{secrets.token_hex(17)}"
