"""Runs statements on a SQLite database in memory, in a process of its own: `python -I -S` of this file, JSON in, JSON out.

The statements come from models and rows. They can read what `setup` made and nothing else: no file is opened (the limit on file sizes is
0, an authorizer refuses ATTACH, PRAGMA and functions that touch files), memory and time have their bounds, and the process ends after one
question. It imports nothing but the standard library, and nothing imports it.
"""

from __future__ import annotations

import json
import resource
import sqlite3
import sys
import time
from typing import Any

READS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
WRITES = {
    sqlite3.SQLITE_ALTER_TABLE,
    sqlite3.SQLITE_ANALYZE,
    sqlite3.SQLITE_CREATE_INDEX,
    sqlite3.SQLITE_CREATE_TABLE,
    sqlite3.SQLITE_CREATE_VIEW,
    sqlite3.SQLITE_DELETE,
    sqlite3.SQLITE_DROP_TABLE,
    sqlite3.SQLITE_DROP_VIEW,
    sqlite3.SQLITE_INSERT,
    sqlite3.SQLITE_REINDEX,
    sqlite3.SQLITE_TRANSACTION,
    sqlite3.SQLITE_UPDATE,
}
REFUSED_FUNCTIONS = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "sqlite_log", "lsmode"}
STEPS = 10_000
"""Instructions of SQLite between two looks at the clock: about a millisecond."""


def main() -> None:
    """Answer one question: `setup`, `queries`, `most_rows`, `most_s`, `most_bytes`, `memory_bytes`."""
    asked = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory_bytes"], asked["memory_bytes"]))
    json.dump(answered(asked), sys.stdout)


def answered(asked: dict[str, Any]) -> dict[str, Any]:
    """Set up, run each query, and give its rows or why there are none."""
    base = sqlite3.connect(":memory:", isolation_level=None)
    base.execute("PRAGMA temp_store = MEMORY")
    base.execute("PRAGMA trusted_schema = OFF")
    base.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, asked["most_bytes"])
    base.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000)
    try:
        with_clock(base, asked["most_s"])
        base.set_authorizer(lambda action, _, name, *__: allowed(action, name, READS | WRITES))
        base.executescript(asked["setup"])
    except (sqlite3.Error, sqlite3.Warning, MemoryError, OverflowError) as error:
        return {"setup": why(error)}
    base.set_authorizer(lambda action, _, name, *__: allowed(action, name, READS))
    return {"results": [result(base, query, asked) for query in asked["queries"]]}


def result(base: sqlite3.Connection, query: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Run one query."""
    with_clock(base, asked["most_s"])
    try:
        found = base.execute(query)
        if found.description is None:
            return {"error": "it gives no rows"}
        rows = found.fetchmany(asked["most_rows"] + 1)
    except (sqlite3.Error, sqlite3.Warning, MemoryError, OverflowError, ValueError) as error:
        return {"error": why(error)}
    if len(rows) > asked["most_rows"]:
        return {"error": f"it gives more than {asked['most_rows']} rows"}
    return {"rows": [[value(each) for each in row] for row in rows]}


def with_clock(base: sqlite3.Connection, most_s: float) -> None:
    """Let statements end after so many seconds of computing from now: a busy machine makes no answer wrong."""
    end = time.process_time() + most_s
    base.set_progress_handler(lambda: int(time.process_time() > end), STEPS)


def allowed(action: int, name: str | None, actions: set[int]) -> int:
    """Decide about one thing that a statement wants to do."""
    if action not in actions or (action == sqlite3.SQLITE_FUNCTION and str(name).lower() in REFUSED_FUNCTIONS):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


def value(found: object) -> object:
    """Give a value as JSON has it; bytes as hex under their own name."""
    return {"bytes": found.hex()} if isinstance(found, bytes) else found


def why(error: Exception) -> str:
    """Say what went wrong, in one line."""
    return f"{type(error).__name__}: {error}".partition("\n")[0][:200]


if __name__ == "__main__":
    main()
