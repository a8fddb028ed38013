"""`anytune data split`: training, validation and test rows by hash, the same on every machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from anytune.cli import show
from anytune.cli.progress import rows_read
from anytune.cli.show import Json

if TYPE_CHECKING:
    from anytune.data.split import Split

__all__ = ["split"]

_FAR = 0.2
"""A share that is off by more than this part of itself makes people wonder."""

_MAX_STRATA_SHOWN = 40


def split(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A data file of any format that is read, or hf:owner/name.")],
    validation: Annotated[float, typer.Option(help="Share of the rows, below 1, or their number.")] = 0.1,
    test: Annotated[float, typer.Option(help="The same for a test file; 0 for none.")] = 0,
    seed: Annotated[int, typer.Option(help="Another seed gives another split.")] = 0,
    group_by: Annotated[
        str | None, typer.Option(metavar="PATH", help="Keep rows together that have the same value there, such as metadata.user.")
    ] = None,
    stratify_by: Annotated[
        str | None, typer.Option(metavar="PATH", help="Give each value there the same share on all sides, such as answer.intent.")
    ] = None,
    near: Annotated[bool, typer.Option("--near", help="Keep rows together that are nearly the same.")] = False,
    keep_duplicates: Annotated[bool, typer.Option("--keep-duplicates", help="Write rows that are equal as often as they come.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the new files; named after FILE by default.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    as_json: Json = False,
) -> None:
    """Split a file into training, validation and test rows. Equal rows, and rows that ask the same, never stand on two sides."""
    from anytune.data.split import split as divide  # noqa: PLC0415 - keeps `--help` light

    folder = out or Path(f"{_stem(file)}-split")
    with rows_read(f"Splitting {file}") as progress:
        done = divide(
            file, folder, validation=validation, test=test, seed=seed, group_by=group_by, stratify_by=stratify_by,
            dedup=not keep_duplicates, near=near, force=force, progress=progress,
        )  # fmt: skip
    if as_json:
        show.document(done.model_dump(mode="json") | {"folder": str(folder)})
        return
    _tell(done, folder)


def _tell(done: Split, folder: Path) -> None:
    kept = done.source_rows - done.left_out
    show.table(
        ("file", "rows", "share", "sha256"),
        [(folder / part.file, f"{part.rows:,}", f"{part.rows / kept:.2%}", part.sha256) for part in done.parts.values()],
        empty="",
    )
    strata = list(done.parts["train"].strata)
    if strata:
        show.table(
            (done.stratify_by or "", *done.parts),
            [(name, *(f"{part.strata[name]:,}" for part in done.parts.values())) for name in strata[:_MAX_STRATA_SHOWN]],
            empty="",
        )
    if len(strata) > _MAX_STRATA_SHOWN:
        show.note(f"{len(strata) - _MAX_STRATA_SHOWN} more values stand in split.json.")
    show.findings(done.findings)
    if done.left_out:
        show.note(f"Left out, being equal to earlier rows: {done.left_out:,} (--keep-duplicates writes them).")
    shares = {"validation": done.validation, "test": done.test}
    if any(_far(done.parts[name].rows / kept, share) for name, share in shares.items() if name in done.parts):
        show.note("Shares come out near what was asked for; give numbers of rows for exact ones.")
    if done.removed_keys:
        show.note(f"Not written, since no trainer knows them: {', '.join(done.removed_keys)}.")


def _far(share: float, wanted: float) -> bool:
    return wanted < 1 and abs(share - wanted) > _FAR * wanted


def _stem(file: str) -> str:
    name = file.rstrip("/").rpartition("/")[2].partition("@")[0].partition(":")[0] if file.startswith("hf:") else Path(file).name
    return name.partition(".")[0] or "data"
