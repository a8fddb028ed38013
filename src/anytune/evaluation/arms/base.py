"""The contract of an arm: a case in, and out what is asked of a model for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anytune.evaluation.values import Answer, Case

__all__ = ["Arm", "Ask", "Asking", "Message", "Silent"]

Message = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """One question, as it goes out.

    Attributes:
        messages: In OpenAI's shape.
        tools: Tools that may be called; None where the row has none.
        params: What is sent beside them.
    """

    messages: list[Message]
    tools: list[dict[str, Any]] | None = None
    params: dict[str, Any] = field(default_factory=dict)


class Arm(ABC):
    """One way to get answers. Threads may use it at once.

    Attributes:
        name: What the spec calls it.
        what: In words what it does.
        model: Key of the endpoint that it asks; None where it asks nobody.
    """

    name: str
    what: str
    model: str | None = None


class Silent(Arm):
    """An arm that asks nobody."""

    @abstractmethod
    def answered(self, case: Case, repeat: int) -> Answer:
        """Give its answer to a case."""


class Asking(Arm):
    """An arm that asks a model.

    Attributes:
        model: Key of the endpoint: a name in `models`, and `name@step` for one of several checkpoints.
        target: What that name stands for, as canonical JSON: the same name for another model is another question.
        series: Empty, or a word that tells this arm's questions from the same questions of another arm.
        params: What is sent with each question.
    """

    model: str
    target: str
    series: str = ""

    def __init__(self, name: str, *, model: str, target: str, params: dict[str, Any]) -> None:
        """Keep whom to ask, and how."""
        self.name, self.model, self.target, self.params = name, model, target, params

    def ask(self, case: Case) -> Ask:
        """Give what is asked for a case."""
        return Ask(self.messages(case), list(case.tools) if case.tools else None, self.params)

    @abstractmethod
    def messages(self, case: Case) -> list[Message]:
        """Give the messages that are asked for a case."""
