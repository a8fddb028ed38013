"""Filling the template. Everything that comes from data, models or providers is escaped; the page loads nothing and runs nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from anytune.errors import ConfigError
from anytune.values import now

if TYPE_CHECKING:
    from anytune.preflight import Preflight
    from anytune.values import Quote

__all__ = ["html", "save"]

_SEVERITIES = ("error", "warning", "info")
_HOURS_A_MONTH = 730


def html(found: Preflight, *, title: str) -> str:
    """Give the page.

    Args:
        found: What preflight found.
        title: What was checked, such as the job's name and the backend.
    """
    import jinja2  # noqa: PLC0415 - only a page needs it

    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    said = sorted((*found.findings, *found.losses), key=lambda finding: _SEVERITIES.index(finding.severity))
    return environment.get_template("preflight.html.j2").render(
        title=title, found=found, said=said, figures=_figures(found.quote), report=found.report, made_at=f"{now():%Y-%m-%d %H:%M} UTC"
    )


def save(found: Preflight, path: Path, *, title: str) -> None:
    """Write the report: HTML, or JSON where the name ends in `.json`. The file is whole or not there.

    Raises:
        ConfigError: The ending is another one, or the file cannot be written.
    """
    if path.suffix not in {".html", ".json"}:
        raise ConfigError(f"A report is written as .html or .json, not as {path.name!r}.", fix="Give the file one of these endings.")
    document = {"title": title, "ok": found.ok, **found.model_dump(mode="json")}
    text = html(found, title=title) if path.suffix == ".html" else json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise ConfigError(f"The report {path} cannot be written: {error.strerror}.", fix="Name a folder that you may write to.") from error


def _figures(quote: Quote) -> list[tuple[str, str]]:
    """Give the quote's figures with their units, the unknown ones left out."""
    figures = [
        ("Tokens, all epochs", quote.tokens, "{:,}"),
        ("Epochs", quote.epochs, "{:g}"),
        ("Training", quote.cost_usd, "${:,.2f}"),
        ("Time", quote.minutes, "{:,.1f} minutes"),
        ("Peak memory", None if quote.memory_bytes is None else quote.memory_bytes / 1e9, "{:,.1f} GB"),
        ("Hosting an hour", quote.hosting_usd_per_hour, "${:,.2f}"),
        ("Hosting a month", None if quote.hosting_usd_per_hour is None else quote.hosting_usd_per_hour * _HOURS_A_MONTH, "${:,.2f}"),
    ]
    return [(name, words.format(value)) for name, value, words in figures if value is not None]
