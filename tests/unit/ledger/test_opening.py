"""Opening a ledger: where it lies, who may read it, which journal, which schema."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import anytune.ledger
from anytune.errors import ConfigError, LedgerError
from anytune.ledger import Ledger
from anytune.ledger.engine import journal_for, network_file_system, open_database
from anytune.ledger.migrate import HEAD, SCHEMA_TABLE
from anytune.ledger.server_tables import metadata

JOB_OF_0001 = """
INSERT INTO anytune_jobs (id, backend, account, name, attempt, spec, spec_hash, outcome, model, data, resolved, losses, findings,
  submit_state, fence, status, cancel_requested, remote_id, error, cost_usd, created_at, updated_at)
VALUES ('01JD0000000000000000000000', 'memory', 'default', 'recipes', 1, '{}', '1:00', '{}', 'm', '{}', '{}', '[]', '[]',
  'submitted', 1, 'succeeded', false, 'r-1', '', 1.5, '2026-11-22 12:00:00', '2026-11-22 12:05:00')
"""

pytestmark = pytest.mark.usefixtures("home")


def pragma(ledger_or_database, name):
    with getattr(ledger_or_database, "database", ledger_or_database).read() as connection:
        return connection.exec_driver_sql(f"PRAGMA {name}").scalar()


@pytest.mark.parametrize(
    ("version", "journal"),
    [
        ((3, 40, 1), "delete"),
        ((3, 44, 5), "delete"),
        ((3, 44, 6), "wal"),
        ((3, 45, 0), "delete"),
        ((3, 50, 6), "delete"),
        ((3, 50, 7), "wal"),
        ((3, 51, 0), "delete"),
        ((3, 51, 2), "delete"),
        ((3, 51, 3), "wal"),
        ((3, 53, 0), "wal"),
    ],
)
def test_the_journal_is_wal_only_where_sqlite_does_not_corrupt_it(version, journal):
    assert journal_for(version) == journal


def test_every_commit_is_synced_and_foreign_keys_hold(ledger):
    assert pragma(ledger, "synchronous") == 2
    assert pragma(ledger, "foreign_keys") == 1
    assert pragma(ledger, "journal_mode") == journal_for(sqlite3.sqlite_version_info)
    assert pragma(ledger, "busy_timeout") == 30_000


def test_a_new_file_is_wal_with_a_sound_sqlite_and_goes_back_with_an_affected_one(tmp_path):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    sound = open_database(url, sqlite_version=(3, 53, 0))
    assert pragma(sound, "journal_mode") == "wal"
    sound.close()
    affected = open_database(url, sqlite_version=(3, 40, 1))
    assert pragma(affected, "journal_mode") == "delete"
    affected.close()


def test_a_wal_file_in_use_is_refused_by_an_affected_sqlite(tmp_path):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    sound, affected = open_database(url, sqlite_version=(3, 53, 0)), open_database(url, sqlite_version=(3, 40, 1))
    with sound.write() as connection:
        connection.exec_driver_sql("CREATE TABLE t (x)")
    with sound.read() as connection:
        connection.exec_driver_sql("SELECT * FROM t")
        with pytest.raises(LedgerError, match="WAL mode"), affected.read():
            pass
    affected.close()
    sound.close()


def test_only_the_owner_can_read_the_ledger(ledger, home):
    assert (home / "ledger.db").stat().st_mode & 0o777 == 0o600
    assert home.stat().st_mode & 0o777 == 0o700


def test_a_ledger_that_others_could_read_is_closed_to_them(home):
    Ledger.open().close()
    (home / "ledger.db").chmod(0o664)
    Ledger.open().close()
    assert (home / "ledger.db").stat().st_mode & 0o777 == 0o600


def test_a_url_in_the_environment_says_where(monkeypatch, tmp_path):
    monkeypatch.setenv("ANYTUNE_LEDGER", f"sqlite:///{tmp_path / 'deep' / 'team.db'}")
    Ledger.open().close()
    assert (tmp_path / "deep" / "team.db").exists()
    assert (tmp_path / "deep").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/x", "not a url"])
def test_what_cannot_hold_a_ledger_is_refused(url):
    with pytest.raises(ConfigError, match="ANYTUNE_LEDGER"):
        Ledger.open(url)


def test_a_password_in_the_url_is_not_shown(tmp_path):
    database = open_database(f"sqlite:///{tmp_path}/x.db") if not _psycopg() else open_database("postgresql://me:hunter2@127.0.0.1:1/none")
    assert "hunter2" not in database.place
    database.close()


def _psycopg():
    try:
        import psycopg  # noqa: F401
    except ImportError:
        return False
    return True


def test_the_uuid_stays(ledger):
    with Ledger.open() as again:
        assert again.uuid == ledger.uuid


@pytest.mark.parametrize(("point", "kind"), [("/mnt/share", "nfs4"), ("/mnt/share", "cifs"), ("/mnt/share", "fuse.sshfs")])
def test_a_network_file_system_is_recognised_by_the_innermost_mount(point, kind):
    mounts = [("/", "ext4"), ("/mnt", "tmpfs"), (point, kind)]
    assert network_file_system(Path("/mnt/share/home/ledger.db"), mounts) == kind
    assert network_file_system(Path("/mnt/local/ledger.db"), mounts) is None


def test_a_ledger_on_a_network_file_system_is_refused_with_the_way_out(monkeypatch, home):
    import psutil

    disk = type("part", (), {"mountpoint": str(home.parent), "fstype": "nfs"})
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: [disk])
    with pytest.raises(LedgerError, match=r"network file system \(nfs\).*ANYTUNE_HOME"):
        Ledger.open()


def test_a_newer_schema_is_refused_by_name(home):
    with Ledger.open() as ledger, ledger.database.write() as connection:
        connection.exec_driver_sql(f"UPDATE {SCHEMA_TABLE} SET version_num='0099'")
        connection.exec_driver_sql("UPDATE anytune_facts SET value='7.3.0' WHERE key='migrated_by'")
    with pytest.raises(LedgerError, match=r"schema 0099, made by anytune 7\.3\.0; this is anytune .*pip install \"anytune>=7\.3\.0\""):
        Ledger.open()


def test_the_migrations_make_the_tables_that_the_code_describes(ledger):
    with ledger.database.read() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": SCHEMA_TABLE, "compare_type": False})
        assert compare_metadata(context, metadata) == []


def test_the_newest_revision_is_the_one_the_code_knows():
    config = Config()
    config.set_main_option("script_location", str(Path(anytune.ledger.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_ledger_of_the_first_schema_is_moved_forward_and_keeps_its_rows(home, monkeypatch):
    monkeypatch.setattr("anytune.ledger.migrate.HEAD", "0001")
    with Ledger.open() as ledger, ledger.database.write() as connection:
        first = ledger.uuid
        connection.exec_driver_sql(JOB_OF_0001)
    monkeypatch.undo()
    monkeypatch.setenv("ANYTUNE_HOME", str(home))
    with Ledger.open() as ledger:
        row = ledger.job("recipes")
        assert (ledger.uuid, row.status, row.cost_usd, row.estimate) == (first, "succeeded", 1.5, None)


def test_processes_that_open_a_new_ledger_at_once_all_succeed(home):
    script = "from anytune.ledger import Ledger; print(Ledger.open().uuid)"
    command = [sys.executable, "-c", script]
    openers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ) for _ in range(6)]
    results = [opener.communicate(timeout=60) for opener in openers]
    assert [opener.returncode for opener in openers] == [0] * 6, results
    assert len({out for out, _ in results}) == 1


def test_a_migration_that_is_killed_leaves_a_file_that_the_next_open_completes(home):
    script = """
import os
from sqlalchemy import event
from sqlalchemy.engine import Engine
from anytune.ledger import Ledger
commits = []
@event.listens_for(Engine, "commit")
def _(connection):
    if connection.get_execution_options().get("anytune_write"):
        os._exit(9)
Ledger.open()
"""
    assert subprocess.run([sys.executable, "-c", script], env=os.environ, check=False).returncode == 9
    with Ledger.open() as ledger:
        assert ledger.jobs() == []


def test_garbage_is_called_damaged(home):
    home.mkdir()
    (home / "ledger.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError, match="damaged, or no ledger"):
        Ledger.open()


def test_a_full_disk_is_called_so_and_nothing_is_half_written(ledger, claim):
    claim(name="before")
    size = pragma(ledger, "page_count")

    from sqlalchemy import event

    @event.listens_for(ledger.database.engine, "connect")
    def _small(raw, _record):
        raw.execute(f"PRAGMA max_page_count={size}")

    ledger.database.engine.dispose()

    def fill():
        for number in range(200):
            claim(name=f"job-{number}")

    with pytest.raises(LedgerError, match=r"disk is full.*anytune gc"):
        fill()
    assert pragma(ledger, "integrity_check") == "ok"


def test_a_folder_that_cannot_be_made_is_said(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="cannot be made"):
        Ledger.open(f"sqlite:///{tmp_path / 'file' / 'ledger.db'}")


def test_a_ledger_that_may_not_be_written_is_said(ledger, claim):
    from sqlalchemy import event

    @event.listens_for(ledger.database.engine, "connect")
    def _frozen(raw, _record):
        raw.execute("PRAGMA query_only=1")

    ledger.database.engine.dispose()
    with pytest.raises(LedgerError, match="may not be written"):
        claim()


def test_a_child_that_forks_off_uses_connections_of_its_own(ledger, claim):
    claim(name="parent")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if claim(name="child").name == "child" else 1
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert {row.name for row in ledger.jobs()} == {"parent", "child"}


def test_naming_a_row_loads_no_sqlalchemy():
    script = "import sys; from anytune.ledger import JobRow, following; assert 'sqlalchemy' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
