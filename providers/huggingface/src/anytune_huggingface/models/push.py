"""Publishing a tuned model in a repository of the Hub: weights, config, tokenizer and card in one commit, and nothing else.

Whether a repository holds the same model is told from the hashes of its weights. What is private stays private.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anytune.backend import Pushed
from anytune.errors import NotFound, Rejected
from anytune_huggingface import checkpoints
from anytune_huggingface.hub import card as cards
from anytune_huggingface.hub.changes import add, delete, published
from anytune_huggingface.hub.errors import asking
from anytune_huggingface.hub.names import name as hub_name
from anytune_huggingface.models import adapters, folders, safety

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.backend import PushOrder
    from anytune.values import ModelRef
    from anytune_huggingface.hub.client import Hub

__all__ = ["push"]

_HEAD = {".gitattributes", "README.md"}
"""What a repository holds in which nothing is yet."""


def push(hub: Hub, model: ModelRef, to: PushOrder) -> Pushed:
    """Publish a model that lies on this machine or on the Hub; the same again changes nothing.

    Args:
        hub: The account.
        model: Its artifacts `merged`, `adapter` and `card` are paths or Hub ids; without them its id is taken.
        to: Where to, and how.

    Raises:
        NotFound: The model is not there, or has no adapter where that was asked for; no repository was made.
        Rejected: The repository holds another model or something else and `to.replace` is not set, or is public and should not be.
        ConfigError: The model is not safe to publish: code, pickles alone, a config that reads other files.
    """
    folder = _folder(hub, model, adapter=to.adapter)
    wanted = _wanted(hub, model, folder)
    branch = to.branch or "main"
    private = _admitted(hub, to, wanted, branch)
    if branch != "main":
        with asking(to.repo):
            hub.api.create_branch(to.repo, branch=branch, exist_ok=True, token=hub.bearer)

    def changes(sha: str) -> list[Any] | None:
        return _changes(_held(hub, to.repo, sha), wanted, to)

    revision = hub.commit(to.repo, changes, to.message or "Publish a model tuned with anytune", revision=branch)
    held = {path: file for path, file in _held(hub, to.repo, revision).items() if path != ".gitattributes"}
    place = f"{hub.endpoint}/{to.repo}" + (f"/tree/{branch}" if to.branch else "")
    size = sum(int(file.size) for file in held.values())
    return Pushed(repo=to.repo, url=place, revision=revision, files=tuple(sorted(held)), size_bytes=size, private=private)


def _folder(hub: Hub, model: ModelRef, *, adapter: bool) -> Path:
    """Give the verified folder to publish, fetched where it lies on the Hub.

    Raises:
        NotFound: It is not there.
    """
    word = model.artifacts.get("adapter" if adapter else "merged", model.id)
    if Path(word).is_absolute():
        if not Path(word).is_dir():
            raise NotFound(f"The model {word} is not there.", fix="It may have been deleted: train again, or give another one.")
        folder = Path(word)
    else:
        place = hub_name(word)
        if place is None or not hub.exists(place.repo):
            raise NotFound(f"There is no model {word!r} to publish.", fix="Give a job's model, an absolute folder or `owner/name`.")
        folder = folders.fetched(word, hub=hub)
    if adapter:
        if not adapters.is_adapter(folder):
            raise NotFound(f"{model.id} has no adapter.", fix="Leave `adapter` out: the merged model is published.")
        adapters.verify(folder)
    elif adapters.is_adapter(folder):
        raise NotFound(f"{model.id} is an adapter alone.", fix="Say `adapter=True`, or publish the merged model.")
    else:
        folders.verify(folder)
    safety.contained(folder)
    return folder


def _wanted(hub: Hub, model: ModelRef, folder: Path) -> dict[str, bytes | Path]:
    """Give the files of the repository, by name."""
    found: dict[str, bytes | Path] = {path: cards.config(file, model.base_model) for path, file in published(folder)}
    return found | {"README.md": cards.card(_card(hub, model, folder), model.base_model).encode()}


def _card(hub: Hub, model: ModelRef, folder: Path) -> str:
    named = model.artifacts.get("card")
    if named and Path(named).is_file():
        return Path(named).read_text(encoding="utf-8")
    place = hub_name(model.id)
    if place is not None and not Path(model.id).is_absolute():
        return (hub.read(place.repo, "README.md", revision=place.revision or "main") or b"").decode(errors="replace")
    beside = folder / "README.md"
    return beside.read_text(encoding="utf-8") if beside.is_file() else ""


def _admitted(hub: Hub, to: PushOrder, wanted: Mapping[str, bytes | Path], branch: str) -> bool:
    """Make the repository, or look whether what is there may be written to; tell whether it is private."""
    if hub.exists(to.repo):
        _open(hub, to)
        _changes(_held(hub, to.repo, _revision(hub, to.repo, branch)), wanted, to)
    else:
        with asking(to.repo):
            hub.api.create_repo(to.repo, private=to.private, exist_ok=True, token=hub.bearer)
    return _open(hub, to)


def _open(hub: Hub, to: PushOrder) -> bool:
    with asking(to.repo):
        private = bool(hub.api.model_info(to.repo, token=hub.bearer).private)
    if to.private and not private:
        fix = "Choose another repository, or say that it may be public (private=False, --public)."
        raise Rejected(f"{to.repo} is public, and the model should be private.", fix=fix)
    return private


def _revision(hub: Hub, repo: str, branch: str) -> str:
    """Give the commit that a branch stands for, or will begin at."""
    try:
        return hub.sha(repo, revision=branch)
    except NotFound:
        return hub.sha(repo)


def _held(hub: Hub, repo: str, sha: str) -> dict[str, Any]:
    with asking(f"the files of {repo}"):
        tree = hub.api.list_repo_tree(repo, recursive=True, revision=sha, token=hub.bearer)
        return {each.path: each for each in tree if hasattr(each, "blob_id")}


def _changes(held: Mapping[str, Any], wanted: Mapping[str, bytes | Path], to: PushOrder) -> list[Any] | None:
    """Give what makes the repository hold the model; None where it does.

    Raises:
        Rejected: It holds something else.
    """
    weights = {path for path in {*held, *wanted} if path.endswith(".safetensors")}
    same = all(path in held and path in wanted and _same(held[path], wanted[path]) for path in weights)
    fresh = set(held) <= _HEAD
    if not (same or fresh or to.replace):
        what = "another model, or this one in another form" if any(path in held for path in weights) else "something else"
        fix = "Choose another repository, or let it be replaced (replace=True, --replace)."
        raise Rejected(f"{to.repo} holds {what}.", fix=fix)
    # The card of a model that is there already may have been edited since: it stays.
    kept = {"README.md"} if same and "README.md" in held and not fresh else set()
    come = [path for path, content in wanted.items() if path not in kept and not (path in held and _same(held[path], content))]
    gone = [] if same else [path for path in held if path not in wanted and path not in _HEAD]
    return [*(add(path, wanted[path]) for path in come), *map(delete, gone)] or None


def _same(file: Any, content: bytes | Path) -> bool:
    """Tell whether a file of a repository has some content, by the hash that the Hub keeps of it."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    if int(file.size) != size:
        return False
    if file.lfs is not None:
        digest = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else checkpoints.sha256(content)
        return bool(file.lfs.sha256 == digest)
    body = content if isinstance(content, bytes) else content.read_bytes()
    return bool(file.blob_id == hashlib.sha1(f"blob {len(body)}\0".encode() + body, usedforsecurity=False).hexdigest())
