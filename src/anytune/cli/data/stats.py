"""`anytune data stats`: what a data file holds, in numbers and as a picture."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from anytune.cli import show
from anytune.cli.data.methods import Method, known
from anytune.cli.progress import rows_read
from anytune.cli.show import Json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anytune.data.stats import Render, Stats

__all__ = ["stats"]

_MAX_SHOWN = 20
_PIPE_WIDTH = 100
_LABEL_WIDTH = 60


class _Counting(NamedTuple):
    encoding: str
    render: Render | None = None


def stats(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A data file of any format that is read, or hf:owner/name.")],
    encoding: Annotated[str | None, typer.Option(help="Count tokens in o200k_base (the default) or cl100k_base.")] = None,
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="Count as this backend or profile does.")] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Count with this model's tokenizer and template.")] = None,
    method: Method = None,
    by: Annotated[str | None, typer.Option(metavar="PATH", help="Show the shares of the value there, such as answer.intent.")] = None,
    png: Annotated[Path | None, typer.Option(metavar="PNG", help="Draw the lengths of rows into this file.")] = None,
    html: Annotated[Path | None, typer.Option(metavar="HTML", help="Write all of it as one page.")] = None,
    as_json: Json = False,
) -> None:
    """Count rows, roles, turns, tools and tokens of a data file, and draw how long its rows are."""
    from anytune.data import histogram  # noqa: PLC0415 - keeps `--help` light
    from anytune.data import stats as counting  # noqa: PLC0415 - as above

    known(method, backend)
    for path in (png, html):
        if path is not None and not path.parent.is_dir():
            raise typer.BadParameter(f"{path} cannot be written: there is no folder {path.parent}.")
    how = _counting(file, encoding, backend, model, method or "sft")
    with rows_read(f"Counting {file}") as progress:
        found = counting.stats(file, encoding=how.encoding, render=how.render, by=by, progress=progress)
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

    name = profiles.backend_of(backend)
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
    from anytune.data.stats import MAX_LABELS  # noqa: PLC0415 - as above

    spread = found.messages
    about: dict[str, object] = {
        **_grouped({"rows": found.rows}),
        **_grouped({"not usable": found.bad_rows} if found.bad_rows else {}),
        "read as": f"{found.format} ({found.container})",
        "size": show.size(found.size_bytes),
        "kinds": _grouped(found.kinds),
        "messages a row": f"{spread.least} to {spread.most}, {spread.mean:.1f} on average" if spread else None,
        "messages by role": _grouped(found.roles),
        "rows without": _grouped(found.rows_without),
        **_grouped({"rows with images": found.images} if found.images else {}),
        "sha256": found.sha256,
    }
    for name, counts in (("tools, in rows", found.tools), ("calls", found.calls), (found.by or "labels", found.labels)):
        about[name] = _shares(counts)
    if found.tokens is not None:
        tokens = found.tokens
        about["tokens"] = {"counted by": tokens.encoding} | _grouped(
            {"total": tokens.total, "prompt": tokens.prompt, "trained": tokens.trained}
        )
        about["tokens a row"] = _grouped({**tokens.percentiles, "longest": tokens.longest})
        about["rows over"] = _grouped({f"{limit:,} tokens": count for limit, count in found.over.items()})
    show.record(about)
    if found.lengths:
        show.result("\n" + histogram.text(found.lengths, width=_width(), plain=not _unicode()))
    if found.by and not found.labels and found.kinds:
        show.note(f"`{found.by}` has more than {MAX_LABELS:,} values: too many to list.")
    if found.bad_rows:
        show.note(f"{found.bad_rows:,} rows are not usable and were not counted: anytune data check says why.")


def _grouped(counts: Mapping[str, int]) -> dict[str, object]:
    """Write numbers from 1,000 on in groups; YAML would put quotes around smaller ones that are texts."""
    return {name: f"{count:,}" if count >= 1000 else count for name, count in counts.items()}  # noqa: PLR2004 - groups of three


def _put(path: Path, page: str) -> None:
    from anytune.errors import ConfigError  # noqa: PLC0415 - keeps `--help` light

    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}.", fix="Give another path.") from error


def _shares(counts: dict[str, int]) -> dict[str, str]:
    whole = sum(counts.values())
    brief: dict[str, int] = {}
    for name, count in list(counts.items())[:_MAX_SHOWN]:
        line = _line(name)
        brief[line] = brief.get(line, 0) + count
    shown = {name: f"{count:,} ({count / whole:.1%})" for name, count in brief.items()}
    rest = list(counts.values())[_MAX_SHOWN:]
    return shown | ({f"{len(rest)} more": f"{sum(rest):,} ({sum(rest) / whole:.1%})"} if rest else {})


def _line(name: str) -> str:
    """Write a value as a part of one line."""
    line = " ".join(name.split())
    return line if len(line) <= _LABEL_WIDTH else f"{line[: _LABEL_WIDTH - 1]}…"


def _width() -> int:
    from shutil import get_terminal_size  # noqa: PLC0415 - one use

    return get_terminal_size((_PIPE_WIDTH, 24)).columns if sys.stdout.isatty() else _PIPE_WIDTH


def _unicode() -> bool:
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
