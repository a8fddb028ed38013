"""The prices of a model: the user's own, else the catalogue's, else none; never a guess."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune import catalog
from anytune.values import DataStats, Value

if TYPE_CHECKING:
    from anytune.evaluation.spec import Model
    from anytune.model import TunedModel
    from anytune.runtime import Runtime

__all__ = ["Tariff", "prices_of"]

_NEEDED = frozenset({"input_usd_per_million", "output_usd_per_million"})
_BY_TOKEN = _NEEDED | {"cached_usd_per_million"}

_FREE = "one's own machine, counted as free"


class Tariff(Value):
    """What asking a model costs.

    Attributes:
        input_usd_per_million: US dollars for a million prompt tokens; None where no price is known.
        cached_usd_per_million: The same, of those that the host had cached; None where they cost as much.
        output_usd_per_million: US dollars for a million tokens of answers.
        hourly_usd: Of a host that is paid by the hour; 0 for one's own machine.
        usd_per_second: Of waiting for an answer at such a host, once its throughput is known.
        basis: Where this is from, in words; or that no price is known.
    """

    input_usd_per_million: float | None = None
    cached_usd_per_million: float | None = None
    output_usd_per_million: float | None = None
    hourly_usd: float | None = None
    usd_per_second: float | None = None
    basis: str = "no price is known"

    @property
    def known(self) -> bool:
        """Whether a cost can be told: tokens in and out have their prices, or an hour has."""
        return self.by_token or self.hourly_usd is not None

    @property
    def by_token(self) -> bool:
        """Whether tokens in and out have their prices."""
        return self.input_usd_per_million is not None and self.output_usd_per_million is not None


def prices_of(model: Model, word: str, context: Runtime, *, served: TunedModel | None = None, hourly_usd: float | None = None) -> Tariff:
    """Give the prices of a model of the spec.

    The catalogue has prices of tuned models: of a base model that is asked as it is, only the spec can tell.

    Args:
        model: What the spec says of it; prices that it gives go before all others.
        word: Its name in the spec.
        context: Whose backends host it.
        served: What is hosted, where that is known already.
        hourly_usd: What its host costs an hour, as its deployment says; 0 is one's own machine.

    Raises:
        ConfigError: A catalogue file or a profile of the user's own is wrong.
        NotFound: There is no such job.
    """
    own = model.prices.model_dump(exclude_none=True)
    found = _found(model, word, context, served)
    if hourly_usd is not None and not found.by_token:
        found = Tariff(hourly_usd=hourly_usd, basis=f"${hourly_usd:,.2f} an hour, as its host says" if hourly_usd else _FREE)
    if not own:
        return found
    told = ", ".join(f"{name} {value:g}" for name, value in own.items())
    rest = f"; for the rest {found.basis}" if found.by_token and own.keys() & _BY_TOKEN and not own.keys() >= _NEEDED else ""
    if own.keys() & _BY_TOKEN and not found.by_token:
        found = Tariff()  # what is paid by the token is not paid by the hour as well
    return found.model_copy(update=own | {"basis": f"prices of {word} in the spec ({told}){rest}"})


def _found(model: Model, word: str, context: Runtime, served: TunedModel | None) -> Tariff:
    unknown = Tariff(basis=f"no price of asking {word} is known: give `models.{word}.prices`")
    if model.base_url is not None:
        return unknown
    if served is None and model.job is not None:
        from anytune.job import FineTuneJob  # noqa: PLC0415 - the ledger is only needed here

        served = FineTuneJob.get(model.job, context=context).result()
    backend = served.backend if served is not None else context.backend(str(model.backend))
    if backend.capabilities.local:
        return Tariff(hourly_usd=0.0, basis=_FREE)
    base = served.base_model if served is not None else None
    base = base or catalog.base_of(served.id if served is not None else str(model.model))
    quote = catalog.quote(backend.catalog, base, "sft", DataStats(rows=0)) if backend.catalog is not None and base is not None else None
    opened = catalog.opened(backend.catalog) if backend.catalog is not None else None
    if quote is None or opened is None or quote.input_usd_per_million is None:
        return unknown
    return Tariff(
        input_usd_per_million=quote.input_usd_per_million,
        cached_usd_per_million=quote.cached_usd_per_million,
        output_usd_per_million=quote.output_usd_per_million,
        basis=f"prices of asking a tuned {base} ({opened.basis})",
    )
