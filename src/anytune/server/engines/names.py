"""Where a model's name leads to: a base model that is offered, a tuned model of the caller's, or a checkpoint of one.

Who asked once is not looked up again: what a name leads to changes only when its model is deleted, and that is said here.
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from anytune.job import FineTuneJob
from anytune.server.config import Target
from anytune.server.errors import ApiError, unknown_model
from anytune.server.shapes.names import parted
from anytune.values import ModelRef, Value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.server.book import Book
    from anytune.server.book.rows import JobRow
    from anytune.server.house import Caller
    from anytune.server.training.offers import Offers

__all__ = ["Lead", "Names"]

_LONGEST = 512
_KEPT = 4096


class Lead(Value):
    """Where a name leads to.

    Attributes:
        name: As it was asked for.
        backend: Who hosts it.
        model: What answers.
        base: The base model whose engine it can share as an adapter; None where it has an engine of its own.
        job_id: The ledger's job that made it.
        deploy: Whether a host may be started for it; None: where an hour costs nothing.
        options: The backend's own words for a host.
    """

    name: str
    backend: str
    model: ModelRef
    base: ModelRef | None = None
    job_id: str | None = None
    deploy: bool | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @cached_property
    def alone(self) -> str:
        """The key of an engine of its own: the same model, hosted the same way."""
        return _digest(self.backend, self.model.id, self.options)

    @cached_property
    def key(self) -> str:
        """The key of the engine that shall answer."""
        return self.alone if self.base is None else _digest(self.backend, self.base.id, self.options)


def _digest(backend: str, model: str, options: dict[str, Any]) -> str:
    said = json.dumps([backend, model, options], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


class Names:
    """Names, and where those lead to that were looked up already.

    Args:
        book: Tuned models.
        offers: Base models.
    """

    def __init__(self, book: Book, offers: Offers) -> None:
        """Know nothing yet."""
        self.book, self.offers = book, offers
        self._known: dict[tuple[str | None, str], Lead] = {}
        self._gone: set[str] = set()

    def known(self, caller: Caller, name: str) -> Lead | None:
        """Give what a name leads to, where it was looked up before."""
        return self._known.get((caller.sees, name))

    def forget(self, name: str) -> None:
        """Look a tuned model and its checkpoints up no more: it is being deleted."""
        self._gone.add(name)
        self._known = {key: lead for key, lead in self._known.items() if parted(key[1])[0] != name}

    def keep(self, name: str) -> None:
        """Take a name back: its model was not deleted after all."""
        self._gone.discard(name)

    def look(self, caller: Caller, name: str) -> Lead:
        """Look a name up in the configuration and the book. Blocks.

        Raises:
            ApiError: 404: it leads nowhere, for this caller.
        """
        if len(name) > _LONGEST:
            raise unknown_model(name)
        lead = self._base(name) if name in self.offers.config.models else self._tuned(caller, name) or self._base(name)
        if parted(name)[0] in self._gone:
            raise unknown_model(name)
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[caller.sees, name] = lead
        return lead

    def sharing(self, key: str) -> Iterator[Lead]:
        """Give the tuned models that can share an engine, of all owners, the newest first. Blocks."""
        for row in reversed(self.book.jobs.models(None)):
            if row.fine_tuned_model is None or row.model_ref is None or row.fine_tuned_model in self._gone:
                continue
            lead = self._lead(row, row.fine_tuned_model, row.model_ref)
            if lead.key == key:
                yield lead

    def _tuned(self, caller: Caller, name: str) -> Lead | None:
        made, step = parted(name)
        row = self.book.jobs.by_model(made, caller.sees)
        if row is None or row.model_ref is None:
            return None
        model = row.model_ref if step is None else self._checkpoint(row, row.model_ref, step)
        if model is None:
            raise unknown_model(name)
        return self._lead(row, name, model)

    def _lead(self, row: JobRow, name: str, model: ModelRef) -> Lead:
        kept, now = Target.model_validate(row.target), self._offered(row.model)
        hosting = now if now is not None and now.backend == kept.backend else kept
        lead = Lead(
            name=name, backend=row.backend, model=model, job_id=row.ledger_id, deploy=hosting.deploy, options=hosting.deploy_options
        )
        return lead.model_copy(update={"base": self._shared(lead, kept)})

    def _base(self, name: str) -> Lead:
        if name.startswith("ft:") and name not in self.offers.config.models:  # a provider's id of a model that is somebody's
            raise unknown_model(name)
        target = self.offers.target(name)
        if not target.chat:
            raise ApiError(400, f"The model `{name}` is only trained here; ask a model that was tuned from it.", param="model")
        model = ModelRef(id=str(target.model))
        lead = Lead(name=name, backend=str(target.backend), model=model, deploy=target.deploy, options=target.deploy_options)
        return lead.model_copy(update={"base": model}) if self._shares(lead.backend) else lead

    def _offered(self, name: str) -> Target | None:
        try:
            return self.offers.target(name)
        except ApiError:
            return None

    def _shares(self, backend: str) -> bool:
        return "adapters" in self.offers.backend(backend).capabilities.abilities

    def _shared(self, lead: Lead, target: Target) -> ModelRef | None:
        """Give the base whose engine a tuned model can share, where its weights are an adapter."""
        if target.model is None or not self._shares(lead.backend):
            return None
        if lead.model.base_model not in {None, target.model} or lead.model.missing:
            return None  # it was trained on from another tuned model
        adapter = "adapter" in lead.model.artifacts or (Path(lead.model.id) / "adapter_config.json").is_file()
        return ModelRef(id=target.model) if adapter else None

    def _checkpoint(self, row: JobRow, made: ModelRef, step: int) -> ModelRef | None:
        if row.ledger_id is None:
            return None
        job = FineTuneJob.get(row.ledger_id, context=self.offers.context)
        found = next((point for point in job.checkpoints() if point.step == step), None)
        return None if found is None else ModelRef(id=found.model, base_model=made.base_model)
