"""Watching several jobs at once: a line for each that moved on, JSON lines for programs. Watching never changes a job."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from anytune.cli import show
from anytune.cli.exits import ExitCode, exit_code
from anytune.cli.follow import line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anytune.fleet import Change
    from anytune.job import FineTuneJob

__all__ = ["watch"]


def watch(jobs: Sequence[FineTuneJob] | None, *, timeout_s: float | None, poll_s: float | None, as_json: bool) -> ExitCode:
    """Watch jobs until all have ended; None: all that have not ended.

    Returns:
        0 where all succeeded, 1 where one failed or was cancelled; else the code of the first error that ended the watch of a job.

    Raises:
        WaitTimeout: `timeout_s` seconds are over; the jobs go on.
    """
    from anytune.fleet import watch_many  # noqa: PLC0415 - keeps `--help` light

    ends: Counter[str] = Counter()
    codes: list[ExitCode] = []
    said: dict[str, str] = {}
    if not as_json:
        _places(jobs)
    try:
        for change in watch_many(jobs, timeout_s=timeout_s, poll_s=poll_s):
            if as_json:
                show.document(_described(change))
            elif change.error is not None or said.get(change.job.id) != change.snapshot.status.value:
                show.note(_line(change), "red" if change.error else None)
            said[change.job.id] = change.snapshot.status.value
            if change.error is not None:
                codes.append(exit_code(change.error))
            elif change.snapshot.status.terminal:
                ends[change.snapshot.status.value] += 1
    except KeyboardInterrupt:
        show.note("Stopped watching; the jobs go on.\n  watch them again  anytune jobs watch --all")
        return ExitCode.INTERRUPTED
    told = [f"{count} {status}" for status, count in sorted(ends.items())] + ([f"{len(codes)} not watched any more"] if codes else [])
    if not as_json:
        show.note(", ".join(told) + "." if told else "There are no jobs that have not ended.")
    if codes:
        return codes[0]
    return ExitCode.OK if set(ends) <= {"succeeded"} else ExitCode.FAILED


def _places(jobs: Sequence[FineTuneJob] | None) -> None:
    """Say what jobs wait for that are not sent yet: nothing moves until then."""
    from anytune.job import FineTuneJob  # noqa: PLC0415 - keeps `--help` light

    for job in FineTuneJob.list(status="submitting") if jobs is None else jobs:
        if job.row.submit_state == "intent" and job.row.waiting and not job.status.terminal:
            show.note(f"{job.name} ({job.id}): waits for {job.row.waiting}")


def _described(change: Change) -> dict[str, object]:
    job, snapshot, error = change
    told = {"type": type(error).__name__, "message": error.message, "fix": error.fix} if error else None
    about = {"id": job.id, "name": job.name, "backend": job.backend_name, "attempt": job.attempt, "remote_id": job.remote_id}
    return {"type": "change", "job": about, "snapshot": snapshot.model_dump(mode="json", exclude={"raw"}), "error": told}


def _line(change: Change) -> str:
    job, snapshot, error = change
    return f"{job.name} ({job.id}): {error or line(snapshot)}" + (f" · {snapshot.error}" if snapshot.error and not error else "")
