"""What OpenAI's graders have in common: their JSON is taken as it is, templates are filled in, a reward becomes a score.

Beside their own keys they take `pass_threshold`, as OpenAI's Evals do: the score is 1 from there on, 0 below.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import BaseModel

from anytune.data.graders import judge_grader
from anytune.errors import ConfigError
from anytune.evaluation.graders.base import Grader
from anytune.evaluation.graders.compared import missing
from anytune.evaluation.graders.templates import MissingValue, Scene
from anytune.evaluation.values import Grade

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.evaluation.values import Case, Sample

__all__ = ["Reward", "Shaped", "Ungraded", "bounds_of", "model_of", "summed", "threshold_of"]

_Model = TypeVar("_Model", bound=BaseModel)
_PAIR = 2


@dataclass(frozen=True)
class Reward:
    """What a grader gives, in its own range.

    Attributes:
        value: The number.
        note, parts, usage: As in `Grade`.
    """

    value: float
    note: str = ""
    parts: dict[str, float] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)


class Ungraded(Exception):
    """Nothing can be said of this answer; the text says why. `usage` are the tokens that it took."""

    def __init__(self, why: str, usage: dict[str, Any] | None = None) -> None:
        """Keep what it took."""
        super().__init__(why)
        self.usage = usage or {}


class Shaped(Grader):
    """A grader in OpenAI's shape.

    Args:
        name: What the spec calls it.
        bounds: Lowest and highest reward: scores are its place between them.
        threshold: From which reward on an answer passes; None gives the score itself.
    """

    beside: ClassVar[tuple[str, ...]] = ("pass_threshold",)
    """Keys that are taken beside those of OpenAI's schema."""

    def __init__(self, name: str, *, bounds: tuple[float, float] = (0.0, 1.0), threshold: float | None = None) -> None:
        """Keep what makes a score of a reward."""
        self.name = name
        self._low, self._high = bounds
        self._threshold = threshold

    @property
    def binary(self) -> bool:
        """Right or wrong where there is a threshold."""
        return self._threshold is not None

    def grade(self, case: Case, sample: Sample) -> Grade:
        """Find the reward, and its place between the lowest and the highest one."""
        try:
            reward = self.reward(Scene(case, sample))
        except MissingValue as error:
            return missing(error)
        except Ungraded as error:
            return Grade(score=None, error=str(error), usage=error.usage)
        if not self._low <= reward.value <= self._high:
            words = f"the reward {reward.value:g} is not between {self._low:g} and {self._high:g}: give the grader its `range`"
            return Grade(score=None, error=words, note=reward.note, usage=reward.usage)
        share = (reward.value - self._low) / (self._high - self._low)
        parts = reward.parts if self._threshold is None else {**reward.parts, "share": share}
        score = share if self._threshold is None else float(reward.value >= self._threshold)
        return Grade(score=score, note=reward.note, parts=parts, usage=reward.usage)

    @abstractmethod
    def reward(self, scene: Scene) -> Reward:
        """Give the reward of an answer.

        Raises:
            MissingValue: A template names what is not there.
            Ungraded: Nothing can be said.
        """


def model_of(shape: type[_Model], raw: Mapping[str, Any], beside: tuple[str, ...]) -> _Model:
    """Check a definition as it is checked before reinforcement tuning, and read it.

    Args:
        shape: Its schema.
        raw: The definition.
        beside: Keys that are not the schema's.

    Raises:
        ConfigError: A key is missing, unknown or wrong, or a template or formula cannot work; the first of them is named.
    """
    definition = {key: value for key, value in raw.items() if key not in beside}
    wrong = next((each for each in judge_grader(definition, labels=True) if each.severity == "error"), None)
    if wrong is not None:
        raise ConfigError(wrong.message.replace("`grader.", "`"), fix=wrong.fix)
    return shape.model_validate(definition)


def threshold_of(raw: Mapping[str, Any]) -> float | None:
    """Give `pass_threshold`.

    Raises:
        ConfigError: It is no number.
    """
    found = raw.get("pass_threshold")
    if found is None:
        return None
    if not _number(found):
        raise ConfigError("`pass_threshold` is no number.", fix="Give the reward from which on an answer passes.")
    return float(found)


def bounds_of(raw: Mapping[str, Any]) -> tuple[float, float]:
    """Give `range`, 0 to 1 by default.

    Raises:
        ConfigError: It is no pair of rising numbers.
    """
    found = raw.get("range", [0, 1])
    if not (isinstance(found, (list, tuple)) and len(found) == _PAIR and all(_number(each) for each in found) and found[0] < found[1]):
        raise ConfigError("`range` is no pair of rising numbers.", fix="Give the lowest and the highest reward, such as [0, 10].")
    return float(found[0]), float(found[1])


def summed(*usages: Mapping[str, Any]) -> dict[str, Any]:
    """Add up tokens: numbers under the same name, also inside of details.

    Example:
        >>> summed({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1}}, {"prompt_tokens": 4})
        {'prompt_tokens': 7, 'prompt_tokens_details': {'cached_tokens': 1}}
    """
    total: dict[str, Any] = {}
    for usage in usages:
        for name, value in usage.items():
            if isinstance(value, dict):
                total[name] = summed(total.get(name) or {}, value)
            elif _number(value):
                total[name] = total.get(name, 0) + value
    return total


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
