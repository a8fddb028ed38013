"""Commits, branches and tags of the simulated Hub."""

from __future__ import annotations

import base64
import json
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any, ClassVar

from anytune.testing.simulators.hub.access import AccessRoutes
from anytune.testing.simulators.hub.attributes import ATTRIBUTES, named_large
from anytune.testing.simulators.hub.errors import Refused, well_formed
from anytune.testing.simulators.hub.infos import front_matter
from anytune.testing.simulators.hub.repos import body_of, routes_of_kinds
from anytune.testing.simulators.hub.store import Blob
from anytune.testing.simulators.service import Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from werkzeug.wrappers import Request

    from anytune.testing.simulators.hub.store import Commit, Repo

__all__ = ["CommitRoutes"]


class CommitRoutes(AccessRoutes):
    """Commits, branches and tags.

    Attributes:
        lfs_from_bytes: Files of this size and more go to large file storage, and all that the repo's `.gitattributes` names.
    """

    lfs_from_bytes: int = 10 << 20
    commit_routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("POST", "/api/validate-yaml", "validate_yaml"),
        *routes_of_kinds(
            ("POST", "/{repo}/preupload/{revision}", "preupload"),
            ("POST", "/{repo}/commit/{revision}", "commit"),
            ("POST", "/{repo}/branch/{revision}", "create_branch"),
            ("DELETE", "/{repo}/branch/{revision}", "delete_branch"),
            ("POST", "/{repo}/tag/{revision}", "create_tag"),
            ("DELETE", "/{repo}/tag/{revision}", "delete_tag"),
            ("POST", "/{repo}/super-squash/{revision}", "squash"),
        ),
    )

    # Commits.

    def validate_yaml(self, request: Request) -> Reply:
        """Look at the metadata on top of a README."""
        try:
            card = front_matter(str(body_of(request).get("content", "")))
        except ValueError as error:
            return Reply({"error": "Invalid metadata", "errors": [{"message": str(error)}], "warnings": []}, 400)
        warnings = [] if card else [{"message": "empty or missing yaml metadata in repo card"}]
        return Reply({"errors": [], "warnings": warnings})

    def preupload(self, request: Request, repo: str, revision: str) -> Reply:
        """Tell of files how they are to be uploaded, and what is there under their names."""
        found = self.repo_of(request, repo, write=True)
        tree = self.commit_of(request, found, revision).tree
        body = body_of(request)
        ignored = [line.strip() for line in str(body.get("gitIgnore", "")).splitlines() if line.strip() and not line.startswith("#")]
        with well_formed("files"):
            asked = [(str(file["path"]), int(file["size"])) for file in body["files"]]
        attributes = tree[".gitattributes"].content if ".gitattributes" in tree else ATTRIBUTES
        files = []
        for path, size_bytes in asked:
            there = tree.get(path)
            mode = "lfs" if self.is_large(path, size_bytes, attributes) else "regular"
            told = {"path": path, "uploadMode": mode, "shouldIgnore": any(_matches(path, pattern) for pattern in ignored)}
            files.append(told | ({"oid": there.sha256 if there.lfs else there.oid} if there else {}))
        return Reply({"files": files})

    def commit(self, request: Request, repo: str, revision: str) -> Reply:
        """Add a commit to a branch: all of it or nothing."""
        found = self.repo_of(request, repo, write=True)
        if request.args.get("create_pr"):
            raise Refused("bad_request", reason="Pull requests are not simulated")
        branch = revision.removeprefix("refs/heads/")
        if branch not in found.branches:
            raise Refused("revision_not_found", revision=revision)
        header, tree = {}, dict(found.commits[found.branches[branch]].tree)
        for key, value in _lines(request):
            if key == "header":
                header = value
            else:
                self._apply(tree, key, value)
        if not header.get("summary"):
            raise Refused("bad_request", reason='"summary" is required')
        parent = header.get("parentCommit")
        if parent and not found.branches[branch].startswith(parent):
            raise Refused("moved_on")
        author = self.signed_in(request).user
        made = self.store.commit(found, branch, tree, title=header["summary"], message=header.get("description") or "", author=author)
        return Reply({"success": True, "commitOid": made.oid, "commitUrl": self._page_of(found, made), "hookOutput": ""})

    def _page_of(self, repo: Repo, commit: Commit) -> str:
        return f"{self.url}/{'' if repo.kind == 'model' else f'{repo.kind}s/'}{repo.repo_id}/commit/{commit.oid}"

    def is_large(self, path: str, size_bytes: int, attributes: bytes = ATTRIBUTES) -> bool:
        """Tell whether a file goes to large file storage."""
        return size_bytes >= self.lfs_from_bytes or named_large(path, attributes)

    def _apply(self, tree: dict[str, Blob], key: str, value: dict[str, Any]) -> None:
        path = str(value.get("path", ""))
        if not path or path.startswith("/") or ".." in path.split("/"):
            raise Refused("bad_request", reason=f"Invalid path {path!r}")
        match key:
            case "file":
                with well_formed("content"):
                    content = value["content"].encode()
                    tree[path] = Blob.of(base64.b64decode(content, validate=True) if value.get("encoding") == "base64" else content)
            case "lfsFile":
                content = self.store.objects.get(str(value.get("oid")))
                if content is None:
                    raise Refused("lfs_missing", path=path)
                tree[path] = Blob.of(content, lfs=True)
            case "deletedFile":
                if tree.pop(path, None) is None:
                    raise Refused("no_file", path=path)
            case "deletedFolder":
                inside = [name for name in tree if name.startswith(f"{path.rstrip('/')}/")]
                if not inside:
                    raise Refused("no_file", path=path)
                for name in inside:
                    del tree[name]
            case _:
                raise Refused("bad_request", reason=f"Unknown key {key!r}")

    # Branches and tags.

    def create_branch(self, request: Request, repo: str, revision: str) -> Reply:
        """Begin a branch at a revision, `main` by default."""
        found = self.repo_of(request, repo, write=True)
        if revision in found.branches:
            raise Refused("ref_exists", revision=f"refs/heads/{revision}")
        found.branches[revision] = self.commit_of(request, found, body_of(request).get("startingPoint") or "main").oid
        return Reply({})

    def delete_branch(self, request: Request, repo: str, revision: str) -> Reply:
        """Forget a branch; its commits stay, as Git keeps them for a while."""
        found = self.repo_of(request, repo, write=True)
        if revision == "main":
            raise Refused("bad_request", reason="The default branch cannot be deleted")
        if found.branches.pop(revision, None) is None:
            raise Refused("revision_not_found", revision=revision)
        return Reply({})

    def create_tag(self, request: Request, repo: str, revision: str) -> Reply:
        """Give a revision a tag."""
        found = self.repo_of(request, repo, write=True)
        tag = body_of(request).get("tag")
        if not tag:
            raise Refused("bad_request", reason='"tag" is required')
        if tag in found.tags:
            raise Refused("ref_exists", revision=f"refs/tags/{tag}")
        found.tags[tag] = self.commit_of(request, found, revision).oid
        return Reply({})

    def delete_tag(self, request: Request, repo: str, revision: str) -> Reply:
        """Take a tag away."""
        found = self.repo_of(request, repo, write=True)
        if found.tags.pop(revision, None) is None:
            raise Refused("revision_not_found", revision=revision)
        return Reply({})

    def squash(self, request: Request, repo: str, revision: str) -> Reply:
        """Make one commit of a branch's history."""
        found = self.repo_of(request, repo, write=True)
        if revision not in found.branches:
            raise Refused("revision_not_found", revision=revision)
        tree = found.commits[found.branches.pop(revision)].tree  # a branch without a newest commit begins again
        title = str(body_of(request).get("message") or "Super-squash")
        self.store.commit(found, revision, tree, title=title, author=self.signed_in(request).user)
        return Reply({})


def _lines(request: Request) -> Iterator[tuple[str, dict[str, Any]]]:
    """Read the lines of a commit."""
    for line in request.get_data().splitlines():
        with well_formed("line in the commit"):
            entry = json.loads(line)
            key, value = str(entry["key"]), dict(entry["value"])
        yield key, value


def _matches(path: str, pattern: str) -> bool:
    """Tell whether a simple line of a .gitignore (a name, a pattern, a folder) names a file."""
    parts = path.split("/")
    if pattern.endswith("/"):
        return pattern.strip("/") in parts[:-1]
    return fnmatch(path, pattern.lstrip("/")) or ("/" not in pattern and any(fnmatch(part, pattern) for part in parts))
