"""Large files of the simulated Hub: where they are uploaded to, and that they arrived whole."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Any, ClassVar

from anytune.testing.simulators.hub.access import AccessRoutes
from anytune.testing.simulators.hub.errors import Refused, well_formed
from anytune.testing.simulators.hub.repos import body_of
from anytune.testing.simulators.service import Reply

if TYPE_CHECKING:
    from werkzeug.wrappers import Request

__all__ = ["LfsRoutes"]

_PREFIXES = ("", "/datasets", "/spaces")


class LfsRoutes(AccessRoutes):
    """Large files, by the batch protocol of Git LFS with the Hub's own `multipart` transfer.

    Addresses that take content are signed, and nobody's token is sent to them.

    Attributes:
        multipart_from_bytes: Files of this size and more are asked for in parts, where the client knows how.
        part_bytes: How long the parts are, but for the last.
    """

    multipart_from_bytes: int = 64 << 20
    part_bytes: int = 16 << 20
    lfs_routes: ClassVar[tuple[tuple[str, str, str], ...]] = (
        *(("POST", f"{prefix}/{{repo}}.git/info/lfs/objects/batch", "lfs_batch") for prefix in _PREFIXES),
        *(("POST", f"{prefix}/{{repo}}.git/info/lfs/objects/verify", "lfs_verify") for prefix in _PREFIXES),
        ("PUT", "/lfs/{oid}", "lfs_put"),
        ("PUT", "/lfs/{oid}/{number:int}", "lfs_put_part"),
        ("POST", "/lfs/{oid}", "lfs_complete"),
    )

    _secret: bytes
    _parts: dict[str, dict[int, bytes]]

    def __init__(self, **settings: Any) -> None:
        """Begin with nothing under way."""
        self._secret = secrets.token_bytes()
        self._parts = {}
        super().__init__(**settings)

    def lfs_batch(self, request: Request, repo: str) -> Reply:
        """Say of each file where it goes; nothing is said of those that are there."""
        found = self.repo_of(request, repo, write=True)
        body = body_of(request)
        multipart = "multipart" in body.get("transfers", ["basic"])
        with well_formed("objects"):
            asked = [(str(each["oid"]), int(each["size"])) for each in body["objects"]]
        objects = []
        for oid, size in asked:
            told: dict[str, Any] = {"oid": oid, "size": size}
            if oid not in self.store.objects:
                upload = self._upload_of(oid, size, multipart=multipart)
                told |= {"authenticated": True, "actions": {"upload": upload, "verify": {"href": self._verify(found.kind, repo)}}}
            objects.append(told)
        return Reply({"transfer": "basic", "objects": objects})

    def lfs_put(self, request: Request, oid: str) -> Reply:
        """Take a file."""
        self._check(request, oid)
        return self._keep(oid, request.get_data())

    def lfs_put_part(self, request: Request, oid: str, number: int) -> Reply:
        """Take a part of a file."""
        self._check(request, f"{oid}/{number}")
        content = request.get_data()
        self._parts.setdefault(oid, {})[number] = content
        return Reply(None, headers={"ETag": f'"{hashlib.sha256(content).hexdigest()}"'})

    def lfs_complete(self, request: Request, oid: str) -> Reply:
        """Put a file together from the parts that the client names."""
        self._check(request, oid)
        there, content = self._parts.get(oid, {}), b""
        with well_formed("parts"):
            parts = [(int(part["partNumber"]), str(part["etag"]).strip('"')) for part in body_of(request)["parts"]]
        for number, etag in parts:
            piece = there.get(number, b"")
            if etag != hashlib.sha256(piece).hexdigest():
                raise Refused("bad_request", reason=f"Part {number} did not arrive")
            content += piece
        self._parts.pop(oid, None)
        return self._keep(oid, content)

    def lfs_verify(self, request: Request, repo: str) -> Reply:
        """Say whether a file arrived."""
        self.repo_of(request, repo, write=True)
        body = body_of(request)
        if len(self.store.objects.get(body.get("oid", ""), b"")) != body.get("size"):
            raise Refused("bad_request", reason="The file did not arrive")
        return Reply({})

    def _upload_of(self, oid: str, size_bytes: int, *, multipart: bool) -> dict[str, Any]:
        if not multipart or size_bytes < self.multipart_from_bytes:
            return {"href": self._signed(oid)}
        count = -(-size_bytes // self.part_bytes)
        parts = {str(number): self._signed(f"{oid}/{number}") for number in range(1, count + 1)}
        return {"href": self._signed(oid), "header": {"chunk_size": str(self.part_bytes), **parts}}

    def _verify(self, kind: str, repo: str) -> str:
        return f"{self.url}/{'' if kind == 'model' else f'{kind}s/'}{repo}.git/info/lfs/objects/verify"

    def _keep(self, oid: str, content: bytes) -> Reply:
        if hashlib.sha256(content).hexdigest() != oid:
            raise Refused("bad_request", reason="The content is not what its oid says")
        self.store.objects[oid] = content
        return Reply(None)

    def _signed(self, place: str) -> str:
        return f"{self.url}/lfs/{place}?signature={self._signature(place)}"

    def _signature(self, place: str) -> str:
        return hmac.new(self._secret, place.encode(), hashlib.sha256).hexdigest()

    def _check(self, request: Request, place: str) -> None:
        if not hmac.compare_digest(request.args.get("signature", ""), self._signature(place)):
            raise Refused("forbidden")
