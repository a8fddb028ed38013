"""The durable side of a remote job: one private model repository with its order, its state, its checkpoints and, at the end, its model.

The machine that trains may vanish at any moment, and so may whoever looks. Each write is one commit, all of it or nothing, on top of what
was read before: a half-pushed checkpoint cannot exist, and two writers never mix. Every write may be sent again.

Names: `anytune/order.json`, `anytune/state.json`, `anytune/wish.json`, `anytune/events.jsonl`, `anytune/metrics.jsonl`,
`anytune/result.json`, `checkpoints/checkpoint-N/…`, the merged model at the root, `adapter/…`, and `README.md` as its card.
"""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any, Literal

from anytune.errors import ConfigError, MalformedReply, NotFound, Rejected
from anytune.values import Checkpoint, ModelRef
from anytune_huggingface import checkpoints
from anytune_huggingface.hub import card as cards
from anytune_huggingface.hub.changes import add, beyond, delete, published, replaced
from anytune_huggingface.hub.errors import asking
from anytune_huggingface.hub.state import State, Wish

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from anytune_huggingface.hub.client import Hub

__all__ = ["Record", "State", "Wish", "repo_name"]

_ORDER, _STATE, _WISH, _RESULT = "anytune/order.json", "anytune/state.json", "anytune/wish.json", "anytune/result.json"
_EVENTS, _METRICS = "anytune/events.jsonl", "anytune/metrics.jsonl"
_CHECKPOINT = re.compile(rf"checkpoints/(checkpoint-\d+)/{re.escape(checkpoints.MANIFEST)}")
_NAME_MAX = 96


def repo_name(name: str, ref: str) -> str:
    """Name the repository of a job, without its owner: the same for the same job, another for every other one.

    Example:
        >>> repo_name("My colours/v2", "01K9ZZZZZZZZZZZZABCDEFGHJK")
        'anytune-my-colours-v2-abcdefghjk'
    """
    tail = ref[-10:].lower()
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[: _NAME_MAX - len(tail) - len("anytune--")].strip("-")
    return "-".join(part for part in ("anytune", slug, tail) if part)


class Record:
    """The private model repository of one remote job. Making the object asks nothing.

    Args:
        hub: The account.
        repo: `owner/name`.
    """

    def __init__(self, hub: Hub, repo: str) -> None:
        """Keep the names."""
        self.hub = hub
        self.repo = repo

    @classmethod
    def of(cls, hub: Hub, name: str, ref: str) -> Record:
        """Give the record of a job by its name and ref; it may not exist yet."""
        return cls(hub, f"{hub.namespace}/{repo_name(name, ref)}")

    @property
    def url(self) -> str:
        """Where a person looks at it."""
        return f"{self.hub.endpoint}/{self.repo}"

    # Its life.

    def create(self, order: Mapping[str, Any]) -> None:
        """Make the repository and put the order into it; where both are there, nothing is done.

        Args:
            order: The order as JSON, with its `ref`; no secrets.

        Raises:
            Rejected: The repository is public, or holds the order of another job.
        """
        self.hub.create(self.repo)
        content = _json(order)

        def put(sha: str) -> list[Any] | None:
            there = self._json(_ORDER, sha)
            if there is None:
                return [add(_ORDER, content)]
            if there.get("ref") != order.get("ref"):
                raise Rejected(f"{self.repo} belongs to job {there.get('ref')}.", fix="Rename or delete the repository, or rename the job.")
            return None

        self.hub.commit(self.repo, put, "Order of the job")

    def exists(self) -> bool:
        """Tell whether it is there with its order: a repository without one was never finished, and `create` makes it whole."""
        try:
            return self.hub.read(self.repo, _ORDER) is not None
        except NotFound:
            return False

    def delete(self) -> None:
        """Delete the repository with all that is in it, for good; one that is gone is no error.

        Raises:
            Unreachable: It is still there.
        """
        with asking(self.repo):
            self.hub.api.delete_repo(self.repo, missing_ok=True, token=self.hub.bearer)

    # What it says.

    def order(self) -> dict[str, Any]:
        """Give the order.

        Raises:
            NotFound: There is no such record.
        """
        found = self._json(_ORDER)
        if found is None:
            raise NotFound(f"{self.repo} holds no order of anytune.", fix="Check the repository's name.")
        return found

    def state(self) -> State | None:
        """Give the state; None before the job said anything.

        Raises:
            NotFound: There is no such record.
        """
        return self._state(None)

    def result(self) -> dict[str, Any] | None:
        """Give what the program left at its end, as it wrote it; None before."""
        return self._json(_RESULT)

    def model(self) -> ModelRef | None:
        """Give the model that was made, pinned to the commit that holds it; None before the end.

        Its id and its adapter are Hub ids (`owner/name@commit[:subfolder]`), as `anytune_huggingface.models.folders` reads them.
        """
        sha = self.hub.sha(self.repo)
        if self._json(_RESULT, sha) is None:
            return None
        base = (self._json(_ORDER, sha) or {}).get("model")
        files = self._files(sha)
        artifacts = {"merged": f"{self.repo}@{sha}"}
        if "adapter/adapter_config.json" in files:
            artifacts["adapter"] = f"{self.repo}@{sha}:adapter"
        return ModelRef(id=f"{self.repo}@{sha}", base_model=base, artifacts=artifacts)

    def logs(self) -> list[str]:
        """Give the lines of the events, then those of the metrics, as `put_state` wrote them.

        Raises:
            NotFound: There is no such record.
        """
        contents = [self.hub.read(self.repo, path) or b"" for path in (_EVENTS, _METRICS)]
        return [line.decode("utf-8", "replace") for content in contents for line in content.splitlines()]

    # What is said.

    def put_state(self, state: State, *, events: bytes | None = None, metrics: bytes | None = None) -> bool:
        """Write the state, and the logs whole, in one commit. Commits are rationed: call it when the status changes, else now and then.

        Args:
            state: What is so now.
            events: All events so far, as JSONL.
            metrics: All metrics so far, as JSONL.

        Returns:
            False where a final state or a later part stands there already: then nothing was written.
        """
        logs = [(path, content) for path, content in ((_EVENTS, events), (_METRICS, metrics)) if content is not None]
        written = True

        def put(sha: str) -> list[Any] | None:
            nonlocal written
            before = self._state(sha)
            written = state.may_follow(before)
            changed = [add(_STATE, state.model_dump_json(indent=1).encode()), *(add(path, content) for path, content in logs)]
            return changed if written and state != before else None

        self.hub.commit(self.repo, put, f"{state.status}, step {state.step or 0}")
        return written

    def ask(self, wish: Literal["hold", "resume", "cancel"]) -> None:
        """Ask something of the job, for good; the same again changes nothing, and nothing undoes `cancel`.

        Raises:
            NotFound: There is no such record.
        """

        def put(sha: str) -> list[Any] | None:
            before = self._wish(sha)
            if before is not None and before.wish in {wish, "cancel"}:
                return None
            return [add(_WISH, Wish(wish=wish).model_dump_json(indent=1).encode())]

        self.hub.commit(self.repo, put, f"Asked: {wish}")

    def asked(self) -> Wish | None:
        """Give what was asked last; None where nothing was."""
        return self._wish(None)

    # Checkpoints.

    def checkpoints(self) -> list[Checkpoint]:
        """List the checkpoints, oldest first: each is whole. `model` is its Hub id, pinned to a commit."""
        sha = self.hub.sha(self.repo)
        found = []
        with asking(f"{self.repo}'s checkpoints"):
            names = [path for path in self._files(sha) if _CHECKPOINT.fullmatch(path)]
            dates = {each.path: each.last_commit for each in self._told(names, sha)} if names else {}
        for path in names:
            folder = path.rpartition("/")[0]
            manifest = self._json(path, sha) or {}
            made = dates.get(path)
            found.append(
                Checkpoint(
                    id=folder.rpartition("/")[2],
                    step=int(folder.rpartition("-")[2]),
                    model=f"{self.repo}@{sha}:{folder}",
                    metrics=manifest.get("metrics") or {},
                    created_at=made.date if made else None,
                )
            )
        return sorted(found, key=lambda each: each.step)

    def push_checkpoint(self, folder: Path, *, keep: int | None = None) -> None:
        """Push a sealed checkpoint in one commit, which takes the oldest beyond `keep` away; one that is there already is not sent again.

        Args:
            folder: `checkpoint-N` with its manifest.
            keep: How many to keep; None keeps all.

        Raises:
            ConfigError: The folder is not whole.
        """
        wrong = checkpoints.problem(folder)
        if wrong is not None:
            raise ConfigError(f"The checkpoint {folder.name} is not pushed: {wrong}.", fix="Seal it first.")
        manifest = (folder / checkpoints.MANIFEST).read_bytes()
        there = f"checkpoints/{folder.name}"

        def put(sha: str) -> list[Any] | None:
            files = self._files(sha)
            gone = beyond(files, folder.name, keep)
            known = (
                f"{there}/{checkpoints.MANIFEST}" in files
                and self.hub.read(self.repo, f"{there}/{checkpoints.MANIFEST}", revision=sha) == manifest
            )
            wanted = [] if known else replaced(files, there, folder)
            return [*wanted, *(delete(f"checkpoints/{name}/") for name in gone)]

        self.hub.commit(self.repo, put, f"Checkpoint of step {checkpoints.step(folder)}")

    def fetch_checkpoint(self, into: Path) -> tuple[Path | None, list[str]]:
        """Fetch the newest checkpoint whose files are all there and unchanged.

        Args:
            into: The folder to put `checkpoint-N` into; one that is there and good is not fetched again.

        Returns:
            Its folder or None, and what was wrong with each newer one.
        """
        sha = self.hub.sha(self.repo)
        names = sorted(
            (match[1] for path in self._files(sha) if (match := _CHECKPOINT.fullmatch(path))), key=lambda name: int(name.rpartition("-")[2])
        )
        problems: list[str] = []
        for name in reversed(names):
            target = into / name
            if checkpoints.problem(target) is not None:
                self._fetch(f"checkpoints/{name}", sha, target)
            wrong = checkpoints.problem(target)
            if wrong is None:
                return target, problems
            problems.append(f"{name}: {wrong}")
        return None, problems

    # The end.

    def push_model(self, merged: Path, *, state: State, result: Mapping[str, Any], card: str, adapter: Path | None = None) -> bool:
        """Push the model, its card, the result and the final state in one commit: with the result the model is whole.

        Args:
            merged: Folder of the merged weights; its files go to the root.
            state: The state `finished`.
            result: What the program left.
            card: Text of README.md; its base becomes the order's model.
            adapter: Folder of the adapter; it goes to `adapter/`.

        Returns:
            False where a final state or a later part stands there already: then nothing was written.
        """
        written = True

        def put(sha: str) -> list[Any] | None:
            nonlocal written
            before = self._state(sha)
            if before is not None and before.status == "finished" and self._json(_RESULT, sha) is not None:
                return None
            written = state.may_follow(before)
            folders = [("", merged), *([("adapter/", adapter)] if adapter else [])]
            base = (self._json(_ORDER, sha) or {}).get("model")
            files = [add(f"{prefix}{name}", cards.config(path, base)) for prefix, folder in folders for name, path in published(folder)]
            told = [
                add("README.md", cards.card(card, base).encode()),
                add(_RESULT, _json(result)),
                add(_STATE, state.model_dump_json(indent=1).encode()),
            ]
            return [*files, *told] if written else None

        self.hub.commit(self.repo, put, "The tuned model")
        return written

    # Its parts.

    def _json(self, path: str, sha: str | None = None) -> dict[str, Any] | None:
        content = self.hub.read(self.repo, path, revision=sha or "main")
        if content is None:
            return None
        try:
            found = json.loads(content)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise MalformedReply(
                f"{self.repo}/{path} is no JSON object.", fix="Somebody changed it: delete the repository, and run the job again."
            )
        return found

    def _state(self, sha: str | None) -> State | None:
        found = self._json(_STATE, sha)
        with asking(f"{self.repo}'s state"):
            return None if found is None else State.model_validate(found)

    def _wish(self, sha: str | None) -> Wish | None:
        found = self._json(_WISH, sha)
        with asking(f"{self.repo}'s wishes"):
            return None if found is None else Wish.model_validate(found)

    def _files(self, sha: str) -> list[str]:
        with asking(f"{self.repo}'s files"):
            return list(self.hub.api.list_repo_files(self.repo, revision=sha))

    def _told(self, paths: Sequence[str], sha: str) -> list[Any]:
        return list(self.hub.api.get_paths_info(self.repo, list(paths), expand=True, revision=sha))

    def _fetch(self, folder: str, sha: str, target: Path) -> None:
        from huggingface_hub import snapshot_download  # noqa: PLC0415 - takes half a second to load

        scratch = target.with_name(f".{target.name}.fetched")
        shutil.rmtree(scratch, ignore_errors=True)
        api = self.hub.api
        with asking(f"{self.repo}/{folder}"):
            snapshot_download(
                self.repo, revision=sha, allow_patterns=f"{folder}/**", local_dir=scratch, endpoint=api.endpoint, token=self.hub.bearer
            )
        shutil.rmtree(target, ignore_errors=True)
        (scratch / folder).rename(target)
        shutil.rmtree(scratch)


def _json(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True).encode()
