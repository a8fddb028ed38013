"""Filling the template. Everything that comes from data, models or providers is escaped; the page loads nothing and runs nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from anytune.errors import ConfigError
from anytune.values import now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytune.preflight import Preflight
    from anytune.values import Finding, Quote

__all__ = ["html", "put", "save", "writable"]

_SEVERITIES = ("error", "warning", "info")
_HOURS_A_MONTH = 730
_MOST = 5
"""Findings of one code that are read at once; the others open on a click."""


def html(found: Preflight, *, title: str) -> str:
    """Give the page.

    Args:
        found: What preflight found.
        title: What was checked, such as the job's name and the backend.
    """
    import jinja2  # noqa: PLC0415 - only a page needs it

    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.get_template("preflight.html.j2").render(
        title=title,
        found=found,
        said=_by_code((*found.findings, *found.losses)),
        most=_MOST,
        figures=_figures(found.quote),
        report=found.report,
        made_at=f"{now():%Y-%m-%d %H:%M} UTC",
    )


def save(found: Preflight, path: Path, *, title: str) -> None:
    """Write the report: HTML, or JSON where the name ends in `.json`. The file is whole or not there.

    Raises:
        ConfigError: The ending is another one, or the file cannot be written.
    """
    writable(path)
    document = {"title": title, "ok": found.ok, **found.model_dump(mode="json")}
    text = html(found, title=title) if path.suffix == ".html" else json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    put(path, text)


def put(path: Path, text: str) -> None:
    """Write a report's text; the file is whole or not there.

    Raises:
        ConfigError: It cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"The report {path} cannot be written: {error.strerror}.", fix="Name a folder that you may write to.") from error


def writable(path: Path) -> None:
    """Refuse a name that no report can be written under, before the work that it would tell of.

    Raises:
        ConfigError: The ending is neither `.html` nor `.json`, or the folder is not there.
    """
    if path.suffix not in {".html", ".json"}:
        raise ConfigError(f"A report is written as .html or .json, not as {path.name!r}.", fix="Give the file one of these endings.")
    if not path.parent.is_dir() or path.is_dir():
        wrong = "it is a folder" if path.is_dir() else f"there is no folder {path.parent}"
        raise ConfigError(f"The report {path} cannot be written: {wrong}.", fix="Name a file in a folder that you may write to.")


def _by_code(found: Iterable[Finding]) -> list[list[Finding]]:
    """Put findings of one code together, the gravest first."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in found:
        groups.setdefault((finding.severity, finding.code), []).append(finding)
    return sorted(groups.values(), key=lambda alike: _SEVERITIES.index(alike[0].severity))


def _figures(quote: Quote) -> list[tuple[str, str]]:
    """Give the quote's figures with their units, the unknown ones left out."""
    figures = [
        ("Tokens, all epochs", quote.tokens, "{:,}"),
        ("Epochs", quote.epochs, "{:g}"),
        ("Training", quote.cost_usd, "${:,.2f}"),
        ("Time", quote.minutes, "{:,.1f} minutes"),
        ("Peak memory", None if quote.memory_bytes is None else quote.memory_bytes / 1e9, "{:,.1f} GB"),
        ("Hosting an hour", quote.hosting_usd_per_hour, "${:,.2f}"),
        ("Asked: a million tokens read", quote.input_usd_per_million, "${:,.2f}"),
        ("Asked: a million tokens written", quote.output_usd_per_million, "${:,.2f}"),
        ("Hosting a month", None if quote.hosting_usd_per_hour is None else quote.hosting_usd_per_hour * _HOURS_A_MONTH, "${:,.2f}"),
    ]
    return [(name, words.format(value)) for name, value, words in figures if value is not None]
