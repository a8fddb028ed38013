"""`anytune quickstart`: see a small real model get better at a task, here, in minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anytune.cli import show
from anytune.cli.exits import ExitCode
from anytune.cli.show import Json

if TYPE_CHECKING:
    from anytune.cli.quickstart.story import Report

__all__ = ["quickstart"]


def quickstart(as_json: Json = False) -> int:
    """Train the starter model to read recipes, deploy it, and compare it with its base.

    A few hundred recipes come with anytune; no network is needed. What is asked at the end was not trained on. Takes minutes on two CPU
    cores; each call trains anew.
    """
    from anytune.cli.quickstart import story  # noqa: PLC0415 - keeps `--help` light

    try:
        report = story.tell()
    except KeyboardInterrupt:
        show.note(f"Stopped; a training that began goes on. End it: anytune jobs cancel {story.NAME}")
        raise
    if as_json:
        show.document(report.figures())
    else:
        _print(report)
    return ExitCode.OK


def _print(report: Report) -> None:
    show.table(
        ("", "exact match", f"of {report.rows} held-out recipes"),
        [
            ("base", f"{report.base_exact_match:.2f}", round(report.base_exact_match * report.rows)),
            ("tuned", f"{report.tuned_exact_match:.2f}", round(report.tuned_exact_match * report.rows)),
        ],
        empty="",
    )
    for example in report.examples:
        show.result(
            f"\n{example.recipe}\n  expected  {example.expected}\n  base      {_line(example.base)}\n  tuned     {_line(example.tuned)}"
        )
    speed = f" at {report.tokens_per_second:.0f} tokens/s" if report.tokens_per_second else ""
    show.result(f"\nTrained in {report.train_seconds:.0f} s{speed}; {report.total_seconds:.0f} s in all.")
    show.note(f"Ask it yourself: anytune deploy {report.job_id}, then anytune chat. With your own rows: docs/how-to/own-data.md.")


def _line(text: str) -> str:
    return " ".join(text.split())
