"""What holds of a ledger in a SQLite file: its journal, its place, who may read it, and what happens when it cannot be written."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import subprocess
import threading
from pathlib import Path

import psutil
import pytest
from sqlalchemy import event

from anytune.errors import LedgerAway, LedgerError
from anytune.ledger import Ledger
from anytune.ledger.engine import journal_for, network_file_system, open_database
from anytune.testing import MemoryBackend

pytestmark = [pytest.mark.parametrize("database", ["sqlite"], indirect=True), pytest.mark.usefixtures("home")]


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
        ((3, 52, 0), "delete"),
        ((3, 53, 0), "wal"),
    ],
)
def test_the_journal_is_wal_only_where_sqlite_does_not_corrupt_it(version, journal):
    assert journal_for(version) == journal


def test_every_commit_survives_a_loss_of_power_and_foreign_keys_hold(ledger):
    assert pragma(ledger, "synchronous") == 3
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


@pytest.mark.parametrize(("point", "kind"), [("/mnt/share", "nfs4"), ("/mnt/share", "cifs"), ("/mnt/share", "fuse.sshfs")])
def test_a_network_file_system_is_recognised_by_the_innermost_mount(point, kind):
    mounts = [("/", "ext4"), ("/mnt", "tmpfs"), (point, kind)]
    assert network_file_system(Path("/mnt/share/home/ledger.db"), mounts) == kind
    assert network_file_system(Path("/mnt/local/ledger.db"), mounts) is None


def test_a_ledger_on_a_network_file_system_is_refused_with_the_way_out(monkeypatch, home):
    disk = type("part", (), {"mountpoint": str(home.parent), "fstype": "nfs"})
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: [disk])
    with pytest.raises(LedgerError, match=r"network file system \(nfs\).*ANYTUNE_HOME"):
        Ledger.open()


def test_garbage_is_called_damaged(home):
    home.mkdir()
    (home / "ledger.db").write_bytes(b"this is no database" * 100)
    with pytest.raises(LedgerError, match="damaged, or no ledger"):
        Ledger.open()


def test_a_full_disk_is_called_so_and_nothing_is_half_written(ledger, claim):
    claim(name="before")
    size = pragma(ledger, "page_count")

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
    @event.listens_for(ledger.database.engine, "connect")
    def _frozen(raw, _record):
        raw.execute("PRAGMA query_only=1")

    ledger.database.engine.dispose()
    with pytest.raises(LedgerError, match="may not be written"):
        claim()


class Disk:
    """A small file system with the ledger in it."""

    def __init__(self, folder):
        self.folder, self._ballast = folder, folder / "ballast"

    def fill(self):
        with contextlib.suppress(OSError), self._ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)

    def free(self):
        self._ballast.unlink()

    def protect(self):
        subprocess.run(["mount", "-o", "remount,ro", self.folder], check=True)


@pytest.fixture
def disk(tmp_path, monkeypatch):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    monkeypatch.setenv("ANYTUNE_HOME", str(folder / "home"))
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", folder], check=True)


class Filling(MemoryBackend):
    """Its disk is full by the time that a call comes back."""

    disk = None
    at = "submit"

    def submit(self, order):
        made = super().submit(order)
        if self.at == "submit" and self.disk is not None:
            self.disk.fill()
        return made

    def upload(self, file):
        if self.at == "upload" and self.disk is not None:
            self.disk.fill()
        return super().upload(file)


def test_a_disk_that_is_full_at_the_intent_lets_nothing_be_sent(disk, ledger, claim, memory):
    backend = memory()
    disk.fill()
    with pytest.raises(LedgerError, match=r"disk is full.*anytune gc"):
        claim()
    assert backend.calls == {}
    disk.free()
    assert claim().submit_state == "intent"


def test_a_disk_that_fills_before_the_create_lets_nothing_be_created(disk, ledger, claim, memory, send):
    backend = memory(cls=Filling)
    backend.disk, backend.at = disk, "upload"
    row = claim()
    with pytest.raises(LedgerError, match="disk is full"):
        send(row, backend)
    assert "submit" not in backend.calls
    disk.free()
    backend.disk = None
    assert send(row, backend).submit_state == "submitted"
    assert backend.calls["jobs"] == 1


def test_a_job_that_was_created_while_the_disk_filled_is_adopted_later(disk, ledger, claim, memory, send, sound):
    backend = memory(cls=Filling)
    backend.disk = disk
    row = claim()
    with pytest.raises(LedgerError, match="disk is full"):
        send(row, backend)
    assert ledger.job(row.id).submit_state == "sending"
    disk.free()
    backend.disk = None
    adopted = send(row, backend)
    assert (adopted.submit_state, adopted.remote_id) == ("submitted", "job-000001")
    assert backend.calls["jobs"] == 1
    sound(ledger)


def test_a_file_system_that_may_only_be_read_is_said_and_what_is_kept_is_shown(disk, ledger, claim):
    row = claim()
    ledger.close()  # a file that is open for writing keeps its file system so
    disk.protect()
    with pytest.raises(LedgerError, match=r"may not be written.*ANYTUNE_HOME"):
        claim(name="another")
    assert ledger.job("recipes").id == row.id
    with Ledger.open() as again:
        assert [each.id for each in again.jobs()] == [row.id]


def test_a_folder_that_may_not_be_written_is_said(monkeypatch, home):
    home.mkdir(mode=0o700)

    def refused(*_arguments, **_settings):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("anytune.ledger.engine.os.open", refused)
    with pytest.raises(LedgerError, match=r"cannot be made: Read-only file system.*ANYTUNE_HOME"):
        Ledger.open()


def test_a_file_that_another_process_keeps_locked_is_said_and_passes(ledger, claim):
    @event.listens_for(ledger.database.engine, "connect", insert=True)
    def _impatient(raw, _record):
        raw.execute("PRAGMA busy_timeout=50")

    ledger.database.engine.dispose()
    other = sqlite3.connect(ledger.database.engine.url.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LedgerAway, match="Another process kept it locked"):
        claim()
    other.execute("ROLLBACK")
    other.close()
    assert claim().submit_state == "intent"


@pytest.mark.parametrize("copy", ["backup", "vacuum"])
def test_a_copy_made_while_it_is_written_is_a_whole_ledger(ledger, claim, tmp_path, copy, sound):
    rows = [claim(name=f"before-{number}").id for number in range(5)]
    over = threading.Event()

    def write():
        number = 0
        while not over.is_set():
            claim(name=f"during-{number}")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    target = tmp_path / "copy.db"
    try:
        with contextlib.closing(sqlite3.connect(ledger.database.engine.url.database, timeout=30)) as source:
            if copy == "vacuum":
                source.execute("VACUUM INTO ?", (str(target),))
            else:
                with contextlib.closing(sqlite3.connect(target)) as made:
                    source.backup(made)
    finally:
        over.set()
        writer.join()
    with Ledger.open(f"sqlite:///{target}") as copied:
        sound(copied)
        assert copied.uuid == ledger.uuid
        assert set(rows) <= {row.id for row in copied.jobs()}
