"""`anytune data`: check, convert, split, count and show training data. One file a command."""

from __future__ import annotations

import typer

__all__ = ["app"]

app = typer.Typer(name="data", help="Check, convert, split, count and show training data.", no_args_is_help=True)
