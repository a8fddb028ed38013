"""Keys of clients. Only the SHA-256 of a key is kept: 256 random bits need no salt and no slow hash."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import select
from ulid import ULID

from anytune.errors import ConfigError, NotFound
from anytune.ledger import server_tables
from anytune.server.book.part import Part, one_at_a_time, row_of
from anytune.server.book.rows import KeyRow

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

__all__ = ["ADMIN", "Keys", "digest", "issued"]

ADMIN: Final = "admin"
"""Owner of the first key, and of the one in ANYTUNE_API_KEY."""

_KEYS = server_tables.keys
_PREFIX = "sk-anytune-"
_ISSUED = re.compile(r"sk-anytune-[A-Za-z0-9_-]{43}")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_ID = re.compile(r"[0-9A-Za-z]{4,26}")
_LABEL_CHARS = 255


def digest(key: str) -> str:
    """Give what is kept of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def issued(key: str) -> bool:
    """Tell whether a text has the form of a key that `Keys.add` makes: no other one is worth a look into the database."""
    return _ISSUED.fullmatch(key) is not None


class Keys(Part):
    """Keys of clients."""

    def add(
        self,
        owner: str,
        *,
        label: str = "",
        admin: bool = False,
        requests_per_minute: int | None = None,
        live_jobs: int | None = None,
        storage_bytes: int | None = None,
    ) -> tuple[KeyRow, str]:
        """Make a key of 256 random bits, and give it with its row: nobody can read it again.

        Args:
            owner: Whose things it may touch: 64 letters, digits and `._@-` at most.
            label: A remark for people, 255 characters at most.
            admin: Whether it may see everybody's.
            requests_per_minute: Its own limit; None for the server's.
            live_jobs: Jobs that its owner may have live; None for the server's limit.
            storage_bytes: Bytes of files that its owner may keep; None for the server's limit.

        Raises:
            ConfigError: The owner or the label cannot be kept, or a limit is not positive.
        """
        _checked(owner, label, requests_per_minute=requests_per_minute, live_jobs=live_jobs, storage_bytes=storage_bytes)
        limits = {"requests_per_minute": requests_per_minute, "live_jobs": live_jobs, "storage_bytes": storage_bytes}
        with self.database.write() as connection:
            return self._made(connection, owner, label=label, admin=admin, **limits)

    def first(self) -> tuple[KeyRow, str] | None:
        """Make an admin's key where no key is in force, and give it as `add` does; None where one is."""
        with self.database.write() as connection:
            one_at_a_time(connection, ADMIN)
            return None if _any(connection) else self._made(connection, ADMIN, label="first key", admin=True)

    def any(self) -> bool:
        """Tell whether any key is in force."""
        with self.database.read() as connection:
            return _any(connection)

    def by_digest(self, found: str) -> KeyRow | None:
        """Give the key in force of a SHA-256, or None."""
        query = select(_KEYS).where(_KEYS.c.digest == found, _KEYS.c.revoked_at.is_(None))
        with self.database.read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _row(row)

    def listed(self) -> list[KeyRow]:
        """Give all keys, also revoked ones, oldest first."""
        with self.database.read() as connection:
            return [_row(row) for row in connection.execute(select(_KEYS).order_by(_KEYS.c.created_at, _KEYS.c.id))]

    def revoke(self, word: str) -> KeyRow:
        """Take a key out of force; a second time changes nothing.

        Args:
            word: Its id, or the first characters of it (4 at least).

        Raises:
            NotFound: No key has such an id.
            ConfigError: Several have.
        """
        with self.database.write() as connection:
            found = _found(connection, word)
            if found.revoked_at is not None:
                return found
            query = _KEYS.update().where(_KEYS.c.id == found.id).values(revoked_at=self.clock()).returning(_KEYS)
            return _row(connection.execute(query).one())

    def used(self, key_id: str) -> None:
        """Write down that a key was used now."""
        with self.database.write() as connection:
            connection.execute(_KEYS.update().where(_KEYS.c.id == key_id).values(used_at=self.clock()))

    def _made(self, connection: Connection, owner: str, **columns: Any) -> tuple[KeyRow, str]:
        key = _PREFIX + secrets.token_urlsafe(32)
        values = {"id": str(ULID()), "owner": owner, "digest": digest(key), "created_at": self.clock(), **columns}
        return _row(connection.execute(_KEYS.insert().values(**values).returning(_KEYS)).one()), key


def _any(connection: Connection) -> bool:
    return connection.execute(select(_KEYS.c.id).where(_KEYS.c.revoked_at.is_(None)).limit(1)).first() is not None


def _found(connection: Connection, word: str) -> KeyRow:
    query = select(_KEYS).where(_KEYS.c.id.startswith(word.upper(), autoescape=True)).limit(2)
    rows = connection.execute(query).all() if _ID.fullmatch(word) else []
    if not rows:
        # The word is not shown again: it may be a key that was given where an id belongs.
        raise NotFound("No key has this id.", fix="`anytune serve keys list` shows the ids.")
    if len(rows) > 1:
        raise ConfigError(f"Several keys have an id that begins with {word!r}.", fix="Give the whole id.")
    return _row(rows[0])


def _checked(owner: str, label: str, **limits: int | None) -> None:
    if not _OWNER.fullmatch(owner):
        raise ConfigError("An owner has 1 to 64 letters, digits and `._@-`, and begins with a letter or digit.", fix="Choose another name.")
    if len(label) > _LABEL_CHARS or not label.isprintable():
        raise ConfigError(f"A label has {_LABEL_CHARS} printable characters at most.", fix="Shorten it.")
    for name, limit in limits.items():
        if limit is not None and limit < 1:
            raise ConfigError(f"`{name}` is {limit}.", fix="Give 1 or more, or leave it out for the server's own limit.")


def _row(row: Row[Any]) -> KeyRow:
    return row_of(KeyRow, row)
