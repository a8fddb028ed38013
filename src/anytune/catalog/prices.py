"""What a hosted run and its deployment cost: tokens times epochs times a dated price. Estimates, and they say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from anytune.catalog import files
from anytune.catalog.names import named
from anytune.values import Quote, Value

if TYPE_CHECKING:
    from anytune.catalog.figures import Host, Inference, Method, Source
    from anytune.catalog.names import Named
    from anytune.values import DataStats

__all__ = ["Hosting", "Rate", "auto_epochs", "hosting", "quote", "rate"]

_HOURS_A_MONTH = 730
"""A year's hours by twelve, as cloud providers' own calculators have it."""


class Hosting(Value):
    """What a deployment costs while it exists.

    Attributes:
        sku: The kind of deployment; empty where the host knows only one.
        hourly_usd: US dollars an hour; None where no price is known.
        monthly_usd: The same for 730 hours.
        basis: Where the price was read, and when.
    """

    sku: str
    hourly_usd: float | None
    monthly_usd: float | None
    basis: str


class Rate(Value):
    """What training costs at a host: by tokens, or by the time that it takes.

    Attributes:
        usd_per_million: US dollars for a million tokens trained; None where it is not billed so, or no price is known.
        usd_per_hour: US dollars for an hour of training, the same.
        basis: Where the price was read, and when; or that none is known.
    """

    usd_per_million: float | None = None
    usd_per_hour: float | None = None
    basis: str


class _Passes(NamedTuple):
    epochs: float
    words: str


def auto_epochs(rows: int, *, backend: str = "openai") -> int | None:
    """Say how many epochs a host would choose for `auto`.

    As OpenAI's data-preparation walk-through computes it: 3 epochs, fewer or more where rows times epochs would lie outside of 100 to
    25,000, within 1 to 25. It divides without a remainder, so that 30 rows make 90 and not 100. The service may choose otherwise.

    Args:
        rows: Training rows.
        backend: Whose rule; None is given where its catalogue has none.

    Example:
        >>> auto_epochs(10), auto_epochs(50), auto_epochs(10_000), auto_epochs(100_000)
        (10, 3, 2, 1)
    """
    found = files.opened(backend)
    if found is None or found.host.auto_epochs is None:
        return None
    rule = found.host.auto_epochs
    rows = max(rows, 1)
    target = rule.target.value
    if rows * target < rule.min_rows.value:
        return min(rule.max_epochs.value, rule.min_rows.value // rows)
    if rows * target > rule.max_rows.value:
        return max(rule.min_epochs.value, rule.max_rows.value // rows)
    return target


def quote(backend: str, model: str, method: str, stats: DataStats, *, epochs: float | None = None, sku: str | None = None) -> Quote | None:
    """Say what a run at a host will cost, and what asking the tuned model costs afterwards.

    Args:
        backend: The backend's name.
        model: An exact id, a short name or a tuned model's name.
        method: `sft`, `dpo`, `rft`.
        stats: Rows, and the tokens of one pass (`billable_tokens` where they were counted up to the target's limit for a row).
        epochs: Passes over the rows; None takes `auto_epochs`.
        sku: The kind of deployment, where hosting costs by the hour.

    Returns:
        A quote whose `basis` names each price's source and day, and None where the backend has no catalogue or trains locally: it can
        measure then, and quotes itself. Minutes and memory stay None: no host publishes what they follow from.

    Raises:
        ConfigError: A catalogue file of the user's own is wrong.
    """
    found = files.opened(backend)
    if found is None or found.host.any_model:
        return None
    host, known = found.host, named(found.host, model)
    hosted = hosting(backend, sku)
    common = Quote(hosting_usd_per_hour=hosted.hourly_usd if hosted else None)
    if known is not None and known.entry.inference_usd_per_million is not None:
        common = common.model_copy(update=_inference(known.entry.inference_usd_per_million))
    wants = host.methods.get(method)
    if wants is not None and wants.billed is not None and wants.billed.value == "hours":
        return common.model_copy(update={"basis": _hourly(host, wants, known, model)})
    passes = _passes(host, stats, epochs)
    a_pass = stats.tokens if stats.billable_tokens is None else stats.billable_tokens
    tokens = None if a_pass is None or passes is None else round(a_pass * passes.epochs)
    price = known.entry.training_usd_per_million if known else None
    cost = None if tokens is None or price is None else round(tokens * price.value / 1e6, 6)
    words = [
        "no tokens were counted" if a_pass is None else f"{a_pass:,} tokens a pass",
        passes.words if passes else "how many epochs is not known",
        _token_price(host, known, model),
        "an estimate: the tokens that the job reports as trained are what is billed",
    ]
    if stats.validation_rows:
        words.append("validation rows are counted as free, since nothing published says that they are billed")
    return common.model_copy(
        update={"tokens": tokens, "cost_usd": cost, "epochs": float(passes.epochs) if passes else None, "basis": "; ".join(words)}
    )


def rate(backend: str, model: str, method: str) -> Rate | None:
    """Say what training a model costs at a host, to price a run that goes on. Arguments as for `quote`.

    Returns:
        None where the catalogue has no file of that host, or the backend trains locally.

    Example:
        >>> rate("openai", "gpt-4.1-mini", "sft").usd_per_million
        5.0
    """
    found = files.opened(backend)
    if found is None or found.host.any_model:
        return None
    host, known = found.host, named(found.host, model)
    wants = host.methods.get(method)
    if wants is not None and wants.billed is not None and wants.billed.value == "hours":
        hourly = known.entry.training_usd_per_hour if known else None
        if known is None or hourly is None:
            return Rate(basis=_no_price(host, known, model))
        return Rate(usd_per_hour=hourly.value, basis=f"${hourly.value:.2f} an hour on {known.name} ({_told(host.sources[hourly.source])})")
    price = known.entry.training_usd_per_million if known else None
    return Rate(usd_per_million=price.value if price else None, basis=_token_price(host, known, model))


def hosting(backend: str, sku: str | None = None) -> Hosting | None:
    """Say what a deployment costs while it exists, called or not.

    Args:
        backend: The backend's name.
        sku: The kind of deployment (`standard`, `GlobalStandard`, `developerTier`, …; case and punctuation do not matter); None takes
            the host's usual one.

    Returns:
        None where the catalogue has no such prices.

    Example:
        >>> hosting("azure", "Standard").monthly_usd
        1241.0
    """
    found = files.opened(backend)
    if found is None or not found.host.hosting:
        return None
    host = found.host
    word = "".join(letter for letter in sku.lower() if letter.isalnum()) if sku else host.default_sku or ""
    price = host.hosting.get(word)
    if price is None:
        known = ", ".join(sorted(host.hosting))
        return Hosting(
            sku=word, hourly_usd=None, monthly_usd=None, basis=f"no price is known for {word!r} at {host.name}, only for {known}"
        )
    note = f" {price.note}" if price.note else ""
    return Hosting(
        sku=word,
        hourly_usd=price.value,
        monthly_usd=round(price.value * _HOURS_A_MONTH, 2),
        basis=f"${price.value:.2f} an hour, {_HOURS_A_MONTH} hours a month ({_told(host.sources[price.source])}).{note}",
    )


def _passes(host: Host, stats: DataStats, epochs: float | None) -> _Passes | None:
    if epochs is not None:
        return _Passes(epochs, f"{epochs:g} epochs")
    chosen = auto_epochs(stats.rows, backend=host.host)
    if chosen is None or host.auto_epochs is None:
        return None
    source = host.sources[host.auto_epochs.target.source]
    return _Passes(chosen, f"{chosen} epochs for {stats.rows:,} rows, by {_told(source)}: the service may choose otherwise")


def _token_price(host: Host, known: Named | None, model: str) -> str:
    price = known.entry.training_usd_per_million if known else None
    if known is None or price is None:
        return _no_price(host, known, model)
    base = ", taken from its base model" if known.tuned else ""
    return f"${price.value:.2f} for a million tokens on {known.name}{base} ({_told(host.sources[price.source])})"


def _hourly(host: Host, wants: Method, known: Named | None, model: str) -> str:
    price = known.entry.training_usd_per_hour if known else None
    words = ["billed by the hour of training, and how long it takes is not known beforehand: no sum can be given"]
    if known is None or price is None:
        words.append(_no_price(host, known, model))
    else:
        note = f" {price.note}" if price.note else ""
        words.append(f"${price.value:.2f} an hour on {known.name} ({_told(host.sources[price.source])}).{note}")
    if wants.pauses_at_usd is not None:
        words.append(f"{host.name} pauses a job at ${wants.pauses_at_usd.value:,.0f} ({_told(host.sources[wants.pauses_at_usd.source])})")
    return "; ".join(words)


def _no_price(host: Host, known: Named | None, model: str) -> str:
    reason = f": {host.price_unknown.value} ({_told(host.sources[host.price_unknown.source])})" if host.price_unknown and known else ""
    return f"no price of training is known for {known.name if known else model} at {host.name}{reason}"


def _inference(price: Inference) -> dict[str, float | None]:
    return {
        "input_usd_per_million": price.input.value,
        "cached_usd_per_million": price.cached.value if price.cached else None,
        "output_usd_per_million": price.output.value,
    }


def _told(source: Source) -> str:
    standing = {
        "published": "",
        "recorded": ", as recorded",
        "last-published": ", the last published price, undated to the day",
        "derived": "",
    }[source.standing]
    return f"{source.title}, read {source.read.isoformat()}{standing}"
