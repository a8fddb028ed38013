"""The ledger as it lies on disk after a crash, read without anytune, and what must be true of it beside what the provider has."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.worlds import Made

TERMINAL = {"succeeded", "failed", "cancelled"}


class Broken(AssertionError):
    """A guarantee does not hold; the text begins with its number."""


class Seen(NamedTuple):
    """The rows of a ledger."""

    jobs: list[dict[str, Any]]
    hosts: list[dict[str, Any]]


def read(folder: Path) -> Seen:
    """Read a ledger, as SQLite opens it after a crash; it must be whole."""
    path = folder / "ledger.db"
    if not path.exists() or path.stat().st_size == 0:
        return Seen([], [])
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.row_factory = sqlite3.Row
        sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
        if sound != "ok" or connection.execute("PRAGMA foreign_key_check").fetchall():
            raise Broken(f"G5: the ledger is damaged: {sound}")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'anytune_jobs'").fetchall():
            return Seen([], [])
        return Seen(
            *([dict(row) for row in connection.execute(f"SELECT * FROM {table}")] for table in ("anytune_jobs", "anytune_deployments"))
        )


def check_crashed(seen: Seen, made: list[Made], hosts: list[str]) -> None:
    """Hold a ledger against the provider right after a crash, before anything is mended."""
    sent = [row for row in seen.jobs if row["fence"] > 0]
    if made and not sent:
        raise Broken(f"G1: the provider has {made}, and no row was about to be sent")
    for row in seen.jobs:
        if row["remote_id"] is not None and row["remote_id"] not in {job.id for job in made}:
            raise Broken(f"G3: row {row['id']} names {row['remote_id']}, which the provider never made")
    known = {row["id"] for row in seen.hosts}
    if strangers := [ref for ref in hosts if ref not in known]:
        raise Broken(f"G1: hosts {strangers} have no row")
    _check_hosts(seen, hosts)


def check_ended(before: list[Seen], seen: Seen, made: list[Made], hosts: list[str], *, cancelled: bool) -> None:
    """Hold a ledger against the provider once the same script ran to its end.

    Args:
        before: The ledger after each crash.
        seen: The ledger now.
        made: The provider's jobs.
        hosts: The provider's live hosts.
        cancelled: The script asked for the job's end.
    """
    if live := [job for job in made if job.live]:
        raise Broken(f"G2: {live} are live, though their jobs have ended")
    if len(made) != len(seen.jobs):
        raise Broken(f"G2: {len(made)} jobs were made for {len(seen.jobs)} keys: {made}")
    final = {row["id"]: row for row in seen.jobs}
    if {row["remote_id"] for row in seen.jobs} != {job.id for job in made}:
        raise Broken(f"G3: {made} are not the jobs of the ledger: {seen.jobs}")
    for row in seen.jobs:
        if row["status"] != ("cancelled" if cancelled else "succeeded"):
            raise Broken(f"G6: job {row['name']} ended as {row['status']}: {row['error']}")
    _check_moves(before, final)
    if hosts:
        raise Broken(f"G7: {hosts} still cost money after they were stopped")
    if alive := [row["id"] for row in seen.hosts if row["state"] != "gone"]:
        raise Broken(f"G7: {alive} were stopped, and are not gone in the ledger")
    _check_hosts(seen, hosts)


def _check_moves(before: list[Seen], final: dict[str, dict[str, Any]]) -> None:
    for row in (row for earlier in before for row in earlier.jobs):
        now = final.get(row["id"])
        if now is None:
            raise Broken(f"G3: row {row['id']} is gone")
        if row["status"] in TERMINAL and row["status"] != now["status"]:
            raise Broken(f"G4: {row['status']} was overwritten by {now['status']}")
        if row["remote_id"] not in {None, now["remote_id"]}:
            raise Broken(f"G4: the remote job changed from {row['remote_id']} to {now['remote_id']}")


def _check_hosts(seen: Seen, hosts: list[str]) -> None:
    for row in seen.hosts:
        if row["state"] == "gone" and row["id"] in hosts:
            raise Broken(f"G7: host {row['id']} is gone in the ledger, and costs money at the provider")
        asked, ends = (datetime.fromisoformat(row[name]) for name in ("created_at", "expires_at"))
        if ends - asked != timedelta(seconds=row["ttl_s"]) or row["ttl_s"] <= 0:
            raise Broken(f"G7: host {row['id']} has no time to live")
