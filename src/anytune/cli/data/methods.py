"""The option `--method` of the data commands."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Method", "known"]

Method = Annotated[str | None, typer.Option("--method", help="What the rows are for: sft, dpo, orpo, reward, clm, kto or rft.")]


def known(method: str | None, backend: str | None = None) -> None:
    """Refuse a method that core does not know, where no backend might.

    Raises:
        BadParameter: There is no such method.
    """
    from anytune.data.rows import METHODS  # noqa: PLC0415 - keeps `--help` light

    if method is not None and backend is None and method not in METHODS:
        raise typer.BadParameter(f"{method!r} is none; there are {', '.join(sorted(METHODS))}.", param_hint="--method")
