"""`anytune data convert`: a file's rows in another format, with what is lost said first."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anytune.cli import show
from anytune.cli.data.methods import Method, known
from anytune.cli.exits import ExitCode
from anytune.cli.progress import rows_read
from anytune.cli.show import Json

if TYPE_CHECKING:
    from anytune.errors import DataError

__all__ = ["convert"]


def convert(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="JSONL, JSON, CSV, TSV or Parquet, also .gz and .zst; or hf:owner/name.")],
    target: Annotated[Path, typer.Argument(metavar="TARGET", help="JSONL file to write; .gz or .zst at its end compress it.")],
    to: Annotated[str, typer.Option("--to", metavar="DIALECT", help="anytune, openai, azure, trl, sharegpt, alpaca, autotrain.")],
    method: Method = None,
    allow_loss: Annotated[bool, typer.Option("--allow-loss", help="Write also where something else would be learned.")] = False,
    as_json: Json = False,
) -> int:
    """Write a file's rows in another format, whole or not at all; what the format has no word for is listed."""
    from anytune.data import formats  # noqa: PLC0415 - keeps `--help` light
    from anytune.data.files import resolve  # noqa: PLC0415 - as above
    from anytune.errors import DataError  # noqa: PLC0415 - as above

    known(method)
    try:
        with rows_read(f"Converting {source}") as progress:
            made = formats.convert(resolve(source), target, to=to, method=method, allow_loss=allow_loss, progress=progress)
    except DataError as error:
        if not error.findings:
            raise
        return _refused(error, as_json=as_json)
    if as_json:
        show.document({"ok": True, **made.model_dump(mode="json")})
        return ExitCode.OK
    show.findings((*made.findings, *made.losses))
    if not made.losses and all(finding.code != "lossy-read" for finding in made.findings):
        show.note("Nothing is lost.")
    rows = "1 row was" if made.rows == 1 else f"{made.rows:,} rows were"
    show.note(f"{rows} read as {made.format} and written as {made.to} ({show.size(made.size_bytes)}).")
    show.result(made.path)
    return ExitCode.OK


def _refused(error: DataError, *, as_json: bool) -> ExitCode:
    """Tell why nothing was written. This is an answer about the data, not a wrong call: the exit code is 1."""
    if as_json:
        told = {"type": type(error).__name__, "message": error.message, "fix": error.fix}
        show.document({"ok": False, "error": told, "findings": [finding.model_dump(mode="json") for finding in error.findings]})
    else:
        show.findings(error.findings)
        show.note(f"error: {error}", "bold red")
    return ExitCode.FAILED
