"""Files of the simulated Hub, as they are downloaded: whole, or from a byte on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from anytune.testing.simulators.hub.access import AccessRoutes
from anytune.testing.simulators.hub.errors import Refused
from anytune.testing.simulators.service import Reply

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

__all__ = ["DownloadRoutes"]

_PREFIXES = ("", "/datasets", "/spaces")


class DownloadRoutes(AccessRoutes):
    """Files, as they are downloaded."""

    download_routes: ClassVar[tuple[tuple[str, str, str], ...]] = tuple(
        ("GET|HEAD", f"{prefix}/{{repo}}/resolve/{{revision}}/{{path}}", "download") for prefix in _PREFIXES
    )

    def download(self, request: Request, repo: str, revision: str, path: str) -> Reply:
        """Give a file, or the bytes of it that are asked for."""
        found = self.repo_of(request, repo)
        revision, path = found.split(f"{revision}/{path}")  # the revision may have slashes, too
        commit = self.commit_of(request, found, revision, files=True)
        blob = commit.tree.get(path)
        if blob is None:
            raise Refused("entry_not_found", headers={"X-Repo-Commit": commit.oid})
        size = len(blob.content)
        headers = {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f'inline; filename="{path.rpartition("/")[2].encode("ascii", "replace").decode()}"',
            "Accept-Ranges": "bytes",
            "ETag": f'"{blob.sha256 if blob.lfs else blob.oid}"',
            "X-Repo-Commit": commit.oid,
        }
        if blob.lfs:
            headers |= {"X-Linked-Etag": f'"{blob.sha256}"', "X-Linked-Size": str(size)}
        if request.range is None or len(request.range.ranges) != 1:
            return Reply(blob.content, headers=headers)
        there = request.range.range_for_length(size)
        if there is None:
            raise Refused("range", headers={"Content-Range": f"bytes */{size}"})
        begin, end = there
        return Reply(blob.content[begin:end], 206, {**headers, "Content-Range": f"bytes {begin}-{end - 1}/{size}"})
