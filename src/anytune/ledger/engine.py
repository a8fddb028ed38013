"""How the database is opened: where it lies, which journal is safe, and what its errors mean to a person."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil
from sqlalchemy import URL, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from anytune.errors import ConfigError, LedgerError, redact
from anytune.paths import home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

__all__ = ["Database", "journal_for", "network_file_system", "open_database"]

BUSY_TIMEOUT_S = 30.0
"""How long a write waits for another process's write."""

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "afpfs", "ncpfs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "davfs"}
)

_FIXES = (
    (
        ("disk is full", "no space left"),
        "The disk is full",
        "Free some space (`anytune gc` shows what anytune holds) and run the same command again.",
    ),
    (("readonly", "read-only"), "It may not be written", "Give this user the right to write it, or set ANYTUNE_HOME to another folder."),
    (
        ("not a database", "malformed", "corrupt"),
        "It is damaged, or no ledger",
        "Move the file away to start an empty ledger, or restore it from a backup; jobs at providers can be attached again.",
    ),
    (("is locked",), "Another process kept it locked", "Run it again; if that does not help, find the process that holds it open."),
    (
        ("unable to open",),
        "It cannot be opened",
        "Check that the folder exists and that this user may write it, or set ANYTUNE_HOME to another folder.",
    ),
    (("disk i/o error",), "The disk reported an error", "Check the disk; set ANYTUNE_HOME to a folder on another one."),
    (
        (
            "connection refused",
            "could not connect",
            "connection failed",
            "connection is closed",
            "server closed",
            "could not translate host",
        ),
        "The database server cannot be reached",
        "Check that it runs and that ANYTUNE_LEDGER names it rightly.",
    ),
)


class Database:
    """An open database: `read` and `write` give a connection inside a transaction, and turn the driver's errors into `LedgerError`.

    Attributes:
        engine: SQLAlchemy's engine; its events are open to whoever watches.
    """

    def __init__(self, engine: Engine) -> None:
        """Keep the engine, and one face of it whose transactions take the write lock when they begin."""
        self.engine = engine
        self._writer = engine.execution_options(anytune_write=True)
        self._pid = os.getpid()

    @property
    def place(self) -> str:
        """The URL, without its password."""
        return self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the ledger."""
        self._leave_parent()
        with self._explained(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that alone may write (SQLite: `BEGIN IMMEDIATE`), committed at the end, undone by an exception."""
        self._leave_parent()
        with self._explained(), self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose(close=self._pid == os.getpid())

    def _leave_parent(self) -> None:
        # A connection that crossed a fork would drop the parent's file locks when it is closed here.
        if self._pid != os.getpid():
            self.engine.dispose(close=False)
            self._pid = os.getpid()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise explained(error, self.place) from error


def explained(error: SQLAlchemyError, place: str) -> LedgerError:
    """Say what a database error means, and what to do."""
    cause = str(error.orig if isinstance(error, DBAPIError) else error)
    for words, meaning, fix in _FIXES:
        if any(word in cause.lower() for word in words):
            return LedgerError(f"The ledger {place} failed. {meaning} ({redact(cause.splitlines()[0])}).", fix=fix)
    return LedgerError(
        f"The ledger {place} failed: {redact(cause.splitlines()[0])}.", fix="`anytune doctor` checks it; ANYTUNE_LEDGER says where it is."
    )


def open_database(url: str | None = None, *, sqlite_version: tuple[int, ...] = sqlite3.sqlite_version_info) -> Database:
    """Open the database, without a look at its schema.

    Args:
        url: A SQLAlchemy URL of SQLite or PostgreSQL; None takes `ANYTUNE_LEDGER`, or `ledger.db` in the state folder.
        sqlite_version: SQLite's version, which decides the journal.

    Raises:
        ConfigError: The URL is none, or of another database.
        LedgerError: The place is on a network file system, or cannot be written.
    """
    place = _url(url or os.environ.get("ANYTUNE_LEDGER") or f"sqlite:///{home() / 'ledger.db'}")
    if place.get_backend_name() == "postgresql":
        return Database(_postgresql(place))
    path = Path(str(place.database)).expanduser().absolute()
    fresh = _prepare(path)
    engine = create_engine(place.set(database=str(path)), hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_S})
    _set_up_sqlite(engine, journal_for(sqlite_version), fresh=fresh)
    return Database(engine)


def journal_for(version: tuple[int, ...]) -> Literal["wal", "delete"]:
    """Choose SQLite's journal: `wal` is six times faster, and may corrupt the file in versions with the WAL-reset bug.

    Affected: 3.7.0 to 3.51.2 with two or more connections; fixed in 3.51.3, 3.50.7 and 3.44.6 (sqlite.org, read 2026-11-22). Commits took
    17 ms with `delete` and 2.7 ms with `wal`, both with `synchronous=FULL` (2 cores, 2026-11-22): nothing beside a run of hours.
    """
    sound = version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45)
    return "wal" if sound else "delete"


def network_file_system(path: Path, mounts: list[tuple[str, str]] | None = None) -> str | None:
    """Give the type of the network file system that `path` lies on, or None.

    Args:
        path: A file or folder; it need not exist.
        mounts: Mount points with their types; None asks the system.
    """
    if mounts is None:
        mounts = [(part.mountpoint, part.fstype) for part in psutil.disk_partitions(all=True)]
    resolved = path.resolve()
    holding = [(len(Path(point).parts), kind) for point, kind in mounts if resolved.is_relative_to(point)]
    kind = max(holding, default=(0, ""))[1].lower()
    return kind if kind in _NETWORK or kind in {"fuse.sshfs", "fuse.glusterfs", "fuse.davfs"} else None


def _url(text: str) -> URL:
    try:
        url = make_url(text)
        kind = url.get_backend_name()
    except ArgumentError:
        raise ConfigError(
            "ANYTUNE_LEDGER is no database URL.", fix="Write it like sqlite:////folder/ledger.db or postgresql://user@host/name."
        ) from None
    if kind in {"postgres", "postgresql"}:
        return url.set(drivername="postgresql+psycopg")
    if kind != "sqlite":
        raise ConfigError(f"ANYTUNE_LEDGER names a {kind} database.", fix="Only sqlite and postgresql can hold a ledger.")
    if not url.database or url.database == ":memory:":
        raise ConfigError(
            "ANYTUNE_LEDGER names a SQLite database in memory, which would forget every job.",
            fix="Name a file: sqlite:////folder/ledger.db.",
        )
    return url


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(url, hide_parameters=True, pool_pre_ping=True)
    except (ImportError, NoSuchModuleError) as error:
        raise LedgerError("A ledger on PostgreSQL needs psycopg, which is not installed.", fix='pip install "psycopg[binary]"') from error


def _prepare(path: Path) -> bool:
    """Make the file for the owner only, and tell whether it is new (or empty still)."""
    kind = network_file_system(path)
    if kind:
        raise LedgerError(
            f"The ledger {path} would lie on a network file system ({kind}), where SQLite's locks do not hold.",
            fix="Set ANYTUNE_HOME to a local folder, or ANYTUNE_LEDGER to a PostgreSQL URL.",
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        status = path.stat()
        if status.st_mode & 0o077:
            with suppress(PermissionError):  # another user's file, who has let us in
                path.chmod(status.st_mode & 0o700)
    except OSError as error:
        raise LedgerError(
            f"The ledger {path} cannot be made: {error.strerror}.",
            fix="Check that this user may write the folder, or set ANYTUNE_HOME to another one.",
        ) from error
    return status.st_size == 0


def _set_up_sqlite(engine: Engine, journal: Literal["wal", "delete"], *, fresh: bool) -> None:
    @event.listens_for(engine, "connect")
    def _connected(raw: Any, _record: object) -> None:
        raw.isolation_level = None  # pysqlite would begin its own, deferred transactions
        cursor = raw.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA synchronous=FULL")
        _set_journal(cursor, journal, fresh=fresh)
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        write = connection.get_execution_options().get("anytune_write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _set_journal(cursor: sqlite3.Cursor, wanted: Literal["wal", "delete"], *, fresh: bool) -> None:
    """Make only a new file `wal`: an older `delete` one is sound everywhere. Turn `wal` back where it is unsafe."""
    found = cursor.execute("PRAGMA journal_mode").fetchone()[0]
    if wanted == "wal" and found != "wal" and fresh:
        with suppress(sqlite3.OperationalError):  # another process has it open already: then `delete` stays, which is sound too
            cursor.execute("PRAGMA journal_mode=WAL")
    if wanted == "delete" and found == "wal":
        try:
            found = cursor.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
        except sqlite3.OperationalError:
            found = "wal"
        if found == "wal":
            raise sqlite3.OperationalError(f"database is locked in WAL mode, which SQLite {sqlite3.sqlite_version} can corrupt")
