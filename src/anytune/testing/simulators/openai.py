"""OpenAI's fine-tuning, files, uploads, models and chat, over real HTTP on loopback."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar

from anytune.testing.simulators.base import TuningSimulator
from anytune.testing.simulators.state import ModelRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from anytune.testing.life import Life
    from anytune.testing.simulators.dialect import Profile
    from anytune.testing.simulators.faults import WireFaults

__all__ = ["BASE_MODELS", "OpenAISimulator"]

BASE_MODELS: dict[str, str | None] = {
    "gpt-4.1-2025-04-14": "2027-01-14",
    "gpt-4.1-mini-2025-04-14": "2027-01-14",
    "gpt-4.1-nano-2025-04-14": "2026-10-23",
    "gpt-4o-2024-08-06": "2027-01-14",
    "gpt-4o-mini-2024-07-18": "2027-01-14",
    "o4-mini-2025-04-16": "2026-10-23",
    "gpt-3.5-turbo-0125": "2026-10-23",
    "babbage-002": "2026-10-23",
    "davinci-002": "2026-10-23",
}
"""Models that jobs could start from, and the day on which each shuts down (OpenAI's page on deprecations, read 2026-11-22).

The simulator goes on training and answering after that day: it says the date, and the test that wants a closed door sets `closed_to_org`.
"""

_NOT_TUNABLE = ("gpt-6-luna",)
_SINCE = 1_744_000_000.0


class OpenAISimulator(TuningSimulator):
    """OpenAI, as far as fine-tuning needs it: files, uploads, jobs, models and chat.

    A job shows the words of its life one after the other: the first one at the first `GET` of the job, and one further at each other; or
    by the clock, where the life has `tick_s`. A tuned model answers the last question of a training row with that row's answer.

    Args:
        profile: `spec`: replies as OpenAI's published description has them, but for the words of a pause, which it lacks.
            `as_observed`: with the six differences that live replies were seen to have.
        faults: What goes wrong; may be changed while it runs.
        life: What happens to a job, in OpenAI's words; several: one for each job in the order of creation, the last one for all that
            follow. Its `error` may be a name of `anytune.testing.simulators.errors.JOB_ERRORS`.
        api_key: The key it takes; `keys` may take more, each with its project.
        clock: Gives seconds since 1970; for lives with `tick_s`, lags and everything that expires.
        port: 0 takes a free one.
        organization: Its id.
        models: Base models that jobs can start from; by default `BASE_MODELS` with their shutdown dates.
        answer: Makes the text of an answer from a model's name and the messages, where no training row has it; by default it echoes.

    Example:
        >>> with OpenAISimulator() as provider:
        ...     provider.base_url.endswith("/v1")
        True
    """

    prefix: ClassVar[str] = "/v1"

    def __init__(
        self,
        *,
        profile: Profile = "spec",
        faults: WireFaults | Mapping[str, Any] | None = None,
        life: Life | Sequence[Life] | Mapping[str, Any] | None = None,
        api_key: str = "sk-simulated-key",
        clock: Callable[[], float] = time.time,
        port: int = 0,
        organization: str = "org-simulated",
        models: Iterable[str] = (),
        answer: Callable[[str, list[dict[str, Any]]], str] | None = None,
    ) -> None:
        """Bind a port of loopback and start to answer."""
        super().__init__(
            profile=profile,
            faults=faults,
            life=life,
            api_key=api_key,
            clock=clock,
            port=port,
            organization=organization,
            answer=answer,
        )
        given: Mapping[str, str | None] = dict.fromkeys(models) or BASE_MODELS
        for name, shutdown_date in given.items():
            self.world.models[name] = ModelRecord(name, _SINCE, base=name, shutdown_date=shutdown_date)
        for name in _NOT_TUNABLE:
            self.world.models.setdefault(name, ModelRecord(name, _SINCE, base=name, tunable=False))

    def trace(self) -> dict[str, str]:
        """Give the headers that every reply has."""
        told = {"openai-organization": self.organization, "openai-version": "2020-10-01", "openai-processing-ms": "7"}
        return {**super().trace(), **told}
