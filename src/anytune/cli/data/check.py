"""`anytune data check`: what is wrong with data files, and in which rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import show
from anytune.cli.exits import ExitCode
from anytune.cli.progress import bytes_read
from anytune.cli.quotes import amounts
from anytune.cli.show import Json

if TYPE_CHECKING:
    from anytune.data.report import FileReport, Report, TokenCounts

__all__ = ["check"]


def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="JSONL, JSON, CSV, TSV or Parquet, also .gz and .zst; or hf:owner/name.")],
    validation: Annotated[str | None, typer.Option("--validation", metavar="FILE", help="Look for leaks between the two files.")] = None,
    backend: Annotated[
        str | None, typer.Option("--backend", "-b", help="Backend or profile that would train: its rules are applied.")
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Base model; a local one's template is applied.")] = None,
    method: Annotated[
        str | None, typer.Option("--method", help="sft, dpo, orpo, reward, clm, kto, rft: rows of another kind are errors.")
    ] = None,
    grader: Annotated[Path | None, typer.Option("--grader", metavar="FILE", help="A grader's JSON: rows must have its fields.")] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Look for near duplicates, secrets and personal data in all rows.")] = False,
    skip: Annotated[list[str] | None, typer.Option("--skip", metavar="NAME", help="Leave a check out, or a code; may be repeated.")] = None,
    encoding: Annotated[str | None, typer.Option("--encoding", help="Count tokens in o200k_base or cl100k_base.")] = None,
    as_json: Json = False,
) -> int:
    """Find what is wrong with training data: exit 0 where no error was found, 1 where one was, 2 where a file cannot be read."""
    from anytune.data.files import resolve  # noqa: PLC0415 - keeps `--help` light
    from anytune.preflight.target import check_data  # noqa: PLC0415 - as above

    path = resolve(file)
    other = resolve(validation) if validation is not None else None
    with bytes_read(f"Checking {path.name}") as progress:
        report = check_data(
            path,
            method,
            backend=backend,
            model=model,
            validation=other,
            encoding=encoding,
            grader=_grader(grader),
            deep=deep,
            skip=skip or (),
            progress=progress,
        )
    if as_json:
        show.document(report)
    else:
        _tell(path, report)
    return ExitCode.OK if report.ok else ExitCode.FAILED


def _grader(path: Path | None) -> dict[str, Any] | None:
    from anytune.errors import ConfigError  # noqa: PLC0415 - keeps `--help` light

    if path is None:
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"The grader {path} cannot be read: {error}.", fix="Give a file with the grader's JSON object.") from error
    if not isinstance(found, dict):
        raise ConfigError(f"The grader {path} is JSON, but not an object.", fix="Give the object that holds its `type`.")
    return found


def _tell(path: Path, report: Report) -> None:
    show.findings(report.findings)
    described = {path.name: _described(report)}
    if report.validation is not None:
        described["validation"] = _described(report.validation)
    if report.quote is not None:
        described["quote"] = {"estimate": ", ".join(amounts(report.quote)), "from": report.quote.basis.split("; ")}
    show.record(described)
    counts = {severity: sum(found.severity == severity for found in report.findings) for severity in ("error", "warning")}
    words = [f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts.items() if count]
    show.note(f"{' and '.join(words)}." if words else "Nothing is wrong.", "bold red" if not report.ok else "bold green")


def _described(found: FileReport) -> dict[str, object]:
    about: dict[str, object] = {
        "rows": f"{found.rows:,} of kind {found.kind or 'none'}",
        "file": f"{found.container}, {show.size(found.size_bytes)}" + ("" if found.format == "anytune" else f", read as {found.format}"),
    }
    if found.tokens is not None and found.tokens.total:
        about["tokens"] = _counted(found.tokens)
    return about | {"sha256": found.sha256}


def _counted(found: TokenCounts) -> dict[str, str]:
    return {
        "counted by": found.encoding + ("" if found.exact else " (some texts are off by a token or so)"),
        "in all": f"{found.total:,} ({found.prompt:,} read, {found.trained:,} learned)",
        "a row": ", ".join(f"{name} {value:,}" for name, value in found.percentiles.items()) + f", longest {found.longest:,}",
    }
