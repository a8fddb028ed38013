"""`anytune data stats`: what a data file holds, in numbers and as a picture."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from anytune.cli import show
from anytune.cli.show import Json

if TYPE_CHECKING:
    from anytune.data.stats import Render, Stats

__all__ = ["stats"]

_MAX_SHOWN = 20
_PIPE_WIDTH = 100


class _Counting(NamedTuple):
    encoding: str
    render: Render | None = None


def stats(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A data file of any format that is read, or hf:owner/name.")],
    encoding: Annotated[str | None, typer.Option(help="Count tokens in o200k_base (the default) or cl100k_base.")] = None,
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="Count as this backend or profile does.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Count with this model's tokenizer and template.")] = None,
    method: Annotated[str, typer.Option(help="What the rows are for: sft, dpo, …")] = "sft",
    by: Annotated[str | None, typer.Option(metavar="PATH", help="Show the shares of the value there, such as answer.intent.")] = None,
    png: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw the lengths of rows into this file.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="HTML", help="Write all of it as one page.")] = None,
    as_json: Json = False,
) -> None:
    """Count rows, roles, turns, tools and tokens of a data file, and draw how long its rows are."""
    from anytune.data import histogram  # noqa: PLC0415 - keeps `--help` light
    from anytune.data import stats as counting  # noqa: PLC0415 - as above

    how = _counting(file, encoding, backend, model, method)
    found = counting.stats(file, encoding=how.encoding, render=how.render, by=by)
    if png is not None:
        histogram.png(found.lengths, f"{found.file}: rows by tokens", png)
    if html is not None:
        _put(html, counting.html(found))
    if as_json:
        show.document(found)
        return
    _tell(found)


def _counting(file: str, encoding: str | None, backend: str | None, model: str | None, method: str) -> _Counting:
    """Choose what counts: the encoding that was named, the host's, or the model's own tokenizer."""
    if backend is None:
        if model is not None:
            raise typer.BadParameter("--model needs --backend.")
        return _Counting(encoding or "o200k_base")
    if encoding is not None:
        raise typer.BadParameter("--encoding and --backend both say how to count: give one of them.")
    if model is None:
        raise typer.BadParameter("--backend needs --model.")
    from anytune import catalog, profiles  # noqa: PLC0415 - keeps `--help` light
    from anytune.errors import AnytuneError, Unsupported  # noqa: PLC0415 - as above
    from anytune.spec import TrainingSpec  # noqa: PLC0415 - as above

    name = str(profiles.profiles().get(backend, {}).get("backend", backend))
    try:
        chosen = profiles.configured(backend)
    except AnytuneError:
        if name not in catalog.hosts():  # a host that the catalogue knows need be neither installed nor configured
            raise
        chosen = None
    if chosen is not None and "render" in chosen.capabilities.abilities:
        given: dict[str, Any] = {"backend": backend, "model": model, "train": file, "method": method}
        spec = TrainingSpec(**given)
        return _Counting(model, partial(chosen.render, spec, pieces=False))
    hosted = catalog.rules(name, model, method).encoding
    if hosted is None:
        raise Unsupported(f"How {name} counts tokens of {model!r} is not known.", fix="Give --encoding instead of --backend.")
    return _Counting(hosted)


def _tell(found: Stats) -> None:
    from anytune.data import histogram  # noqa: PLC0415 - keeps `--help` light

    spread = found.messages
    about: dict[str, object] = {
        "rows": found.rows,
        "not usable": found.bad_rows or None,
        "read as": f"{found.format} ({found.container})",
        "size": show.size(found.size_bytes),
        "kinds": found.kinds,
        "messages a row": f"{spread.least} to {spread.most}, {spread.mean:.1f} on average" if spread else None,
        "messages by role": found.roles,
        "rows without": found.rows_without,
        "rows with images": found.images or None,
        "sha256": found.sha256,
    }
    for name, counts in (("tools, in rows", found.tools), ("calls", found.calls), (found.by or "labels", found.labels)):
        about[name] = _shares(counts)
    if found.tokens is not None:
        tokens = found.tokens
        about["tokens"] = {"counted by": tokens.encoding, "total": tokens.total, "prompt": tokens.prompt, "trained": tokens.trained}
        about["tokens a row"] = {**tokens.percentiles, "longest": tokens.longest}
        about["rows over"] = found.over
    show.record(about)
    if found.lengths:
        show.result("\n" + histogram.text(found.lengths, width=_width(), plain=not _unicode()))
    if found.bad_rows:
        show.note(f"{found.bad_rows:,} rows are not usable and were not counted: anytune data check says why.")


def _put(path: Path, page: str) -> None:
    from anytune.errors import ConfigError  # noqa: PLC0415 - keeps `--help` light

    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", fix="Give another path.") from error


def _shares(counts: dict[str, int]) -> dict[str, str]:
    whole = sum(counts.values())
    shown = {name: f"{count:,} ({count / whole:.1%})" for name, count in list(counts.items())[:_MAX_SHOWN]}
    rest = list(counts.values())[_MAX_SHOWN:]
    return shown | ({f"{len(rest)} more": f"{sum(rest):,} ({sum(rest) / whole:.1%})"} if rest else {})


def _width() -> int:
    from shutil import get_terminal_size  # noqa: PLC0415 - one use

    return get_terminal_size((_PIPE_WIDTH, 24)).columns if sys.stdout.isatty() else _PIPE_WIDTH


def _unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
