"""What the simulated Hub holds: repos with their branches, tags and commits, and the files that those stand for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["Blob", "Commit", "Kind", "Repo", "Store", "iso"]

Kind = Literal["model", "dataset", "space"]

_SHORTEST_NAME = 7


def iso(at_s: float) -> str:
    """Write seconds since 1970 as the Hub does: UTC, with milliseconds and `Z`."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Blob(NamedTuple):
    """The content of a file.

    Attributes:
        content: Its bytes.
        lfs: It is kept in large file storage; git holds a pointer to it.
        oid: Git's name of what git holds (sha1).
        sha256: Of the content.
    """

    content: bytes
    lfs: bool
    oid: str
    sha256: str

    @classmethod
    def of(cls, content: bytes, *, lfs: bool = False) -> Blob:
        """Name some content as git does."""
        sha256 = hashlib.sha256(content).hexdigest()
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {len(content)}\n".encode()
        return cls(content, lfs, _git_name("blob", pointer if lfs else content), sha256)


class Commit(NamedTuple):
    """One state of a repo; never changes.

    Attributes:
        oid: Its name, 40 hex digits.
        parent: The commit before; empty for the first.
        title: First line of its message.
        message: The lines after.
        at_s: Seconds since 1970.
        author: Who made it.
        tree: Every file, by its path.
    """

    oid: str
    parent: str
    title: str
    message: str
    at_s: float
    author: str
    tree: Mapping[str, Blob]


@dataclass
class Repo:
    """A repo.

    Attributes:
        kind: `model`, `dataset` or `space`.
        repo_id: `owner/name`.
        created: The body of the request that made it (of a Space: `sdk`, `hardware`, `sleepTimeSeconds`, `secrets`, `variables`).
        at_s: When it was made, in seconds since 1970.
        private: Only its owner may see it.
        gated: `auto` or `manual`: its files are for those who were let in; False: for everybody.
        admitted: Users who were let in.
        branches: The newest commit of each.
        tags: The commit of each.
        commits: All, by name, oldest first.
    """

    kind: Kind
    repo_id: str
    created: dict[str, Any] = field(repr=False)
    at_s: float
    private: bool = False
    gated: Literal["auto", "manual", False] = False
    admitted: set[str] = field(default_factory=set)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)

    @property
    def owner(self) -> str:
        """The user or organisation it belongs to."""
        return self.repo_id.partition("/")[0]

    @property
    def sha(self) -> str:
        """The newest commit of `main`."""
        return self.branches["main"]

    def commit(self, revision: str = "main") -> Commit | None:
        """Give the commit that a branch, a tag or a commit's name (or its first seven digits and more) stands for."""
        plain = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
        oid = self.branches.get(plain) or self.branches.get(revision) or self.tags.get(plain) or revision
        if oid in self.commits or len(oid) < _SHORTEST_NAME:
            return self.commits.get(oid)
        return next((commit for name, commit in self.commits.items() if name.startswith(oid)), None)

    def split(self, rest: str) -> tuple[str, str]:
        """Part a revision, which may have slashes, from the path behind it."""
        known = [name for name in (*self.branches, *self.tags) if rest == name or rest.startswith(f"{name}/")]
        revision = max(known, key=len) if known else rest.partition("/")[0]
        return revision, rest[len(revision) + 1 :]

    def history(self, revision: str = "main") -> list[Commit]:
        """List the commits that led to a revision, newest first."""
        found, commit = [], self.commit(revision)
        while commit is not None:
            found.append(commit)
            commit = self.commits.get(commit.parent)
        return found

    def files(self, revision: str = "main") -> dict[str, bytes]:
        """Give the files of a revision.

        Raises:
            KeyError: It has no such revision.
        """
        commit = self.commit(revision)
        if commit is None:
            raise KeyError(revision)
        return {path: blob.content for path, blob in commit.tree.items()}

    def put(self, branch: str, tree: Mapping[str, Blob], *, title: str, at_s: float, author: str, message: str = "") -> Commit:
        """Make a commit the newest of a branch, which may be new."""
        parent = self.branches.get(branch, "")
        listing = "\n".join(f"{path}\0{blob.oid}" for path, blob in sorted(tree.items()))
        text = f"{listing}\n{parent}\n{author} {at_s} {len(self.commits)}\n{title}\n{message}"
        commit = Commit(_git_name("commit", text.encode()), parent, title, message, at_s, author, dict(tree))
        self.commits[commit.oid] = commit
        self.branches[branch] = commit.oid
        return commit


class Store:
    """All repos, and the large files that commits may point to. To be used under the service's lock.

    Args:
        clock: Gives seconds since 1970.

    Attributes:
        objects: Large files that were uploaded, by their sha256, whether a commit names them or not.
        on_create: Called with a repo that was made.
        on_commit: Called with a repo whose `main` has a new commit, other than its first.
        on_delete: Called with a repo that is gone.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin with nothing."""
        self.clock = clock
        self.objects: dict[str, bytes] = {}
        self.on_create: list[Callable[[Repo], None]] = []
        self.on_commit: list[Callable[[Repo], None]] = []
        self.on_delete: list[Callable[[Repo], None]] = []
        self._repos: dict[tuple[str, str], Repo] = {}

    def get(self, kind: Kind, repo_id: str) -> Repo | None:
        """Give a repo; names are compared without regard to case, as the Hub does."""
        return self._repos.get((kind, repo_id.lower()))

    def all(self, kind: Kind) -> list[Repo]:
        """List the repos of a kind, oldest first."""
        return [repo for (of, _), repo in self._repos.items() if of == kind]

    def create(
        self,
        kind: Kind,
        repo_id: str,
        created: Mapping[str, Any] | None = None,
        *,
        private: bool = False,
        gated: Literal["auto", "manual", False] = False,
        author: str = "",
        tree: Mapping[str, Blob] | None = None,
    ) -> Repo:
        """Make a repo with its first commit."""
        now = self.clock()
        repo = Repo(kind, repo_id, dict(created or {}), now, private=private, gated=gated)
        repo.put("main", tree or {}, title="initial commit", at_s=now, author=author or repo.owner)
        self._repos[kind, repo_id.lower()] = repo
        _tell(self.on_create, repo)
        return repo

    def commit(self, repo: Repo, branch: str, tree: Mapping[str, Blob], *, title: str, message: str = "", author: str = "") -> Commit:
        """Add a commit to a branch."""
        commit = repo.put(branch, tree, title=title, at_s=self.clock(), author=author or repo.owner, message=message)
        if branch == "main":
            _tell(self.on_commit, repo)
        return commit

    def delete(self, repo: Repo) -> None:
        """Remove a repo."""
        del self._repos[repo.kind, repo.repo_id.lower()]
        _tell(self.on_delete, repo)


def _tell(those: Iterable[Callable[[Repo], None]], repo: Repo) -> None:
    for call in those:
        call(repo)


def _git_name(kind: str, content: bytes) -> str:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content, usedforsecurity=False).hexdigest()
