"""`anytune serve keys`: who may ask the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from anytune.cli import show
from anytune.cli.show import Json

if TYPE_CHECKING:
    from datetime import datetime

    from anytune.server.book.keys import Keys
    from anytune.server.book.rows import KeyRow

__all__ = ["app"]

app = typer.Typer(help="Who may ask the server.", no_args_is_help=True)


@app.command()
def add(
    owner: Annotated[str, typer.Argument(help="Whose things the key may touch: a person, a team, an app.")],
    label: Annotated[str, typer.Option(help="A remark for people.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="It may see everybody's, and the metrics.")] = False,
    requests_per_minute: Annotated[int | None, typer.Option(min=1, help="Requests of this key in a minute.")] = None,
    live_jobs: Annotated[int | None, typer.Option(min=1, help="Jobs of its owner that have not ended.")] = None,
    storage_bytes: Annotated[int | None, typer.Option(min=1, help="Bytes of files of its owner.")] = None,
    as_json: Json = False,
) -> None:
    """Make a key, and show it this once. A server that runs takes it at once."""
    row, key = _keys().add(
        owner,
        label=label,
        admin=admin,
        requests_per_minute=requests_per_minute,
        live_jobs=live_jobs,
        storage_bytes=storage_bytes,
    )
    if as_json:
        show.document(_described(row) | {"key": key})
        return
    show.result(key)
    show.note(f"Key {row.id} of {row.owner}. It is shown this once. Take it out of force: anytune serve keys revoke {row.id}")


@app.command("list")
def list_(
    every: Annotated[bool, typer.Option("--all", help="Also those that were revoked.")] = False,
    as_json: Json = False,
) -> None:
    """List the keys, without the keys themselves: only a hash of each is kept."""
    rows = [row for row in _keys().listed() if every or row.revoked_at is None]
    if as_json:
        show.document([_described(row) for row in rows])
        return
    shown = [(row.id, row.owner, "admin" if row.admin else "", row.label, _limits(row), _day(row.used_at), _state(row)) for row in rows]
    show.table(
        ("id", "owner", "role", "label", "limits", "last used", "state"), shown, empty="No keys. Make one: anytune serve keys add OWNER"
    )


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="Its id, or the first characters of it.")], as_json: Json = False
) -> None:
    """Take a key out of force. A server that runs refuses it within 5 seconds; its owner's files and jobs stay."""
    row = _keys().revoke(key_id)
    if as_json:
        show.document(_described(row))
        return
    show.note(f"Key {row.id} of {row.owner} is out of force.")


def _keys() -> Keys:
    from anytune.runtime import runtime  # noqa: PLC0415 - keeps `--help` light
    from anytune.server.book.keys import Keys  # noqa: PLC0415 - as above
    from anytune.values import now  # noqa: PLC0415 - as above

    return Keys(runtime().ledger.database, now)


def _described(row: KeyRow) -> dict[str, Any]:
    return row.model_dump(mode="json", exclude={"digest"})


def _limits(row: KeyRow) -> str:
    found = (
        (row.requests_per_minute, f"{row.requests_per_minute} requests/min"),
        (row.live_jobs, f"{row.live_jobs} live jobs"),
        (row.storage_bytes, f"{show.size(row.storage_bytes or 0)} of files"),
    )
    return ", ".join(text for limit, text in found if limit is not None)


def _day(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _state(row: KeyRow) -> str:
    return "in force" if row.revoked_at is None else f"revoked {_day(row.revoked_at)}"
