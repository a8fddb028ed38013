"""The contract of a grader: one answer in, one score from 0 to 1 out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import PrivateAttr

from anytune.errors import AuthError, ConfigError, NotFound, QuotaExceeded
from anytune.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from anytune.evaluation.values import Case, Grade, Sample
    from anytune.infer import Endpoint

__all__ = ["HOPELESS", "Desk", "Grader", "Keyed"]

HOPELESS = (AuthError, NotFound, QuotaExceeded)
"""What every other question to a grading model would meet too: the run ends, and goes on from its answers once that is mended."""


def _nobody(word: str) -> Endpoint:
    raise ConfigError(f"There is no model {word!r}.", fix="Give `Desk` an `endpoint`.")


@dataclass(frozen=True)
class Desk:
    """What graders may work with.

    Attributes:
        endpoint: Gives the endpoint of one of the spec's `models`, for graders that ask a model; by default there is none.
        scratch: A folder for caches of grades that cost money.
        folder: Folder of the spec: paths in graders are relative to it.
        models: Words that `endpoint` knows, so that a wrong one is refused before anything is asked; None where they are not known yet.
    """

    endpoint: Callable[[str], Endpoint] = _nobody
    scratch: Path = Path("scratch")
    folder: Path = Path()
    models: frozenset[str] | None = None


class Grader(ABC):
    """Says how good an answer is. Threads may call `grade` at once.

    Attributes:
        type: The word in a spec that means this grader.
        name: What the spec calls it.
    """

    type: ClassVar[str]
    name: str

    @property
    def binary(self) -> bool:
        """Every score is 0 or 1: right or wrong."""
        return False

    @classmethod
    @abstractmethod
    def parsed(cls, raw: Mapping[str, Any], desk: Desk) -> Self:
        """Make the grader that a spec defines. Whatever can be found wrong is found here, before anything is asked.

        Args:
            raw: The definition with `type` and `name`, both of which are there.
            desk: What it may work with.

        Raises:
            ConfigError: A key is missing, unknown or wrong; the text names it.
        """

    @abstractmethod
    def grade(self, case: Case, sample: Sample) -> Grade:
        """Grade one answer. What cannot be graded gets a `Grade` with its `error` and no score; no answer makes it raise."""

    def agreement(self, cases: Sequence[Case]) -> dict[str, Any]:
        """Say how far the grader agrees with people, where the spec gives their labels; empty otherwise.

        Args:
            cases: The cases that were graded: labels are found by their `id` or `row`.
        """
        del cases
        return {}

    def close(self) -> None:  # noqa: B027 - most graders open nothing
        """Give back what was opened."""


class Keyed(Settings, Grader):
    """A grader whose fields are its keys in the spec.

    Attributes:
        name: What the spec calls it.

    Example:
        >>> from typing import ClassVar
        >>> from anytune.evaluation.values import Case, Grade, Sample
        >>> class Short(Keyed):
        ...     type: ClassVar[str] = "short"
        ...     most: int = 80
        ...     def grade(self, case: Case, sample: Sample) -> Grade:
        ...         return Grade(score=float(len(sample.text) <= self.most))
        >>> Short(name="short", most=3).grade(Case(id="", row=1, messages=()), Sample(text="yes")).score
        1.0
    """

    name: str
    _desk: Desk | None = PrivateAttr(default=None)

    @classmethod
    def parsed(cls, raw: Mapping[str, Any], desk: Desk) -> Self:
        """Take every key but `type` as a field, then `prepare`."""
        grader = cls(**{key: value for key, value in raw.items() if key != "type"})
        grader._desk = desk
        grader.prepare(desk)
        return grader

    def prepare(self, desk: Desk) -> None:
        """Compile and read what every grade needs.

        Raises:
            ConfigError: It cannot be; the text names the key.
        """
