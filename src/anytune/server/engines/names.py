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
from anytune.server.training.names import parted
from anytune.values import ModelRef, Value

if TYPE_CHECKING:
    from anytune.server.book.rows import JobRow
    from anytune.server.house import Caller, House

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
    """Names that were looked up already."""

    def __init__(self) -> None:
        """Know nothing yet."""
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

    def look(self, house: House, caller: Caller, name: str) -> Lead:
        """Look a name up in the configuration and the book. Blocks.

        Raises:
            ApiError: 404: it leads nowhere, for this caller.
        """
        if len(name) > _LONGEST:
            raise unknown_model(name[:64])
        lead = _base(house, name) if name in house.config.models else self._tuned(house, caller, name) or _base(house, name)
        if parted(name)[0] in self._gone:
            raise unknown_model(name)
        if len(self._known) >= _KEPT:
            self._known.clear()
        self._known[caller.sees, name] = lead
        return lead

    def _tuned(self, house: House, caller: Caller, name: str) -> Lead | None:
        made, step = parted(name)
        row = house.book.jobs.by_model(made, caller.sees)
        if row is None or row.model_ref is None:
            return None
        model = row.model_ref if step is None else _checkpoint(house, row, row.model_ref, step)
        if model is None:
            raise unknown_model(name)
        return _tuned_lead(house, row, name, model)

    def of(self, house: House, row: JobRow) -> Lead | None:
        """Give what an order's model leads to; None where it has none, or that is being deleted. Blocks."""
        name = row.fine_tuned_model
        return None if name is None or name in self._gone or row.model_ref is None else _tuned_lead(house, row, name, row.model_ref)


def _tuned_lead(house: House, row: JobRow, name: str, model: ModelRef) -> Lead:
    kept, now = Target.model_validate(row.target), _offered(house, row.model)
    hosting = now if now is not None and now.backend == kept.backend else kept
    lead = Lead(
        name=name,
        backend=kept.backend or house.config.backend,
        model=model,
        job_id=row.ledger_id,
        deploy=hosting.deploy,
        options=hosting.deploy_options,
    )
    return lead.model_copy(update={"base": _shared(house, lead, kept)})


def _base(house: House, name: str) -> Lead:
    if name.startswith("ft:") and name not in house.config.models:  # a provider's id of a model that is somebody's
        raise unknown_model(name)
    target = house.offers.target(name)
    if not target.chat:
        raise ApiError(400, f"The model `{name}` is only trained here; ask a model that was tuned from it.", param="model")
    model = ModelRef(id=target.model or name)
    lead = Lead(
        name=name, backend=target.backend or house.config.backend, model=model, deploy=target.deploy, options=target.deploy_options
    )  # fmt: skip
    shares = "adapters" in house.offers.backend(lead.backend).capabilities.abilities
    return lead.model_copy(update={"base": model}) if shares else lead


def _offered(house: House, name: str) -> Target | None:
    try:
        return house.offers.target(name)
    except ApiError:
        return None


def _shared(house: House, lead: Lead, target: Target) -> ModelRef | None:
    """Give the base whose engine a tuned model can share, where its weights are an adapter."""
    if target.model is None or "adapters" not in house.offers.backend(lead.backend).capabilities.abilities:
        return None
    if lead.model.base_model not in {None, target.model} or lead.model.missing:
        return None  # it was trained on from another tuned model
    adapter = "adapter" in lead.model.artifacts or (Path(lead.model.id) / "adapter_config.json").is_file()
    return ModelRef(id=target.model) if adapter else None


def _checkpoint(house: House, row: JobRow, made: ModelRef, step: int) -> ModelRef | None:
    if row.ledger_id is None:
        return None
    job = FineTuneJob.get(row.ledger_id, context=house.context)
    found = next((point for point in job.checkpoints() if point.step == step), None)
    return None if found is None else ModelRef(id=found.model, base_model=made.base_model)
