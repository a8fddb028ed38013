"""`anytune reap`: end what is over its time or its budget, as cron does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import show
from anytune.cli.exits import ExitCode, exit_code
from anytune.cli.show import Json
from anytune.cli.words import known

if TYPE_CHECKING:
    from anytune.errors import AnytuneError
    from anytune.upkeep.reap import Reaped

__all__ = ["reap"]


def reap(
    backend: Annotated[str | None, typer.Option("--backend", "-b", help="Only this backend or profile.")] = None,
    as_json: Json = False,
) -> int:
    """End hosts that are over their time and jobs that are over their budget; made to be run by cron. Fails while something may bill on."""
    from anytune.upkeep import reap as upkeep  # noqa: PLC0415 - keeps `--help` light

    known(backend)
    done = upkeep.reap(backend=backend)
    _tell(done)
    if as_json:
        show.document(_plain(done))
    return exit_code(done.errors[0]) if done.errors else ExitCode.OK


def _tell(done: Reaped) -> None:
    for host in done.gone:
        show.note(f"{host.id} ({host.name}) was over its time, and is gone.")
    for host, error in done.failed:
        show.note(f"{host.id} ({host.name}) may still cost money: {error}", "bold red")
    for row in done.ended:
        show.note(f"Job {row.id} ({row.name}) is being ended: {row.error}")
    for row, error in done.unheld:
        show.note(f"Job {row.id} ({row.name}) may run over its budget, since it cannot be looked at: {error}", "bold red")
    for word, error in done.unwatched:
        show.note(f"Nobody watches {word} until the next `anytune reap`: {error}", "yellow")
    if not (done.gone or done.failed or done.ended or done.unheld):
        show.note("Nothing is over its time or its budget.")


def _plain(done: Reaped) -> dict[str, Any]:
    from anytune.cli.deployments import described  # noqa: PLC0415 - keeps `--help` light

    return {
        "stopped": [described(host) for host in done.gone],
        "failed": [{"id": host.id, "name": host.name, **_error(error)} for host, error in done.failed],
        "ended": [{"id": row.id, "name": row.name, "status": row.status.value, "reason": row.error} for row in done.ended],
        "held": [row.id for row in done.held],
        "unheld": [{"id": row.id, "name": row.name, **_error(error)} for row, error in done.unheld],
        "unwatched": [{"backend": word, **_error(error)} for word, error in done.unwatched],
    }


def _error(error: AnytuneError) -> dict[str, str]:
    return {"type": type(error).__name__, "message": str(error)}
