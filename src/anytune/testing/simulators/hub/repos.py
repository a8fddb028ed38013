"""Repos of the simulated Hub: made, deleted, changed, found and looked into."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import quote, urlencode

from anytune.testing.simulators.hub.access import AccessRoutes
from anytune.testing.simulators.hub.attributes import ATTRIBUTES
from anytune.testing.simulators.hub.errors import Refused, hub_error
from anytune.testing.simulators.hub.infos import commit_info, file_info, folder_info, repo_info
from anytune.testing.simulators.hub.store import Blob
from anytune.testing.simulators.service import Reply, json_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from werkzeug.wrappers import Request

    from anytune.testing.simulators.hub.store import Commit, Kind, Repo

__all__ = ["RepoRoutes", "body_of", "routes_of_kinds"]

_KINDS: tuple[Kind, ...] = ("model", "dataset", "space")
_LISTED_BY = {
    *("author", "search", "filter", "pipeline_tag", "gated"),
    *("sort", "direction", "limit", "cursor"),
    *("full", "config", "cardData", "expand"),
}
_TRUE = {"1", "true", "True"}


def routes_of_kinds(*routes: tuple[str, str, str]) -> tuple[tuple[str, str, str], ...]:
    """Give routes for each kind of repo; their templates begin behind `/api/models`."""
    return tuple((methods, f"/api/{kind}s{rest}", name) for kind in _KINDS for methods, rest, name in routes)


def body_of(request: Request) -> dict[str, Any]:
    """Give the JSON object of a request, whatever kind of JSON it says to be (Git LFS has its own).

    Raises:
        Refused: It has none.
    """
    try:
        body = json.loads(request.get_data() or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refused("bad_request", reason="Invalid JSON body")
    return body


class RepoRoutes(AccessRoutes):
    """Repos: made, deleted, changed, found and looked into.

    Attributes:
        page_size: Repos, files or commits on a page of a listing.
    """

    page_size: int = 1000
    repo_routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("POST", "/api/repos/create", "create_repo"),
        ("DELETE", "/api/repos/delete", "delete_repo"),
        *routes_of_kinds(
            ("GET", "", "list_repos"),
            ("GET", "/{repo}", "show_repo"),
            ("GET", "/{repo}/revision/{revision}", "show_revision"),
            ("GET", "/{repo}/tree/{revision}", "list_tree"),
            ("POST", "/{repo}/paths-info/{revision}", "show_paths"),
            ("GET", "/{repo}/refs", "list_refs"),
            ("GET", "/{repo}/commits/{revision}", "list_commits"),
            ("PUT", "/{repo}/settings", "change_settings"),
            ("GET", "/{repo}/auth-check", "check_read"),
            ("GET", "/{repo}/auth-check/write", "check_write"),
        ),
    )

    def more_of(self, repo: Repo) -> dict[str, Any]:  # noqa: ARG002 - a default
        """Give what else is told of a repo, such as the runtime of a Space."""
        return {}

    def address(self, repo: Repo) -> str:
        """Give the address of a repo's page."""
        return f"{self.url}/{'' if repo.kind == 'model' else f'{repo.kind}s/'}{repo.repo_id}"

    # Made, deleted, changed.

    def create_repo(self, request: Request) -> Reply:
        """Make a repo; 409 with its address where there is one."""
        body = body_of(request)
        owner = body.get("organization") or self.signed_in(request).user
        kind = self._named_kind(body)
        author = self.acting_for(request, owner, refusal="namespace", kind=kind).user
        there = self.store.get(kind, f"{owner}/{body['name']}")
        if there is not None:
            return hub_error("exists", kind=kind, more={"url": self.address(there)})
        if kind == "space" and not body.get("sdk"):
            raise Refused("bad_request", reason='"sdk" is required')
        private = body.get("visibility") == "private" or body.get("private") is True
        tree = {".gitattributes": Blob.of(ATTRIBUTES)}
        repo = self.store.create(kind, f"{owner}/{body['name']}", body, private=private, author=author, tree=tree)
        return Reply({"url": self.address(repo), "name": repo.repo_id, "id": repo_info(repo, repo.commits[repo.sha])["_id"]})

    def delete_repo(self, request: Request) -> Reply:
        """Delete a repo."""
        body = body_of(request)
        kind = self._named_kind(body)
        owner = body.get("organization") or self.signed_in(request).user
        repo = self.repo_of(request, f"{owner}/{body['name']}", kind=kind)
        self.acting_for(request, repo.owner)
        self.store.delete(repo)
        return Reply(None)

    def change_settings(self, request: Request, repo: str) -> Reply:
        """Make a repo private or public, gated or not."""
        found = self.repo_of(request, repo)
        self.acting_for(request, found.owner)
        body = body_of(request)
        if "visibility" in body or "private" in body:
            found.private = body.get("visibility") == "private" or body.get("private") is True
        if "gated" in body:
            found.gated = body["gated"]
        return Reply({"private": found.private, "gated": found.gated})

    def _named_kind(self, body: dict[str, Any]) -> Kind:
        kind = body.get("type") or "model"
        if kind not in _KINDS or not isinstance(body.get("name"), str) or not body["name"]:
            raise Refused("bad_request", reason="Invalid type or name")
        return kind

    # Found.

    def list_repos(self, request: Request) -> Reply:
        """List the repos that the caller may see, by author, words, tags; newest first where no order is asked for."""
        asked = request.args
        unknown = sorted({name.removesuffix("[]") for name in asked} - _LISTED_BY)
        if unknown:
            raise Refused("bad_request", reason=f"Listings by {', '.join(unknown)} are not simulated")
        words = [word.lower() for word in asked.getlist("search")]
        wanted = set(asked.getlist("filter"))
        found = []
        for repo in reversed(self.store.all(self.kind(request))):
            info = repo_info(repo, repo.commits[repo.sha], files=_is(request, "full"))
            known = asked.get("author", repo.owner).lower() == repo.owner.lower() and self.may_see(request, repo)
            fits = asked.get("pipeline_tag", info.get("pipeline_tag")) == info.get("pipeline_tag") and (
                "gated" not in asked or _is(request, "gated") == bool(repo.gated)
            )
            if known and fits and all(word in repo.repo_id.lower() for word in words) and wanted <= set(info["tags"]):
                found.append(info | self.more_of(repo))
        if asked.get("sort") in {"createdAt", "lastModified"}:
            found.sort(key=lambda info: str(info[asked["sort"]]), reverse=asked.get("direction") != "1")
        return self._paged(request, found)

    def show_repo(self, request: Request, repo: str) -> Reply:
        """Tell of a repo."""
        found = self.repo_of(request, repo)
        return Reply(repo_info(found, found.commits[found.sha], blobs=_is(request, "blobs")) | self.more_of(found))

    def show_revision(self, request: Request, repo: str, revision: str) -> Reply:
        """Tell of a repo at a revision."""
        found = self.repo_of(request, repo)
        commit = self.commit_of(request, found, revision, files=True)
        return Reply(repo_info(found, commit, blobs=_is(request, "blobs")) | self.more_of(found))

    def check_read(self, request: Request, repo: str) -> Reply:
        """Tell whether the caller may have a repo's files."""
        found = self.repo_of(request, repo)
        self.commit_of(request, found, "main", files=True)
        return Reply({})

    def check_write(self, request: Request, repo: str) -> Reply:
        """Tell whether the caller may change a repo."""
        self.repo_of(request, repo, write=True)
        return Reply({})

    # Looked into.

    def list_tree(self, request: Request, repo: str, revision: str) -> Reply:
        """List a folder; recursive: with the files of its folders."""
        found = self.repo_of(request, repo)
        revision, folder = found.split(revision)
        commit = self.commit_of(request, found, revision)
        inside = f"{folder.strip('/')}/" if folder.strip("/") else ""
        tree = {path: blob for path, blob in sorted(commit.tree.items()) if path.startswith(inside)}
        if inside and not tree:
            raise Refused("entry_not_found", headers={"X-Repo-Commit": commit.oid})
        names = _entries(tree, inside, recursive=_is(request, "recursive"))
        expand = _is(request, "expand")
        return self._paged(request, [_told(found, commit, name, expand=expand) for name in names])

    def show_paths(self, request: Request, repo: str, revision: str) -> Reply:
        """Tell of some files and folders; what is not there is left out."""
        found = self.repo_of(request, repo)
        commit = self.commit_of(request, found, revision)
        body = json_of(request)
        paths = body.get("paths", []) if isinstance(body, dict) else request.form.getlist("paths")
        expand = body.get("expand") is True if isinstance(body, dict) else request.form.get("expand") in _TRUE
        folders = {"/".join(path.split("/")[:depth]) for path in commit.tree for depth in range(1, path.count("/") + 1)}
        there = [path.strip("/") for path in paths if path.strip("/") in {*commit.tree, *folders}]
        return Reply([_told(found, commit, path, expand=expand) for path in there])

    def list_refs(self, request: Request, repo: str) -> Reply:
        """List branches and tags."""
        found = self.repo_of(request, repo)
        own = {name: oid for name, oid in found.branches.items() if not name.startswith("refs/")}
        branches = [{"name": name, "ref": f"refs/heads/{name}", "targetCommit": oid} for name, oid in own.items()]
        converts = [
            {"name": name.removeprefix("refs/convert/"), "ref": name, "targetCommit": oid}
            for name, oid in found.branches.items()
            if name.startswith("refs/convert/")
        ]
        tags = [{"name": name, "ref": f"refs/tags/{name}", "targetCommit": oid} for name, oid in found.tags.items()]
        more: dict[str, Any] = {"pullRequests": []} if _is(request, "include_prs") else {}
        return Reply({"branches": branches, "converts": converts, "tags": tags, **more})

    def list_commits(self, request: Request, repo: str, revision: str) -> Reply:
        """List the commits that led to a revision, newest first."""
        found = self.repo_of(request, repo)
        self.commit_of(request, found, revision)
        formatted = "formatted" in request.args.getlist("expand[]")
        return self._paged(request, [commit_info(commit, formatted=formatted) for commit in found.history(revision)])

    def _paged(self, request: Request, entries: Sequence[dict[str, Any]]) -> Reply:
        """Give one page, and in a Link header the address of the next."""
        begin = request.args.get("cursor", 0, type=int)
        size = min(request.args.get("limit", self.page_size, type=int), self.page_size)
        end = begin + size
        headers = {}
        if end < len(entries):
            query = [(name, value) for name, value in request.args.items(multi=True) if name != "cursor"]
            headers["Link"] = f'<{self.url}{quote(request.path)}?{urlencode([*query, ("cursor", str(end))])}>; rel="next"'
        return Reply(list(entries[begin:end]), headers=headers)


def _entries(tree: Iterable[str], inside: str, *, recursive: bool) -> list[str]:
    """Give the paths of files, and of folders, in a folder."""
    names: dict[str, None] = {}
    for path in tree:
        parts = path[len(inside) :].split("/")
        for depth in range(1, len(parts) + 1 if recursive else 2):
            names[inside + "/".join(parts[:depth])] = None
    return list(names)


def _told(repo: Repo, commit: Commit, path: str, *, expand: bool) -> dict[str, Any]:
    blob = commit.tree.get(path)
    files = {name: each for name, each in commit.tree.items() if name.startswith(f"{path}/")} if blob is None else {path: blob}
    last = _last_change(repo, commit, files) if expand else None
    return folder_info(path, files, last) if blob is None else file_info(path, blob, last)


def _last_change(repo: Repo, commit: Commit, files: dict[str, Blob]) -> Commit:
    """Give the commit since which some files are as they are."""
    found = commit
    for before in repo.history(commit.oid)[1:]:
        if any(before.tree.get(path) != blob for path, blob in files.items()):
            return found
        found = before
    return found


def _is(request: Request, name: str) -> bool:
    return request.args.get(name) in _TRUE
