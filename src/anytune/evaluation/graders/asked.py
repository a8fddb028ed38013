"""OpenAI's graders that ask a model: `score_model` for a number, `label_model` for one of several labels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Self

from anytune.data import graders as shapes
from anytune.evaluation.graders import replies
from anytune.evaluation.graders.panel import Panel
from anytune.evaluation.graders.shaped import Reward, Shaped, Ungraded, model_of, threshold_of
from anytune.evaluation.graders.templates import Template

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from anytune.evaluation.graders.base import Desk
    from anytune.evaluation.graders.templates import Scene

__all__ = ["LabelModel", "ScoreModel"]

_NOTE = 500
_SENT_AS = {"max_completions_tokens": "max_completion_tokens"}
"""OpenAI's graders spell it with one s more than its chat completions."""


class _Asking(Shaped):
    """Asks with the definition's messages."""

    def __init__(self, shape: shapes.ScoreModel | shapes.LabelModel, panel: Panel, wished: dict[str, Any], **more: Any) -> None:
        super().__init__(shape.name, **more)
        self._panel = panel
        self._wished = wished
        self._messages = [(message.role, _pieces(message, f"input.{at}")) for at, message in enumerate(shape.input)]
        self._params: dict[str, Any] = {}

    def said(self, scene: Scene) -> tuple[str, dict[str, Any]]:
        """Ask, and give the reply with its tokens."""
        messages = [{"role": _role(role), "content": _content(pieces, scene)} for role, pieces in self._messages]
        return self._panel.ask(replies.with_form(messages, self._wished), self._wished, self._params)


class ScoreModel(_Asking):
    """Asks a model for a number within `range`."""

    type: ClassVar[str] = "score_model"

    def __init__(self, shape: shapes.ScoreModel, threshold: float | None, panel: Panel) -> None:
        """Prepare the messages."""
        low, high = shape.range or (0.0, 1.0)
        super().__init__(shape, panel, replies.score_shape(low, high), bounds=(low, high), threshold=threshold)
        sampling = shape.sampling_params.model_dump(exclude_none=True) if shape.sampling_params else {}
        self._params = {_SENT_AS.get(name, name): value for name, value in sampling.items()}

    @classmethod
    def parsed(cls, raw: Mapping[str, Any], desk: Desk) -> Self:
        """Check the definition by OpenAI's schema, and its model against the spec's."""
        shape = model_of(shapes.ScoreModel, raw, cls.beside)
        return cls(shape, threshold_of(raw), Panel(desk, shape.model))

    def reward(self, scene: Scene) -> Reward:
        """Ask for the number."""
        text, usage = self.said(scene)
        try:
            score, reason = replies.number_of(text, self._low, self._high)
        except replies.Unreadable as error:
            raise Ungraded(f"the grading model's reply cannot be read: {error}", usage) from None
        return Reward(score, note=reason[:_NOTE], usage=usage)


class LabelModel(_Asking):
    """Asks a model for one of `labels`: right where it is one of `passing_labels`."""

    type: ClassVar[str] = "label_model"
    beside: ClassVar[tuple[str, ...]] = ()

    def __init__(self, shape: shapes.LabelModel, panel: Panel) -> None:
        """Prepare the messages."""
        super().__init__(shape, panel, replies.choice_shape("label", shape.labels))
        self._labels = {label.strip().casefold(): label in shape.passing_labels for label in shape.labels}

    @classmethod
    def parsed(cls, raw: Mapping[str, Any], desk: Desk) -> Self:
        """Check the definition by OpenAI's schema, and its model against the spec's."""
        shape = model_of(shapes.LabelModel, raw, cls.beside)
        return cls(shape, Panel(desk, shape.model))

    @property
    def binary(self) -> bool:
        """Right or wrong."""
        return True

    def reward(self, scene: Scene) -> Reward:
        """Ask for the label."""
        text, usage = self.said(scene)
        try:
            label, reason = replies.field_of(text, "label")
        except replies.Unreadable:
            label, reason = text, ""
        passes = self._labels.get(str(label).strip().casefold())
        if passes is None:
            raise Ungraded("the grading model's reply is none of the labels", usage)
        return Reward(float(passes), note=reason[:_NOTE], usage=usage)


_Pieces = list[tuple[str, Template]]


def _pieces(message: shapes.GraderMessage, key: str) -> _Pieces:
    parts: Iterable[Any] = message.content if isinstance(message.content, list) else (message.content,)
    return [_piece(part, f"{key}.content") for part in parts]


def _piece(part: Any, key: str) -> tuple[str, Template]:
    if isinstance(part, str):
        return "text", Template(part, key)
    if part.type == "input_image":
        return "image_url", Template(part.image_url, key)
    return "text", Template(part.text, key)


def _content(pieces: _Pieces, scene: Scene) -> str | list[dict[str, Any]]:
    filled = [(kind, template.fill(scene)) for kind, template in pieces]
    if all(kind == "text" for kind, _ in filled):
        return "\n\n".join(text for _, text in filled)
    return [{"type": kind, kind: text if kind == "text" else {"url": text}} for kind, text in filled]


def _role(role: str) -> str:
    return "system" if role == "developer" else role  # hosts beside OpenAI know no developer
