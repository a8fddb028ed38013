"""What a database's errors mean to a person, and which of them pass by themselves."""

from __future__ import annotations

import re
from typing import NamedTuple

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from anytune.errors import LedgerAway, LedgerError, redact

__all__ = ["explained"]


class _Trouble(NamedTuple):
    pattern: str
    meaning: str
    fix: str
    passes: bool = False


_SQLITE = (
    _Trouble(
        r"disk is full|no space left",
        "The disk is full",
        "Free some space (`anytune gc` shows what anytune holds) and run the same command again.",
    ),
    _Trouble(
        r"readonly|read-only", "It may not be written", "Give this user the right to write it, or set ANYTUNE_HOME to another folder."
    ),
    _Trouble(
        r"not a database|malformed|corrupt",
        "It is damaged, or no ledger",
        "Move the file away to start an empty ledger, or restore it from a backup; jobs at providers can be attached again.",
    ),
    _Trouble(
        r"locked in wal mode",
        "Programs with another SQLite have it open",
        "End them and run the same command again: the journal is made safe then.",
    ),
    _Trouble(
        r"is locked",
        "Another process kept it locked",
        "Run the same command again; if that does not help, find the process that holds it open.",
        passes=True,
    ),
    _Trouble(
        r"unable to open",
        "It cannot be opened",
        "Check that the folder exists and that this user may write it, or set ANYTUNE_HOME to another folder.",
    ),
    _Trouble(r"disk i/o error", "The disk reported an error", "Check the disk; set ANYTUNE_HOME to a folder on another one."),
)

_POSTGRESQL = (
    _Trouble(
        r"authentication failed|no password supplied|pg_hba\.conf|role \S+ does not exist|not permitted to log in",
        "It does not let this user in",
        "Check the user and the password in ANYTUNE_LEDGER, or in the file that PGPASSFILE names.",
    ),
    _Trouble(r"database \S+ does not exist", "There is no such database", "Make it, such as with `createdb`, or correct ANYTUNE_LEDGER."),
    _Trouble(r"permission denied", "This user may not do that", "Let the user own the database: anytune makes tables in it."),
    _Trouble(r"no space left|disk full", "The server's disk is full", "Free some space there, and run the same command again."),
    _Trouble(
        r"read-only transaction|during recovery",
        "It may not be written",
        "Name the server that may be: `?target_session_attrs=read-write` at the end of ANYTUNE_LEDGER finds it among several hosts.",
    ),
)

_PASSING = frozenset(
    {
        "25P03",  # this process was stopped inside a transaction, for too long
        "40001",  # serialization failure
        "40P01",  # deadlock
        "53300",  # too many connections
        "55P03",  # lock timeout
        "57014",  # statement timeout
        "57P01",  # the server was told to stop
        "57P02",  # or crashed
        "57P03",  # or starts
        "57P05",  # idle session timeout
    }
)
"""SQLSTATEs that the same transaction may not meet again (PostgreSQL's list of error codes, read 2026-11-23); so is all of class 08."""

_AWAY = "What was begun goes on from the ledger: run the same command again once its database answers."


def explained(error: SQLAlchemyError, place: str, *, dialect: str) -> LedgerError:
    """Say what a database error means, and what to do; `LedgerAway` where time alone may mend it.

    Args:
        error: What SQLAlchemy raised.
        place: Where the ledger is, without secrets.
        dialect: `sqlite` or `postgresql`.
    """
    cause = str(error.orig if isinstance(error, DBAPIError) else error)
    told = redact(cause.splitlines()[0]) if cause else type(error).__name__
    for trouble in _SQLITE if dialect == "sqlite" else _POSTGRESQL:
        if re.search(trouble.pattern, cause, re.IGNORECASE):
            kind = LedgerAway if trouble.passes else LedgerError
            return kind(f"The ledger {place} failed. {trouble.meaning} ({told}).", fix=trouble.fix)
    if _passes(error):
        return LedgerAway(f"The ledger {place} cannot be used at the moment ({told}).", fix=_AWAY)
    return LedgerError(f"The ledger {place} failed: {told}.", fix="`anytune doctor` checks it; ANYTUNE_LEDGER says where it is.")


def _passes(error: SQLAlchemyError) -> bool:
    """Tell whether the connection broke or could not be made, or the server says that it was a matter of the moment."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeoutError)
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state in _PASSING or state.startswith("08")
    # psycopg gives no SQLSTATE where the server was not reached or went away without a word (3.3.9, seen 2026-11-23).
    return error.connection_invalidated or (type(error.orig).__module__.startswith("psycopg") and "OperationalError" in _kinds(error))


def _kinds(error: DBAPIError) -> set[str]:
    return {kind.__name__ for kind in type(error.orig).__mro__}
