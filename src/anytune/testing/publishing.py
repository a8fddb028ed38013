"""The hub of the memory backend: repositories with branches, commits and a visibility, and none of their bytes."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from anytune.backend import Backend, Pushed, PushOrder
from anytune.errors import NotFound, Rejected
from anytune.testing.course import model_of
from anytune.testing.store import CommitRecord, RepoRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from anytune.backend import Ability
    from anytune.testing.faults import Fault
    from anytune.testing.store import JobRecord, State, Store
    from anytune.values import ModelRef

__all__ = ["Publishing"]

_URL = "https://hub.invalid"
_CARD = {"README.md": 1_200, "config.json": 800, "tokenizer.json": 90_000}
_WEIGHTS = {False: {"model.safetensors": 2_000_000}, True: {"adapter_config.json": 600, "adapter_model.safetensors": 40_000}}


class Publishing(Backend):
    """The publishing part of `MemoryBackend`."""

    store: Store
    clock: Callable[[], float]

    if TYPE_CHECKING:

        def _ability(self, ability: Ability, verb: str) -> AbstractContextManager[tuple[State, Fault | None]]: ...
        def _known_model(self, state: State, model_id: str, *, deleted_too: bool = False) -> None: ...

    def push(self, model: ModelRef, to: PushOrder) -> Pushed:
        """Put a model that a job made into a repository; the same again changes nothing."""
        with self._ability("push", "push") as (state, _):
            job = self._maker(state, model)
            if to.adapter and job.resolved.get("adapter.type") not in {"lora", "qlora"}:
                raise NotFound(f"{model.id} has no adapter.", fix="Leave `adapter` out.", backend=self.name)
            repo = state.repos.setdefault(to.repo, RepoRecord(private=to.private))
            branch = to.branch or "main"
            files = _CARD | _WEIGHTS[to.adapter]
            wanted = (model.id, files)
            self._admit(repo, wanted, to, branch)
            held = repo.branches.setdefault(branch, [])
            if not held or (held[-1].model, held[-1].files) != wanted:
                content = f"{to.repo}\n{branch}\n{len(held)}\n{model.id}\n{sorted(files)}"
                revision = hashlib.sha256(content.encode()).hexdigest()[:40]
                held.append(CommitRecord(revision=revision, model=model.id, files=files, message=to.message or f"Publish {model.id}"))
            return Pushed(
                repo=to.repo,
                url=f"{_URL}/{to.repo}",
                revision=held[-1].revision,
                files=tuple(sorted(files)),
                size_bytes=sum(files.values()),
                private=repo.private,
            )

    def _maker(self, state: State, model: ModelRef) -> JobRecord:
        """Find the job that made a model, or a checkpoint of it."""
        self._known_model(state, model.id)
        for job in state.jobs.values():
            if model.id in {model_of(job).id, *(point.model for point in job.checkpoints)}:
                return job
        raise NotFound(f"No model {model.id!r} was made here.", fix="Publish what a job made.", backend=self.name)

    def _admit(self, repo: RepoRecord, wanted: tuple[str, dict[str, int]], to: PushOrder, branch: str) -> None:
        """Refuse what would show a private model, or take another one's place unasked."""
        if to.private and not repo.private:
            raise Rejected(
                f"{to.repo} is public, and the model should be private.",
                fix="Choose another repository, or say that it may be public (private=False, --public).",
                backend=self.name,
            )
        commits = repo.branches.get(branch) or repo.branches.get("main") or []
        if commits and (commits[-1].model, commits[-1].files) != wanted and not to.replace:
            raise Rejected(
                f"{to.repo} holds {commits[-1].model}, not {wanted[0]} in this form.",
                fix="Choose another repository, or let it be replaced (replace=True, --replace).",
                backend=self.name,
            )
