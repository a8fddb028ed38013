"""The budget while it is spent: what was paid, and what is set aside for the questions that are on their way."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from anytune.errors import BudgetExceeded, ConfigError
from anytune.evaluation.asking.pace import Stopped
from anytune.evaluation.money import ask_tokens, cost_of, most_tokens, spent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.evaluation.arms import Ask
    from anytune.evaluation.asking.store import Store
    from anytune.evaluation.money import Tariff
    from anytune.evaluation.values import Answer

__all__ = ["Budget", "Purse"]


@dataclass(frozen=True)
class Budget:
    """What may be spent.

    Attributes:
        max_usd: US dollars over all answers of the store, those of earlier runs included; None for no limit.
        tariffs: Prices by the key of the endpoint. A host that is paid by the hour is counted by the seconds of its answers, divided by
            the places in flight.
    """

    max_usd: float | None = None
    tariffs: Mapping[str, Tariff] = field(default_factory=dict)


class Purse:
    """Counts dollars. Threads share it.

    Args:
        budget: What may be spent, and prices.
        store: What was spent before.
        concurrency: Places in flight, by the key of the endpoint.
        stop: Set when the run ends.

    Raises:
        ConfigError: There is a limit, and a model without a price.
    """

    def __init__(self, budget: Budget, store: Store, concurrency: Mapping[str, int], *, stop: threading.Event) -> None:
        """Count what earlier runs spent."""
        self._max_usd, self._stop, self._store = budget.max_usd, stop, store
        self._tariffs = {key: _by_the_second(tariff, concurrency.get(key, 1)) for key, tariff in budget.tariffs.items()}
        missing = [key for key in concurrency if key not in self._tariffs or not self._tariffs[key].known]
        if missing and self._max_usd is not None:
            raise ConfigError(
                f"`max_usd` cannot be held: no price of {', '.join(missing)} is known.", fix=f"Give `models.{missing[0]}.prices`."
            )
        self._landed = threading.Condition()
        self._aside, self._flying = 0.0, 0
        self.spent_usd = sum(spent(tally, self._tariffs[key]) for key, tally in store.tallies.items() if key in self._tariffs)

    def priced(self, model: str) -> bool:
        """Tell whether a model's questions cost by the token, so that their tokens have to be counted."""
        return model in self._tariffs and self._tariffs[model].by_token

    def most(self, model: str, ask: Ask) -> float:
        """Give what a question costs at most, by our count of its tokens and the longest answer that it allows."""
        tariff = self._tariffs.get(model)
        if tariff is None or not tariff.by_token:
            return 0.0
        prompt, completion = ask_tokens(ask), most_tokens(ask.params)
        return (prompt * (tariff.input_usd_per_million or 0.0) + completion * (tariff.output_usd_per_million or 0.0)) / 1e6

    def reserve(self, usd: float) -> None:
        """Set something aside; where it does not fit, wait for others to take less than was set aside for them.

        Raises:
            BudgetExceeded: It does not fit, and nobody is on the way.
            Stopped: The run ends.
        """
        with self._landed:
            while self._max_usd is not None and self.spent_usd + self._aside + usd > self._max_usd:
                if self._stop.is_set():
                    raise Stopped
                if not self._flying:
                    raise BudgetExceeded(
                        f"The budget of {self._max_usd:g} US dollars is used up: {self.spent_usd:.4f} are spent"
                        f"{f', and the next question may take {usd:.4f}' if usd else ''}. {len(self._store):,} answers are kept.",
                        fix="Raise `spending.max_usd` and run the same again: only what is missing is asked.",
                    )
                self._landed.wait(0.5)
            self._aside += usd
            self._flying += 1

    def settle(self, usd: float, model: str, answer: Answer | None) -> None:
        """Pay what a question took, and free the rest of what was set aside for it.

        Args:
            usd: What was set aside.
            model: Who was asked.
            answer: None where it was not asked, or nobody knows what became of it.
        """
        tariff = self._tariffs.get(model)
        with self._landed:
            self._flying -= 1
            self._aside = self._aside - usd if self._flying else 0.0  # sums of fractions leave rests
            if answer is not None and tariff is not None and not answer.error:
                cost = cost_of(answer, tariff)
                self.spent_usd += usd if cost is None else cost
            self._landed.notify_all()


def _by_the_second(tariff: Tariff, concurrency: int) -> Tariff:
    if tariff.by_token or not tariff.hourly_usd:
        return tariff
    return tariff.model_copy(update={"usd_per_second": tariff.hourly_usd / 3600 / concurrency})
