"""What is drawn on stderr while a long file is read or many questions are asked; nothing at all where stderr is no terminal."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anytune.cli import show

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["bytes_read", "questions_asked", "rows_read"]


@contextmanager
def bytes_read(what: str) -> Iterator[Callable[[int, int], object] | None]:
    """Give a function that takes the bytes read so far and the bytes in all, and draws them; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 - only on terminals

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=show.notes(), transient=True) as bar:
        task = bar.add_task(show.plain(what), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def rows_read(what: str) -> Iterator[Callable[[int], object] | None]:
    """Give a function that takes the number of rows read so far, and draws it; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.markup import escape  # noqa: PLC0415 - only on terminals
    from rich.status import Status  # noqa: PLC0415 - as above

    told = escape(show.plain(what))
    with Status(told, console=show.notes()) as status:
        yield lambda rows: status.update(f"{told}: {rows:,} rows")


@contextmanager
def questions_asked(what: str) -> Iterator[Callable[[int, int], object] | None]:
    """Give a function that takes the questions answered so far and those in all, and draws them; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 - only on terminals

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=show.notes(), transient=True) as bar:
        task = bar.add_task(show.plain(what), total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)
