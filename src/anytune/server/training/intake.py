"""From what a client orders to a row in the book: files, model and method are looked at, and where the model's name leads to is kept."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from anytune.server.config import Target
from anytune.server.errors import ApiError
from anytune.server.shapes.names import parted
from anytune.server.training.orders import METHODS, body_of, first_news, refuse_unserved

if TYPE_CHECKING:
    from anytune.backend import Backend
    from anytune.server.book.rows import JobRow
    from anytune.server.house import Caller, House
    from anytune.server.shapes.orders import JobOrder

__all__ = ["take"]

_SEEDS = 2**31
_SHOWN = 20
"""Names of models that an error lists."""


def take(house: House, caller: Caller, order: JobOrder, *, idempotency_key: str | None, repeated: bool) -> JobRow:
    """Take an order, or give the one that was taken when the client sent it before.

    Args:
        house: The server.
        caller: Who orders.
        order: What.
        idempotency_key: The client's word for this very order.
        repeated: The client says that it tries again.

    Raises:
        ApiError: It cannot be done, and why.
    """
    refuse_unserved(order)
    request = body_of(order)
    taken = house.book.jobs.taken(caller.owner, request, idempotency_key=idempotency_key, repeated=repeated)
    if taken is not None:
        return taken
    _check_file(house, caller, order.training_file, "training_file")
    if order.validation_file is not None:
        _check_file(house, caller, order.validation_file, "validation_file")
    target = _target(house, caller, order)
    row, new = house.book.jobs.add(
        caller.owner,
        request,
        order.model,
        target.model_dump(mode="json", exclude_none=True),
        idempotency_key=idempotency_key,
        repeated=repeated,
        at_most=caller.live_jobs,
        first=first_news,
    )
    if new:
        house.runner.wake()
    return row


def _check_file(house: House, caller: Caller, file_id: str, param: str) -> None:
    try:
        file = house.book.files.get(file_id, caller.sees)
    except ApiError as error:
        raise ApiError(400, f"invalid {param}: {file_id[:128]}", param=param) from error
    if file.purpose != "fine-tune":
        said = f"invalid {param}: {file_id} has the purpose {file.purpose!r}. Upload the data with the purpose 'fine-tune'."
        raise ApiError(400, said, param=param)
    if file.expires_at is not None and file.expires_at <= house.book.clock():
        raise ApiError(400, f"invalid {param}: {file_id} has expired. Upload it again.", param=param)


def _target(house: House, caller: Caller, order: JobOrder) -> Target:
    """Find what is trained: a model that is offered, or one that the caller's own job has made."""
    tuned = None if order.model in house.config.models else house.book.jobs.by_model(parted(order.model)[0], caller.sees)
    target = _offered(house, order.model) if tuned is None else _continued(house, caller, order.model, tuned)
    backend = house.offers.backend(str(target.backend))
    able = backend.capabilities
    if METHODS[order.method_type].model_fields["type"].default not in able.methods:
        words = [word for word, cls in METHODS.items() if cls.model_fields["type"].default in able.methods]
        said = f"The method {order.method_type!r} is not available for {order.model}. Available: {', '.join(words)}."
        raise ApiError(400, said, code="method_not_available", param="method.type")
    return _seeded(target, order, backend)


def _offered(house: House, name: str) -> Target:
    try:
        target = house.offers.target(name)
    except ApiError as error:
        raise _not_tunable(house, name) if error.status == 404 else error from error  # noqa: PLR2004 - HTTP
    if not target.train:
        raise _not_tunable(house, name)
    return target


def _continued(house: House, caller: Caller, name: str, tuned: JobRow) -> Target:
    target = Target(**tuned.target)
    if "continue" not in house.offers.backend(str(target.backend)).capabilities.abilities:
        said = f"The model {name[:128]} cannot be trained further here. Start from a base model."
        raise ApiError(400, said, code="model_not_available", param="model")
    model = house.pool.names.look(caller, name).model
    seedless = {key: value for key, value in target.hyperparameters.items() if key != "seed"}
    return target.model_copy(update={"model": model.id, "hyperparameters": seedless})


def _seeded(target: Target, order: JobOrder, backend: Backend) -> Target:
    """Draw a seed where none was said, as OpenAI does, so that the run can be repeated."""
    if order.seed is not None or {"seed", "random_seed"} & target.hyperparameters.keys() or "seed" not in backend.capabilities.settings:
        return target
    return target.model_copy(update={"hyperparameters": {**target.hyperparameters, "seed": secrets.randbelow(_SEEDS)}})


def _not_tunable(house: House, name: str) -> ApiError:
    models = house.config.models
    offered = [each for each in house.offers.names() if each not in models or models[each].train]
    there = f" There is: {', '.join(offered[:_SHOWN])}." if offered else ""
    said = f"Model {name[:128]} is not available for fine-tuning or does not exist.{there}"
    return ApiError(400, said, code="model_not_available", param="model")
