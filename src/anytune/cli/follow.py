"""Watching a job: a progress bar or lines on stderr for people, JSON lines on stdout for programs. Watching never changes the job."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from anytune.cli import show
from anytune.cli.durations import human
from anytune.cli.exits import ExitCode
from anytune.errors import Transient, WaitTimeout
from anytune.values import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from anytune.job import FineTuneJob
    from anytune.model import TunedModel
    from anytune.values import Event, Metric, Snapshot

__all__ = ["detached", "follow", "line", "stream"]

_EVERY_S = 10.0
"""Seconds between two progress lines where there is no terminal to draw a bar on."""


class Look:
    """What one look at a job brought that earlier ones had not."""

    def __init__(self, snapshot: Snapshot, events: tuple[Event, ...], metrics: Sequence[Metric], waiting: str = "") -> None:
        """Keep the parts; `waiting` is what the job waits for before it is sent."""
        self.waiting = waiting
        self.snapshot = snapshot
        self.events = events
        self.metrics = metrics


def looks(
    job: FineTuneJob,
    *,
    timeout_s: float | None = None,
    poll_s: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Any] = time.sleep,
) -> Iterator[Look]:
    """Look at a job again and again until it has ended. A backend that cannot be reached for a while ends nothing.

    Raises:
        JobPaused: Its host stopped it: it goes on when it is resumed.
        WaitTimeout: `timeout_s` seconds are over; the job goes on.
    """
    from anytune.naps import Nap  # noqa: PLC0415 - as below
    from anytune.observe import pauses, refuse_to_wait  # noqa: PLC0415 - brings the backend's side along

    deadline = None if timeout_s is None else clock() + timeout_s
    pause, nap = pauses(job.backend, poll_s), Nap(job.row, job.context, sleep=sleep)
    last: int | None = None
    while True:
        seen = job.observe(strict=False)
        metrics = _new_metrics(job, last)
        last = metrics[-1].step if metrics else last
        yield Look(seen.snapshot, seen.events, metrics, job.row.waiting if job.row.submit_state == "intent" else "")
        if seen.snapshot.status.terminal:
            return
        refuse_to_wait(job.row, seen.snapshot)
        if deadline is not None and clock() >= deadline:
            raise WaitTimeout(
                f"Job {job.name} is {job.status.value} after {human(timeout_s or 0)}.",
                fix=f"It goes on. Watch it again: `anytune jobs watch {job.id}`.",
                job_id=job.id,
            )
        nap(pause(seen))


def follow(job: FineTuneJob, *, timeout_s: float | None = None, poll_s: float | None = None) -> TunedModel:
    """Show a job's progress on stderr until it has ended, and give its model.

    Raises:
        JobFailed: It failed or was cancelled.
        WaitTimeout: `timeout_s` seconds are over; the job goes on.
    """
    if job.backend.capabilities.local and job.host != _here():
        show.note(f"Job {job.name} runs on {job.host}: what is shown is what that machine reported.")
    with _display(job) as update:
        for look in looks(job, timeout_s=timeout_s, poll_s=poll_s):
            update(look)
    return job.result()


def stream(job: FineTuneJob, *, timeout_s: float | None = None, poll_s: float | None = None) -> None:
    """Print every event, metric and changed snapshot as a JSON line on stdout until the job has ended."""
    before: dict[str, Any] | None = None
    for look in looks(job, timeout_s=timeout_s, poll_s=poll_s):
        for event in look.events:
            show.document({"type": "event", **event.model_dump(mode="json")})
        for metric in look.metrics:
            show.document({"type": "metric", **metric.model_dump(mode="json")})
        now = look.snapshot.model_dump(mode="json", exclude={"raw", "observed_at"}) | ({"waiting": look.waiting} if look.waiting else {})
        if now != before:
            show.document({"type": "snapshot", **now})
        before = now


def detached(job: FineTuneJob, *, as_json: bool) -> ExitCode:
    """Say after Ctrl-C that the job goes on, or is not sent yet, and how to come back."""
    again = f"anytune jobs watch {job.id}"
    waits = job.row.submit_state == "intent" and not job.status.terminal
    stays = f"job {job.name} is not sent yet, and will be once somebody waits for it" if waits else f"job {job.name} goes on"
    if as_json:
        told = {"type": "Interrupted", "message": "Stopped watching; the job goes on.", "fix": f"`{again}`", "job_id": job.id}
        show.document({"error": told})
    show.note(f"Stopped watching; {stays}.\n  watch it again  {again}\n  end it          anytune jobs cancel {job.id}")
    return ExitCode.INTERRUPTED


def line(snapshot: Snapshot, loss: float | None = None) -> str:
    """Write progress as one line.

    Example:
        >>> from anytune.values import Snapshot
        >>> line(Snapshot(id="j", status=Status.RUNNING, step=3, total_steps=14, tokens_per_second=86.0, eta_s=70.0), 0.5)
        'running · step 3/14 · loss 0.500 · 86 tokens/s · 1m 10s left'
    """
    parts = [snapshot.status.value]
    if snapshot.step is not None:
        parts.append(f"step {snapshot.step}" + (f"/{snapshot.total_steps}" if snapshot.total_steps else ""))
    if loss is not None:
        parts.append(f"loss {loss:.3f}")
    if snapshot.status is Status.RUNNING and snapshot.tokens_per_second:
        parts.append(f"{snapshot.tokens_per_second:.0f} tokens/s")
    if snapshot.status is Status.RUNNING and snapshot.eta_s is not None:
        parts.append(f"{human(snapshot.eta_s)} left")
    return " · ".join(parts)


def _new_metrics(job: FineTuneJob, last: int | None) -> Sequence[Metric]:
    try:
        return job.metrics(after=last)
    except Transient:  # the next look brings them
        return []


def _here() -> str:
    from anytune.paths import host  # noqa: PLC0415 - keeps `--help` light

    return host()


@contextmanager
def _display(job: FineTuneJob) -> Iterator[Callable[[Look], None]]:
    console = show.notes()
    if not console.is_terminal:
        yield _Lines()
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - only on terminals

    columns = (TextColumn("{task.fields[name]}"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=False) as progress:
        task = progress.add_task(job.status.value, total=None, name=show.plain(job.name))
        losses: list[float] = []

        def update(look: Look) -> None:
            losses.extend(metric.values["loss"] for metric in look.metrics if "loss" in metric.values)
            for event in look.events:
                progress.console.print(show.plain(event.message), style=None if event.level == "info" else "yellow")
            seen = look.snapshot
            said = f"waits for {look.waiting}" if look.waiting else line(seen, losses[-1] if losses else None)
            progress.update(task, completed=seen.step or 0, total=seen.total_steps, description=show.plain(said))

        yield update


class _Lines:
    """Progress where there is no terminal: events as they come, and a line now and then."""

    def __init__(self) -> None:
        self._loss: float | None = None
        self._said: tuple[Status | None, int | None] = (None, None)
        self._waiting = ""
        self._at = 0.0

    def __call__(self, look: Look) -> None:
        """Print what is new."""
        for event in look.events:
            show.note(event.message)
        for metric in look.metrics:
            self._loss = metric.values.get("loss", self._loss)
        seen = look.snapshot
        if look.waiting:
            if look.waiting != self._waiting:
                show.note(f"waits for {look.waiting}")
            self._waiting = look.waiting
            return
        now = time.monotonic()
        moved = seen.status is not self._said[0] or (seen.step != self._said[1] and now - self._at >= _EVERY_S)
        if moved:
            show.note(line(seen, self._loss))
            self._said, self._at = (seen.status, seen.step), now
