"""Routes: models that a caller may ask, train further or delete."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from anyio import to_thread
from fastapi import APIRouter
from pydantic import BaseModel

from anytune.errors import NotFound, Unsupported
from anytune.model import TunedModel
from anytune.server.errors import ApiError, unknown_model
from anytune.server.house import Asked, Inside
from anytune.server.shapes.names import parted

if TYPE_CHECKING:
    from anytune.server.book.rows import JobRow
    from anytune.server.house import House

__all__ = ["Deleted", "Model", "ModelList", "router"]

router = APIRouter(tags=["models"])

_STARTED = int(time.time())


class Model(BaseModel):
    """A model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str


class ModelList(BaseModel):
    """Models."""

    object: Literal["list"] = "list"
    data: list[Model]


class Deleted(BaseModel):
    """A model that is gone."""

    id: str
    object: Literal["model"] = "model"
    deleted: Literal[True] = True


@router.get("/models")
def list_models(house: Inside, caller: Asked) -> ModelList:
    """List the base models that are offered, and the caller's tuned models."""
    offered = [_base(name) for name in house.offers.names()]
    return ModelList(data=[*offered, *(_tuned(row) for row in house.book.jobs.models(caller.sees))])


@router.get("/models/{model:path}")
def retrieve_model(model: str, house: Inside, caller: Asked) -> Model:
    """Show one model."""
    row = house.book.jobs.by_model(model, caller.sees)
    if row is not None:
        return _tuned(row)
    if model in house.offers.names():
        return _base(model)
    house.pool.names.look(caller, model)
    return _base(model)


@router.delete("/models/{model:path}")
async def delete_model(model: str, house: Inside, caller: Asked) -> Deleted:
    """Delete a tuned model with its weights, for good; its engine is ended first."""
    row = await to_thread.run_sync(lambda: house.book.jobs.by_model(model, caller.sees))
    if row is None:
        if model in house.offers.names():
            raise ApiError(403, f"`{model}` is a base model that this server offers; only tuned models are deleted.", param="model")
        raise unknown_model(model)
    await to_thread.run_sync(_unneeded, house, model)
    ids = {model} if row.model_ref is None else {row.model_ref.id}
    house.pool.names.forget(model)
    try:
        await asyncio.shield(house.pool.forget(model, ids))
        await to_thread.run_sync(_gone, house, row)
    except BaseException:
        house.pool.names.keep(model)
        raise
    return Deleted(id=model)


def _unneeded(house: House, model: str) -> None:
    """Refuse to delete what an order still trains from.

    Raises:
        ApiError: 409: one does.
    """
    waiting = house.book.jobs.in_stage("received", "checked", "submitted")
    if any(model == parted(row.model)[0] for row in waiting):
        raise ApiError(409, f"The model `{model}` is trained further by a job that has not ended; cancel that first.", param="model")


def _gone(house: House, row: JobRow) -> None:
    """Delete the weights, then say so in the book: who is killed in between finds the model listed, and deletes it again."""
    if row.model_ref is not None:
        backend = house.offers.backend(row.backend)
        tuned = TunedModel(row.model_ref, backend=row.backend, context=house.context)
        if "delete_model" in backend.capabilities.abilities:
            with suppress(NotFound, Unsupported):
                tuned.delete()
    house.book.jobs.change(row.id, model_deleted=True)


def _base(name: str) -> Model:
    return Model(id=name, created=_STARTED, owned_by="system")


def _tuned(row: JobRow) -> Model:
    return Model(id=str(row.fine_tuned_model), created=int((row.finished_at or row.created_at).timestamp()), owned_by=row.owner)
