"""The tables of docs/reference/catalog.md, made from the files: `python -m anytune.catalog.page docs/reference/catalog.md` renews them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from anytune.catalog import files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.catalog.figures import Deadline, Figure, Host, Method, Model

__all__ = ["renewed", "tables"]

_MARKED = re.compile(r"(<!-- tables: [^>]*-->\n).*?(<!-- end of tables -->)", re.DOTALL)


def renewed(page: str) -> str:
    """Give the page with its tables made anew, between the two marks."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{tables()}\n{found[2]}", page)


def tables() -> str:
    """Write what the shipped files say of hosts that bill."""
    return "\n".join(line for opened in files.shipped() if opened.host.models for line in _host(opened.host))


def _host(host: Host) -> Iterator[str]:
    yield f"## {host.name}: `{host.host}`\n"
    yield from _models(host)
    yield from _prices(host)
    yield from _limits(host)
    yield from _days(host)
    yield from _sources(host)


def _models(host: Host) -> Iterator[str]:
    yield from _table("model", "also", "methods", "tokens a row", "refuses", "new jobs until", "answers until", "base retires")
    for name, model in host.models.items():
        yield _row(f"`{name}`", _words(model.aliases), *_offered(host, model))
    yield ""


def _offered(host: Host, model: Model) -> tuple[str, ...]:
    days = model.lifecycle
    return (
        ", ".join(word if offer.standing == "offered" else f"{word} ({offer.standing})" for word, offer in model.methods.items()),
        _number(model.max_row_tokens),
        _words(tuple(sorted(model.refuses))),
        _day(days.training_closes or host.lifecycle.training_closes, days.answers_until),
        _day(days.answers_until),
        str(days.base_retires.value) if days.base_retires else "",
    )


def _prices(host: Host) -> Iterator[str]:
    priced = {name: model for name, model in host.models.items() if model.training_usd_per_million or model.training_usd_per_hour}
    if priced:
        yield "US dollars; for a million tokens where nothing else is said:\n"
        yield from _table("model", "training", "input", "cached input", "output", "source")
        for name, model in priced.items():
            yield _row(f"`{name}`", _training(model), *_asking(model), _origin(model))
        yield ""
    elif host.price_unknown is not None:
        yield f"No price of training: {host.price_unknown.value} [{host.price_unknown.source}].\n"
    yield from _table("deployment", "US dollars an hour", "remark", "source")
    for sku, price in host.hosting.items():
        yield _row(f"`{sku}`", f"{price.value:.2f}", price.note, price.source)
    yield ""


def _limits(host: Host) -> Iterator[str]:
    yield from _table("limit", "is", "source")
    for name in type(host.limits).model_fields:
        figure = getattr(host.limits, name)
        if figure is not None:
            yield _row(f"`{name}`", _number(figure), figure.source)
    if host.overlong is not None:
        yield _row("rows over the limit", host.overlong.value, host.overlong.source)
    for feature, source in host.refuses.items():
        yield _row("every method", f"refuses `{feature}`", source)
    for word, method in host.methods.items():
        yield from _wants(word, method)
    yield ""


def _wants(word: str, method: Method) -> Iterator[str]:
    for feature, source in method.refuses.items():
        yield _row(word, f"refuses `{feature}`", source)
    if method.needs_validation is not None:
        yield _row(word, "needs a validation file", method.needs_validation.source)
    if method.last_role is not None:
        yield _row(word, f"the last message is the {method.last_role.value}'s", method.last_role.source)
    if method.billed is not None:
        yield _row(word, f"is billed by {method.billed.value}", method.billed.source)
    if method.pauses_at_usd is not None:
        yield _row(word, f"is paused at ${method.pauses_at_usd.value:,.0f}", method.pauses_at_usd.source)


def _days(host: Host) -> Iterator[str]:
    rows = {
        (row.since.value, f"only {row.who}", row.since.source)
        for cycle in (host.lifecycle, *(model.lifecycle for model in host.models.values()))
        for row in cycle.restricted
    }
    if not rows:
        return
    yield from _table("since", "new jobs are for", "source")
    for day, who, source in sorted(rows):
        yield _row(day.isoformat(), who, source)
    yield ""


def _sources(host: Host) -> Iterator[str]:
    yield from _table("source", "is", "read", "standing")
    for word, source in host.sources.items():
        title = f"[{source.title}]({source.address})" if source.address else source.title
        yield _row(word, f"{title}. {source.remark}".strip() if source.remark else title, source.read.isoformat(), source.standing)
    yield ""


def _table(*heads: str) -> Iterator[str]:
    yield _row(*heads)
    yield "|" + "---|" * len(heads)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _number(figure: Figure[int] | None) -> str:
    return "" if figure is None else f"{figure.value:,}"


def _training(model: Model) -> str:
    if model.training_usd_per_hour is not None:
        return f"{model.training_usd_per_hour.value:.2f} an hour"
    return f"{model.training_usd_per_million.value:.2f}" if model.training_usd_per_million else ""


def _asking(model: Model) -> tuple[str, str, str]:
    price = model.inference_usd_per_million
    if price is None:
        return "", "", ""
    return f"{price.input.value:g}", f"{price.cached.value:g}" if price.cached else "", f"{price.output.value:g}"


def _origin(model: Model) -> str:
    price = model.inference_usd_per_million
    figures = (model.training_usd_per_million, model.training_usd_per_hour, price.input if price else None)
    return ", ".join(dict.fromkeys(figure.source for figure in figures if figure is not None))


def _day(*days: Deadline | None) -> str:
    """Write the earliest day."""
    first = min((day for day in days if day is not None), key=lambda day: day.value, default=None)
    return "" if first is None else f"{first.value}{' at least' if first.at_earliest else ''}"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(renewed(target.read_text(encoding="utf-8")), encoding="utf-8")
