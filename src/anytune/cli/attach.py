"""`anytune jobs attach`: jobs that anytune did not make come into the ledger, one by one or all that an account holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import show
from anytune.cli.exits import ExitCode, exit_code
from anytune.cli.show import Json
from anytune.errors import AnytuneError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anytune.job import FineTuneJob

__all__ = ["attach"]


def attach(
    backend: Annotated[str, typer.Argument(help="Backend or profile.")],
    remote_ids: Annotated[list[str] | None, typer.Argument(metavar="[REMOTE_ID]...", help="The backend's own ids of the jobs.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call the one job here; its own id by default.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All jobs of the account that the ledger does not know yet.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="With --all: look at so many at most, the newest first.")] = 100,
    as_json: Json = False,
) -> int:
    """Take in jobs that anytune did not create. Nothing is changed at the provider; attaching again is no error."""
    from anytune.cli import jobs  # noqa: PLC0415 - that module has this command

    ids = list(dict.fromkeys(remote_ids or ()))
    if every == bool(ids):
        raise typer.BadParameter("Give the ids of jobs, or --all.")
    if name is not None and len(ids) != 1:
        raise typer.BadParameter("--name is for one job.")
    if len(ids) == 1:
        jobs.said(_attached(backend, ids[0], name), as_json=as_json)
        return ExitCode.OK
    known: list[str] = []
    if every:
        ids, known = _unknown(backend, limit)
    taken, failed = [], []
    for remote_id in ids:
        try:
            taken.append(_attached(backend, remote_id, None))
        except AnytuneError as error:
            failed.append((remote_id, error))
    more = every and len(ids) + len(known) >= limit
    if as_json:
        told = [{"remote_id": remote_id, "type": type(error).__name__, "message": str(error)} for remote_id, error in failed]
        attached = [jobs.described(job) | {"answers_until": jobs.last_day(job)} for job in taken]
        show.document({"attached": attached, "known": known, "failed": told, "more": more})
    else:
        _tell(taken, known, failed)
        if more:
            show.note(f"There may be more: only the newest {limit} were looked at. `--limit {limit * 10}` looks at more.")
    return exit_code(failed[0][1]) if failed else ExitCode.OK


def _attached(backend: str, remote_id: str, name: str | None) -> FineTuneJob:
    from anytune.job import FineTuneJob  # noqa: PLC0415 - keeps `--help` light

    return FineTuneJob.attach(backend, remote_id, name=name)


def _unknown(word: str, limit: int) -> tuple[list[str], list[str]]:
    """Give the ids of the account's jobs that the ledger does not have, oldest first, and of those that it has.

    A job that carries the tag of a row here is known too: that row waits for its answer, and finds it by itself.
    """
    from anytune.runtime import runtime  # noqa: PLC0415 - keeps `--help` light

    context = runtime()
    backend = context.backend(word)
    listed = context.retry.read(lambda: backend.list_jobs(limit), backend=backend)[:limit]
    rows = [row for row in context.ledger.jobs(backend=backend.name) if row.account == backend.account]
    ids, refs = {row.remote_id for row in rows}, {row.id for row in rows}
    known = [job.id for job in listed if job.id in ids or job.ref in refs]
    return [job.id for job in reversed(listed) if job.id not in known], known


def _tell(taken: list[FineTuneJob], known: list[str], failed: list[tuple[str, AnytuneError]]) -> None:
    from anytune.cli.jobs import last_day  # noqa: PLC0415 - that module has this command

    show.table(
        ("id", "name", "status", "model", "answers until"),
        [(job.id, job.name, job.status.value, job.snapshot.model.id if job.snapshot.model else "", last_day(job)) for job in taken],
        empty="There was nothing to attach.",
    )
    for line in _remarks(known, failed):
        show.note(line, "yellow" if failed else None)


def _remarks(known: list[str], failed: list[tuple[str, Any]]) -> Iterator[str]:
    if known:
        yield f"{len(known)} known already." if len(known) > 1 else f"{known[0]} is known already."
    for remote_id, error in failed:
        yield f"{remote_id}: {error}"
