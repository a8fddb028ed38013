"""`anytune deployments list --remote`: what providers say that runs and bills, beside what the ledger knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anytune.cli import show
from anytune.errors import AnytuneError, Unsupported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anytune.backend import Backend, RemoteDeployment

__all__ = ["list_"]


def list_(word: str | None, *, as_json: bool) -> None:
    """List every host that carries anytune's mark, at one backend or at all that can be set up here and can list them.

    Raises:
        Unsupported: The backend that was named cannot list its hosts.
    """
    from anytune.runtime import runtime  # noqa: PLC0415 - keeps `--help` light

    context = runtime()
    listed: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    asked: set[tuple[str, str]] = set()
    for name in [word] if word is not None else _words():
        try:
            backend = context.backend(name)
            if not _can_list(backend, named=word is not None) or (key := (backend.name, backend.account)) in asked:
                continue
            asked.add(key)
            listed += _described(name, backend, context.retry.read(backend.list_deployments, backend=backend))
        except AnytuneError as error:
            if word is not None:
                raise
            failed.append({"backend": name, "type": type(error).__name__, "message": str(error)})
    if as_json:
        show.document({"deployments": listed, "failed": failed})
        return
    _tell(listed, failed)


def _words() -> list[str]:
    """Give the profiles and the installed backends, profiles first: they hold the settings."""
    from anytune import plugins  # noqa: PLC0415 - reads the environment's metadata
    from anytune.profiles import profiles  # noqa: PLC0415 - keeps `--help` light

    return [*dict.fromkeys((*profiles(), *plugins.installed()))]


def _can_list(backend: Backend, *, named: bool) -> bool:
    able = "list_deployments" in backend.capabilities.abilities
    if named and not able:
        raise Unsupported(
            f"Backend {backend.name!r} cannot list its hosts.",
            fix="`anytune deployments list` shows those that the ledger knows.",
            backend=backend.name,
        )
    return able


def _described(word: str, backend: Backend, hosts: Iterable[RemoteDeployment]) -> list[dict[str, Any]]:
    from anytune.runtime import runtime  # noqa: PLC0415 - keeps `--help` light

    rows = [row for row in runtime().ledger.deployments() if row.backend == backend.name and row.account == backend.account]
    by_id = {row.remote_id: row for row in rows if row.remote_id} | {row.id: row for row in rows}
    found = []
    for host in hosts:
        row = by_id.get(host.ref or "") or by_id.get(host.id)
        found.append(
            {
                "backend": word,
                "remote_id": host.id,
                "state": host.state,
                "model": host.model,
                "hourly_usd": host.hourly_usd,
                "id": row.id if row else None,
                "name": row.name if row else None,
                "expires_at": row.expires_at.isoformat() if row else None,
                "error": host.error,
            }
        )
    return found


def _tell(listed: list[dict[str, Any]], failed: list[dict[str, str]]) -> None:
    from anytune.cli.deployments import hourly  # noqa: PLC0415 - that module has this command

    show.table(
        ("backend", "remote id", "state", "model", "bills", "in the ledger"),
        [(one["backend"], one["remote_id"], one["state"], one["model"], hourly(one["hourly_usd"]), one["id"] or "no") for one in listed],
        empty="No provider that was asked has a host of anytune's.",
    )
    strangers = [one for one in listed if one["id"] is None]
    if strangers:
        show.note(
            f"{len(strangers)} of them not in this ledger: another one made them, or this one was lost. "
            "If nobody needs them, delete them at the provider.",
            "yellow",
        )
    for one in failed:
        show.note(f"{one['backend']} was not asked: {one['message']}", "yellow")
