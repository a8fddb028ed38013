"""How the database is opened: where it lies, which journal is safe, how long a session may keep others waiting."""

from __future__ import annotations

import json
import math
import os
import sqlite3
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil
from sqlalchemy import URL, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, IntegrityError, NoSuchModuleError, SQLAlchemyError

from anytune.errors import ConfigError, LedgerError
from anytune.ledger.troubles import explained
from anytune.paths import home

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

__all__ = ["Database", "alone", "journal_for", "network_file_system", "open_database"]

BUSY_TIMEOUT_S = 30.0
"""How long a write waits for another process's write."""

_SESSION = {
    "lock_timeout": f"{BUSY_TIMEOUT_S:.0f}s",
    "idle_in_transaction_session_timeout": "20s",  # shorter: a process that was stopped inside a transaction makes nobody fail
    "statement_timeout": "60s",
}
"""Limits of a session on PostgreSQL, where the server, the user or the URL sets none."""

_CONNECTION = {
    "application_name": "anytune",
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds: a server whose network is gone never says goodbye
}
"""libpq's parameters, where the URL names no others."""

_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "afpfs", "ncpfs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "davfs"}
)


class Database:
    """An open database: `read` and `write` give a connection inside a transaction, and turn the driver's errors into `LedgerError`.

    Attributes:
        engine: SQLAlchemy's engine; its events are open to whoever watches.
    """

    def __init__(self, engine: Engine) -> None:
        """Keep the engine, and two faces of it: transactions that take SQLite's write lock when they begin, and such as only read."""
        self.engine = engine
        self._writer = engine.execution_options(anytune_write=True)
        self._reader = engine
        if engine.dialect.name == "postgresql":
            self._reader = engine.execution_options(isolation_level="REPEATABLE READ")
        self._pid = os.getpid()

    @property
    def place(self) -> str:
        """The URL, without its password, and without its parameters: a password may stand there too."""
        return self.engine.url.set(query={}).render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the ledger."""
        self._leave_parent()
        with self._explained(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that may write, committed at the end, undone by an exception.

        SQLite lets one in at a time (`BEGIN IMMEDIATE`); on PostgreSQL, rows are locked by those who read them to write, or see `alone`.
        """
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
            raise explained(error, self.place, dialect=self.engine.dialect.name) from error


def alone(connection: Connection, word: str) -> None:
    """Let transactions that name the same word run one after the other, so that what one counts stays true until it commits.

    PostgreSQL holds an advisory lock until the transaction's end; a later statement sees what the one before it committed. On SQLite a
    transaction that may write (`Database.write`) is alone anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"anytune:{word}", 0))))


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
    engine = create_engine(
        place.set(database=str(path)), hide_parameters=True, connect_args={"timeout": BUSY_TIMEOUT_S}, json_serializer=_json
    )
    _set_up_sqlite(engine, journal_for(sqlite_version), fresh=fresh)
    return Database(engine)


def journal_for(version: tuple[int, ...]) -> Literal["wal", "delete"]:
    """Choose SQLite's journal: `wal` is six times faster, and may corrupt the file in versions with the WAL-reset bug.

    Affected: 3.7.0 to 3.51.2 with two or more connections; fixed in 3.51.3, 3.50.7 and 3.44.6; 3.52.0 was withdrawn (sqlite.org, read
    2026-11-22). Commits took 17 ms with `delete` and 2.7 ms with `wal`, both with `synchronous=FULL` (2 cores, 2026-11-22): nothing beside
    a run of hours.
    """
    if version[:3] == (3, 52, 0):
        return "delete"
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
    if url.database.startswith("file:"):
        raise ConfigError("ANYTUNE_LEDGER names a SQLite file by a URI.", fix="Name its path: sqlite:////folder/ledger.db.")
    return url


def _postgresql(url: URL) -> Engine:
    arguments = {name: value for name, value in _CONNECTION.items() if name not in url.query}
    try:
        # A transaction that waited for a lock must see what the one before it committed: whatever the server's default is.
        engine = create_engine(
            url, hide_parameters=True, pool_pre_ping=True, isolation_level="READ COMMITTED", connect_args=arguments, json_serializer=_json
        )
    except (ImportError, NoSuchModuleError) as error:
        raise LedgerError("A ledger on PostgreSQL needs psycopg, which is not installed.", fix='pip install "psycopg[binary]"') from error
    event.listen(engine, "connect", _limit_session)
    return engine


def _json(value: Any) -> str:
    """Write JSON as every database takes it: a loss that is no number any more is the word `NaN`, which pydantic reads as one."""
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError:
        return json.dumps(_finite(value))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity"}.get(str(value), "-Infinity")
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    return [_finite(each) for each in value] if isinstance(value, (list, tuple)) else value


def _limit_session(raw: Any, _record: object) -> None:
    wanted = ", ".join(f"('{name}', '{value}')" for name, value in _SESSION.items())
    raw.execute(
        f"SELECT set_config(name, value, false) FROM (VALUES {wanted}) AS wanted (name, value) "  # noqa: S608 - our own constants
        "JOIN pg_settings USING (name) WHERE setting = '0'"
    )
    raw.commit()


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
        cursor.execute("PRAGMA synchronous=EXTRA")  # with the `delete` journal, FULL may undo a commit that a loss of power follows
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
