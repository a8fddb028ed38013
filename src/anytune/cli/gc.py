"""`anytune gc`: delete what nobody needs any more, sizes first."""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from anytune.cli import show
from anytune.cli.show import Json

if TYPE_CHECKING:
    from anytune.cli.rubbish import Rubbish
    from anytune.ledger import Ledger

__all__ = ["gc"]


def gc(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Delete without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show only.")] = False,
    as_json: Json = False,
) -> None:
    """Show what nobody needs any more, with sizes, and delete it.

    Run folders of jobs that failed, were cancelled or removed; checkpoints of jobs that succeeded; copies of training data; records of
    ended local tasks. Never what a job that has not ended or a running deployment needs, nor a model that
    `anytune serve` offers.
    """
    from anytune.cli.rubbish import find  # noqa: PLC0415 - keeps `--help` light
    from anytune.errors import ConfigError  # noqa: PLC0415 - as above
    from anytune.paths import home  # noqa: PLC0415 - as above
    from anytune.runtime import runtime  # noqa: PLC0415 - as above

    ledger = runtime().ledger
    shown = find(home(), ledger)
    if not yes and not dry_run and shown and (as_json or not sys.stdin.isatty()):
        raise ConfigError("Nobody is there to ask.", fix="Say `--yes` to delete, or `--dry-run` to see what would go.")
    if not as_json:
        _table(shown)
    if dry_run or not shown or not (yes or typer.confirm("Delete all of it?", err=True)):
        if as_json:
            _document(shown, deleted=False)
        return
    # While somebody was asked, a job may have begun to need some of it: only what is still rubbish goes.
    agreed = {rubbish.path for rubbish in shown}
    going = [rubbish for rubbish in find(home(), ledger) if rubbish.path in agreed]
    for rubbish in going:
        _delete(rubbish, ledger)
    if as_json:
        _document(going, deleted=True)
    else:
        show.note(f"Deleted {show.size(_sum(going))}.")


def _delete(rubbish: Rubbish, ledger: Ledger) -> None:
    import shutil  # noqa: PLC0415 - keeps `--help` light

    from anytune import local  # noqa: PLC0415 - as above
    from anytune.paths import host  # noqa: PLC0415 - as above

    if rubbish.kind == "task":
        local.remove(rubbish.ref)
        return
    if rubbish.kind == "file":  # forgotten first: a job that begins now sends it again
        for backend, account in {("trl", host()), *((row.backend, row.account) for row in ledger.jobs())}:
            held = ledger.remote_file(backend, account, rubbish.ref)
            if held is not None and held.id in {str(rubbish.path), rubbish.ref, rubbish.path.name}:
                ledger.forget_remote_file(backend, account, rubbish.ref)
        rubbish.path.unlink(missing_ok=True)
        return
    # Renamed first: half a run folder must not be found under its name.
    doomed = rubbish.path.with_name(f".removed-{rubbish.path.name}-{secrets.token_hex(4)}")
    rubbish.path.rename(doomed)
    shutil.rmtree(doomed)


def _table(found: list[Rubbish]) -> None:
    rows = [(one.kind, one.path, show.size(one.size_bytes), one.why) for one in found]
    show.table(("what", "where", "size", "why it can go"), rows, empty="Nothing can go: everything is needed.")
    if found:
        show.note(f"{show.size(_sum(found))} in all.")


def _document(found: list[Rubbish], *, deleted: bool) -> None:
    show.document({"deleted": deleted, "size_bytes": _sum(found), "items": found})


def _sum(found: list[Rubbish]) -> int:
    return sum(one.size_bytes for one in found)
