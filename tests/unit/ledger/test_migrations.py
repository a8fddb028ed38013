"""A ledger of every released schema is moved forward with all that is in it, in either database; a newer one is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Boolean, DateTime, MetaData, inspect, select, types

import anytune.ledger
from anytune.errors import LedgerError
from anytune.ledger import Ledger
from anytune.ledger.migrate import HEAD, SCHEMA_TABLE
from anytune.ledger.server_tables import metadata
from anytune.values import Snapshot, Status

RELEASED = ["0001", "0002", "0003", "0004"]
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
JOB = "01JD0000000000000000000000"

REAL = {
    "anytune_jobs.id": JOB,
    "anytune_jobs.backend": "memory",
    "anytune_jobs.account": "default",
    "anytune_jobs.name": "recipes",
    "anytune_jobs.attempt": 1,
    "anytune_jobs.submit_state": "submitted",
    "anytune_jobs.status": "succeeded",
    "anytune_jobs.data": {},
    "anytune_jobs.losses": [],
    "anytune_jobs.findings": [],
    "anytune_jobs.sender": None,
    "anytune_jobs.snapshot": {"id": "r-1", "status": "succeeded"},
    "anytune_jobs.estimate": {"basis": "told", "cost_usd": 1.25},
    "anytune_jobs.model_ref": {"kind": "hosted", "id": "ft:m"},
    "anytune_events.level": "info",
    "anytune_metrics.numbers": {"loss": 0.5},
    "anytune_files.backend": "memory",
    "anytune_files.account": "default",
    "anytune_files.sha256": "a" * 64,
    "anytune_files.remote_id": "file-1",
    "anytune_files.sender": None,
    "anytune_deployments.id": "01JD0000000000000000000001",
    "anytune_deployments.state": "ready",
    "anytune_deployments.model": {"kind": "hosted", "id": "ft:m"},
    "anytune_deployments.adapters": {},
    "anytune_deployments.address": None,
}
"""What stands in a column where any value of its type would not do."""

pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def database(request, monkeypatch, postgres_or_none):
    """An empty database, so that an older schema can be made in it."""
    monkeypatch.delenv("ANYTUNE_LEDGER", raising=False)
    if postgres_or_none is None:
        yield "sqlite"
        return
    with postgres_or_none.empty() as url:
        monkeypatch.setenv("ANYTUNE_LEDGER", url)
        yield "postgresql"


@pytest.fixture(params=["sqlite", "postgresql"])
def postgres_or_none(request):
    return request.getfixturevalue("postgres") if request.param == "postgresql" else None


@pytest.fixture
def older(home, monkeypatch):
    """Make a ledger of an older schema, with a row in each of its tables; give its UUID and its rows by table."""

    def made(revision):
        with monkeypatch.context() as patch:
            patch.setattr("anytune.ledger.migrate.HEAD", revision)
            with Ledger.open() as ledger, ledger.database.write() as connection:
                tables = reflected(connection)
                for table in tables:
                    if table.name != "anytune_facts":
                        connection.execute(
                            table.insert().values({each.name: value(each) for each in table.columns if each.name != "sequence"})
                        )
                return ledger.uuid, {table.name: rows_of(connection, table) for table in tables if table.name != "anytune_facts"}

    return made


def reflected(connection):
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != SCHEMA_TABLE]


def rows_of(connection, table):
    return [dict(row._mapping) for row in connection.execute(select(table))]


def value(column):
    given = f"{column.table.name}.{column.name}"
    if given in REAL:
        return REAL[given]
    if column.foreign_keys:
        target = next(iter(column.foreign_keys)).column
        return value(target)
    kinds = {JSON: {"a": [1, 2.5, None, "b"]}, Boolean: False, DateTime: NOON, types.Float: 1.5, types.Integer: 3}
    return next((each for kind, each in kinds.items() if isinstance(column.type, kind)), column.name[:16])


@pytest.mark.parametrize("revision", RELEASED)
def test_every_row_of_an_older_schema_is_kept(older, revision):
    uuid, before = older(revision)
    with Ledger.open() as ledger, ledger.database.read() as connection:
        assert ledger.uuid == uuid
        after = {table.name: rows_of(connection, table) for table in reflected(connection)}
    for name, rows in before.items():
        assert [{column: row[column] for column in rows[0]} for row in after[name]] == rows


@pytest.mark.parametrize("revision", RELEASED)
def test_a_ledger_that_was_moved_forward_is_read_and_goes_on(older, revision):
    older(revision)
    with Ledger.open() as ledger:
        row = ledger.job("recipes")
        assert (row.id, row.status, row.remote_id, row.observation, row.waiting) == (JOB, Status.SUCCEEDED, "remote_id", 0, "")
        assert (row.estimate is None) == (revision == "0001")
        assert [event.level for event in ledger.events(JOB)] == ["info"]
        assert [metric.values for metric in ledger.metrics(JOB)] == [{"loss": 0.5}]
        assert ledger.remote_file("memory", "default", "a" * 64).id == "file-1"
        assert [host.state for host in ledger.deployments(live=True)] == ["ready"]
        key = {"backend": "memory", "account": "default", "profile": None, "remote_id": "r-2", "name": "next", "host": None}
        assert ledger.attach(**key, snapshot=Snapshot(id="r-2", status=Status.RUNNING)).sequence > row.sequence


@pytest.mark.parametrize("revision", RELEASED)
def test_every_way_forward_ends_in_the_tables_that_the_code_describes(older, revision):
    older(revision)
    with Ledger.open() as ledger, ledger.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": SCHEMA_TABLE, "compare_type": False})
        assert compare_metadata(context, metadata) == []


def test_a_ledger_of_the_newest_schema_is_not_touched(older):
    uuid, before = older(HEAD)
    with Ledger.open() as ledger, ledger.database.read() as connection:
        assert ledger.uuid == uuid
        assert {table.name: rows_of(connection, table) for table in reflected(connection) if table.name in before} == before


def test_the_newest_revision_is_the_one_the_code_knows():
    config = Config()
    config.set_main_option("script_location", str(Path(anytune.ledger.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_newer_schema_is_refused_by_name():
    with Ledger.open() as ledger, ledger.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE {SCHEMA_TABLE} SET version_num='0099'")
        connection.exec_driver_sql("UPDATE anytune_facts SET value='7.3.0' WHERE key='migrated_by'")
    with pytest.raises(LedgerError, match=r"schema 0099, made by anytune 7\.3\.0; this is anytune .*pip install \"anytune>=7\.3\.0\""):
        Ledger.open()


@pytest.mark.parametrize("revision", RELEASED[:1])
def test_processes_that_move_a_ledger_forward_at_once_do_it_once(older, revision):
    uuid, before = older(revision)
    command = [sys.executable, "-c", "from anytune.ledger import Ledger; ledger = Ledger.open(); print(ledger.uuid, len(ledger.jobs()))"]
    openers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ) for _ in range(3)]
    results = [opener.communicate(timeout=60) for opener in openers]
    assert [opener.returncode for opener in openers] == [0] * 3, results
    assert {out.strip() for out, _ in results} == {f"{uuid} {len(before['anytune_jobs'])}"}


STOPPED = """
import os, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from anytune.ledger import Ledger
seen = [0]
@event.listens_for(Engine, sys.argv[1])
def _(*arguments):
    statement = arguments[2] if len(arguments) > 2 else "COMMIT"
    if statement.startswith(("ALTER", "CREATE", "INSERT", "UPDATE", "COMMIT")):
        seen[0] += 1
        if seen[0] == int(sys.argv[2]):
            os._exit(9)
Ledger.open()
"""


@pytest.mark.parametrize(("moment", "nth"), [("after_cursor_execute", 2), ("after_cursor_execute", 8), ("commit", 2)])
def test_a_migration_that_is_killed_half_way_is_undone_and_the_next_open_completes_it(older, moment, nth):
    uuid, before = older("0002")
    killed = subprocess.run([sys.executable, "-c", STOPPED, moment, str(nth)], env=os.environ, check=False)
    assert killed.returncode == 9
    with Ledger.open() as ledger, ledger.database.read() as connection:
        assert ledger.uuid == uuid
        assert set(inspect(connection).get_table_names()) == {*metadata.tables, SCHEMA_TABLE}
        assert len(ledger.jobs()) == len(before["anytune_jobs"])
