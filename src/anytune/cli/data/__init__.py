"""`anytune data`: check, convert, split, count and show training data. One file a command."""

from __future__ import annotations

import typer

from anytune.cli.data import check, convert, show, split, stats

__all__ = ["app"]

app = typer.Typer(name="data", help="Check, convert, split, count and show training data.", no_args_is_help=True)
app.command("check")(check.check)
app.command("convert")(convert.convert)
app.command("show")(show.show)
app.command("split")(split.split)
app.command("stats")(stats.stats)
