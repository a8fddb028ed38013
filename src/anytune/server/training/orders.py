"""What an order means to whoever trains: what of OpenAI's body is refused here, and how the rest becomes a `TrainingSpec`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.data.graders import Python, judge_grader
from anytune.methods import DPO, RFT, SFT, Hyperparameters
from anytune.server.book.events import News
from anytune.server.config import Target
from anytune.server.errors import ApiError
from anytune.server.shapes.orders import JobOrder, JoinedGraders, ReinforcementMethod
from anytune.spec import TrainingSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic import BaseModel

    from anytune.server.book.rows import JobRow

__all__ = ["METHODS", "body_of", "defaults", "first_news", "refuse_unserved", "spec_of"]

METHODS: dict[str, type[SFT | DPO | RFT]] = {"supervised": SFT, "dpo": DPO, "reinforcement": RFT}
"""OpenAI's words for the methods, with anytune's."""


def refuse_unserved(order: JobOrder) -> None:
    """Refuse what OpenAI's description allows and this server does not do.

    Raises:
        ApiError: 400, with the reason.
    """
    if order.integrations:
        said = (
            "`integrations` is not served: no job here reports to an account that a request names. Leave it out; the owner of this server "
            "can set a tracker as `report_to` of the model."
        )
        raise ApiError(400, said, code="integrations_not_supported", param="integrations")
    if order.method is None or order.method_type != "reinforcement":
        return
    where = "method.reinforcement.grader"
    if order.method.reinforcement is None:
        raise ApiError(400, f"Missing required parameter: '{where}'.", code="missing_required_parameter", param=where)
    grader = order.method.reinforcement.grader
    if any(isinstance(each, Python) for each in _graders(grader)):
        said = "A python grader is refused: this server takes no code from requests. Use string_check, text_similarity or score_model."
        raise ApiError(400, said, code="python_grader_refused", param=where)
    worst = next((each for each in judge_grader(grader.model_dump(exclude_unset=True)) if each.severity == "error"), None)
    if worst is not None:
        raise ApiError(400, f"{worst.message} {worst.fix}".strip(), code="invalid_grader", param=where)


def body_of(order: JobOrder) -> dict[str, Any]:
    """Give an order as it was sent, for the book.

    Raises:
        ApiError: 400: a text holds U+0000, which databases do not take.
    """
    found = order.model_dump(exclude_unset=True)
    if any("\0" in text for text in _texts(found)):
        raise ApiError(400, "A text in the body holds the character U+0000. Remove it.", code="invalid_value")
    return found


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _texts(inner)


def _graders(grader: BaseModel) -> list[object]:
    if not isinstance(grader, JoinedGraders):
        return [grader]
    return list(grader.graders.values()) if isinstance(grader.graders, dict) else [grader.graders]


def spec_of(order: JobRow, files: Mapping[str, Path], backend: str) -> TrainingSpec:
    """Translate an order.

    Args:
        order: The row in the book.
        files: Where its files lie, by role (`train`, `validation`).
        backend: The backend's word.

    Raises:
        ConfigError: A setting of the model's entry in the server's configuration is wrong.
    """
    asked, target = JobOrder.model_validate(order.request), Target(**order.target)
    given: dict[str, Any] = {"backend": backend, "model": target.model or order.model, "name": order.id.removeprefix("ftjob-")}
    if target.adapter is not None:
        given["adapter"] = target.adapter
    if target.budget is not None:
        given["budget"] = target.budget
    if "validation" in files:
        given["validation"] = files["validation"]
    return TrainingSpec(**given, train=files["train"], method=_method(asked, target))


def _method(asked: JobOrder, target: Target) -> SFT | DPO | RFT:
    cls = METHODS[asked.method_type]
    said = {_name(cls, name): value for name, value in asked.settings.items() if value not in {"auto", "default"}}
    chosen = defaults(cls, target) | said
    if _multiplies(asked, target):
        chosen["learning_rate"] = chosen["learning_rate"] * chosen.pop("learning_rate_multiplier")
    if asked.seed is not None:
        chosen["seed"] = asked.seed
    if isinstance(asked.section, ReinforcementMethod):
        chosen["grader"] = asked.section.grader.model_dump(mode="json", exclude_unset=True)
    return cls(**chosen)


def _multiplies(asked: JobOrder, target: Target) -> bool:
    """Tell whether the multiplier is one of a rate that the server's owner set."""
    rate = defaults(METHODS[asked.method_type], target).get("learning_rate")
    return isinstance(rate, (int, float)) and asked.settings["learning_rate_multiplier"] != "auto"


def _name(cls: type[Hyperparameters], name: str) -> str:
    return cls.aliases.get(name, name)


def defaults(cls: type[Hyperparameters], target: Target) -> dict[str, Any]:
    """Give the settings of a model's entry that a method has, by their right names."""
    return {name: value for key, value in target.hyperparameters.items() if (name := _name(cls, key)) in cls.model_fields}


def first_news(order: JobRow) -> list[News]:
    """Give what is told of an order before anything is done about it: that it was taken, by whom it is trained, and what was not heeded."""
    asked, target = JobOrder.model_validate(order.request), Target(**order.target)
    news = [News(message=f"Created fine-tuning job: {order.id}", origin="created")]
    if order.model.startswith("ft:"):
        news.append(News(message=f"Training goes on from {order.model}.", origin="continued"))
    elif target.model is not None and target.model != order.model:
        news.append(News(message=f"{order.model} is trained here as {_shown(target.model)} by {target.backend}.", origin="mapped"))
    if _multiplies(asked, target):
        said = "learning_rate_multiplier multiplies the learning_rate that this server's owner set."
        news.append(News(message=said, origin="rate"))
    idle = asked.method and next((name for name in METHODS if name != asked.method_type and getattr(asked.method, name) is not None), None)
    if idle:
        said = f"method.{idle} is not used: the method is {asked.method_type}."
        news.append(News(message=said, level="warn", origin="idle-method"))
    if asked.hyperparameters is not None and asked.section is not None:
        news.append(News(message="hyperparameters is not used: method has its own.", level="warn", origin="idle-hyperparameters"))
    return news


def _shown(model: str) -> str:
    """Name a model, and of one that lies in a folder the folder's name alone: where it lies is nobody else's business."""
    parts = model.rstrip("/").split("/")
    return model if len(parts) <= 2 and not model.startswith(("/", ".", "~")) else parts[-1]  # noqa: PLR2004 - owner/name of the Hub
