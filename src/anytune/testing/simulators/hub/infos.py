"""What the simulated Hub tells about repos, files and commits, in its own shapes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import yaml

from anytune.testing.simulators.hub.store import iso

if TYPE_CHECKING:
    from anytune.testing.simulators.hub.store import Blob, Commit, Repo

__all__ = ["card_of", "commit_info", "file_info", "folder_info", "front_matter", "repo_info"]

_POINTER_BYTES = 134
_PARTS = 3


def repo_info(repo: Repo, commit: Commit, *, blobs: bool = False, files: bool = True) -> dict[str, Any]:
    """Tell of a repo at one commit; what only who made it knows (secrets) is not in it."""
    card = card_of(commit)
    info: dict[str, Any] = {
        "_id": hashlib.sha256(f"{repo.kind} {repo.repo_id} {repo.at_s}".encode()).hexdigest()[:24],
        "id": repo.repo_id,
        "author": repo.owner,
        "sha": commit.oid,
        "createdAt": iso(repo.at_s),
        "lastModified": iso(repo.commits[repo.sha].at_s),
        "private": repo.private,
        "gated": repo.gated,
        "disabled": False,
        "likes": 0,
        "tags": _tags(card),
        "cardData": card,
    }
    if repo.kind == "space":
        info |= {"sdk": repo.created.get("sdk") or card.get("sdk")}
    else:
        info |= {"downloads": 0}
    if repo.kind == "model":
        info |= {"modelId": repo.repo_id, "pipeline_tag": card.get("pipeline_tag"), "library_name": card.get("library_name")}
    if files:
        info["siblings"] = [_sibling(path, blob, blobs=blobs) for path, blob in sorted(commit.tree.items())]
        info["usedStorage"] = sum(len(blob.content) for blob in commit.tree.values())
    return info


def card_of(commit: Commit) -> dict[str, Any]:
    """Give the metadata on top of a commit's README; nothing where it is broken."""
    readme = commit.tree.get("README.md")
    try:
        return front_matter(readme.content.decode(errors="replace")) if readme else {}
    except ValueError:
        return {}


def front_matter(text: str) -> dict[str, Any]:
    """Give the metadata on top of a README.

    Raises:
        ValueError: It is not YAML, or not a mapping.
    """
    parts = text.replace("\r\n", "\n").split("---\n", 2)
    if not text.startswith("---") or len(parts) < _PARTS:
        return {}
    try:
        card = yaml.safe_load(parts[1])
    except yaml.YAMLError as error:
        raise ValueError(f"Invalid YAML: {error}") from error
    if card is not None and not isinstance(card, dict):
        raise ValueError("The metadata must be a mapping.")
    return card or {}


def file_info(path: str, blob: Blob, commit: Commit | None = None) -> dict[str, Any]:
    """Tell of a file as a tree lists it; with the commit that it was last changed by, where that is asked for."""
    info: dict[str, Any] = {"type": "file", "path": path, "oid": blob.oid, "size": len(blob.content)}
    if blob.lfs:
        info["lfs"] = {"oid": blob.sha256, "size": len(blob.content), "pointerSize": _POINTER_BYTES}
    return info | _changed_by(commit)


def folder_info(path: str, files: dict[str, Blob], commit: Commit | None = None) -> dict[str, Any]:
    """Tell of a folder as a tree lists it."""
    listing = "\n".join(f"{name} {blob.oid}" for name, blob in sorted(files.items()))
    oid = hashlib.sha1(listing.encode(), usedforsecurity=False).hexdigest()
    return {"type": "directory", "path": path, "oid": oid, "size": 0} | _changed_by(commit)


def commit_info(commit: Commit, *, formatted: bool = False) -> dict[str, Any]:
    """Tell of a commit."""
    info = {
        "id": commit.oid,
        "title": commit.title,
        "message": commit.message,
        "authors": [{"user": commit.author, "avatar": ""}],
        "date": iso(commit.at_s),
    }
    return info | ({"formatted": {"title": commit.title, "message": commit.message}} if formatted else {})


def _changed_by(commit: Commit | None) -> dict[str, Any]:
    return {"lastCommit": {"id": commit.oid, "title": commit.title, "date": iso(commit.at_s)}} if commit else {}


def _sibling(path: str, blob: Blob, *, blobs: bool) -> dict[str, Any]:
    sibling: dict[str, Any] = {"rfilename": path}
    if blobs:
        sibling |= {"size": len(blob.content), "blobId": blob.oid}
    if blobs and blob.lfs:
        sibling["lfs"] = {"sha256": blob.sha256, "size": len(blob.content), "pointerSize": _POINTER_BYTES}
    return sibling


def _tags(card: dict[str, Any]) -> list[str]:
    """Give the tags that the Hub makes of a card: its own, and those that name what it was made of."""
    tags = _several(card.get("tags"))
    tags += [str(card[name]) for name in ("library_name", "pipeline_tag") if card.get(name)]
    tags += [f"{prefix}:{value}" for prefix in ("base_model", "license") for value in _several(card.get(prefix))]
    tags += [f"dataset:{value}" for value in _several(card.get("datasets"))]
    return list(dict.fromkeys(tags))


def _several(value: Any) -> list[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)] if value else []
