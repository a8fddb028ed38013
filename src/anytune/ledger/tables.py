"""The ledger's tables in SQLAlchemy Core, the same on SQLite and PostgreSQL. The migrations make them; a test holds both equal."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    text,
)

if TYPE_CHECKING:
    from sqlalchemy import Dialect

__all__ = ["JSON_", "LONG", "Moment", "deployments", "events", "facts", "files", "jobs", "metadata", "metrics"]


class Moment(TypeDecorator[datetime]):
    """A time with its zone: UTC in the database (SQLite has no zones, so they are dropped there), aware in Python."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Store as UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"The time {value} has no zone.")
        utc = value.astimezone(UTC)
        return utc.replace(tzinfo=None) if dialect.name == "sqlite" else utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Give back as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text from outside: what PostgreSQL would refuse in it (NUL) and what is no text at all (half a surrogate pair) is replaced."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Make it storable."""
        return None if value is None else value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode("utf-8")


LONG = BigInteger().with_variant(Integer, "sqlite")
JSON_ = JSON(none_as_null=True)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

facts = Table("anytune_facts", metadata, Column("key", String(64), primary_key=True), Column("value", Text, nullable=False))
"""The ledger about itself: its `uuid`, and which anytune migrated it last."""

jobs = Table(
    "anytune_jobs",
    metadata,
    Column("sequence", LONG, primary_key=True, autoincrement=True),
    Column("id", String(26), nullable=False, unique=True),
    Column("backend", String(64), nullable=False),
    Column("account", String(255), nullable=False),
    Column("name", String(255), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("profile", String(255)),
    Column("spec", JSON_, nullable=False),
    Column("spec_hash", String(80), nullable=False),
    Column("outcome", JSON_, nullable=False),
    Column("model", Text, nullable=False),
    Column("data", JSON_, nullable=False),
    Column("resolved", JSON_, nullable=False),
    Column("losses", JSON_, nullable=False),
    Column("findings", JSON_, nullable=False),
    Column("estimate", JSON_),
    Column("submit_state", String(16), nullable=False),
    Column("fence", Integer, nullable=False),
    Column("sender", JSON_),
    Column("sent_at", Moment),
    Column("status", String(16), nullable=False),
    Column("cancel_requested", Boolean, nullable=False),
    Column("remote_id", String(255)),
    Column("host", String(255)),
    Column("snapshot", JSON_),
    Column("error", Words, nullable=False),
    Column("model_ref", JSON_),
    Column("cost_usd", Float),
    Column("observation", Integer, nullable=False, server_default="0"),
    Column("nudges", Integer, nullable=False, server_default="0"),
    Column("waiting", Words, nullable=False, server_default=""),
    Column("not_before", Moment),
    Column("overdrawn_at", Moment),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    UniqueConstraint("backend", "account", "name", "attempt"),
    UniqueConstraint("backend", "account", "remote_id"),
    Index(None, "name"),
    Index(None, "status"),
    Index(None, "nudges", "id", sqlite_where=text("nudges > 0"), postgresql_where=text("nudges > 0")),
    sqlite_autoincrement=True,
)


def _of_job(*, ondelete: str, **options: Any) -> Column[str]:
    return Column("job_id", String(26), ForeignKey("anytune_jobs.id", ondelete=ondelete), **options)


events = Table(
    "anytune_events",
    metadata,
    Column("sequence", LONG, primary_key=True, autoincrement=True),
    _of_job(ondelete="CASCADE", nullable=False),
    Column("id", String(255), nullable=False),
    Column("at", Moment, nullable=False),
    Column("level", String(16), nullable=False),
    Column("message", Words, nullable=False),
    Column("data", JSON_, nullable=False),
    UniqueConstraint("job_id", "id"),
    sqlite_autoincrement=True,
)

metrics = Table(
    "anytune_metrics",
    metadata,
    _of_job(ondelete="CASCADE", primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("at", Moment, nullable=False),
    Column("numbers", JSON_, nullable=False),
)

files = Table(
    "anytune_files",
    metadata,
    Column("backend", String(64), primary_key=True),
    Column("account", String(255), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("remote_id", String(255)),
    Column("sender", JSON_),
    Column("updated_at", Moment, nullable=False),
)
"""One row a file and account: without `remote_id` it is on its way up, sent by `sender`."""

deployments = Table(
    "anytune_deployments",
    metadata,
    Column("id", String(26), primary_key=True),
    _of_job(ondelete="SET NULL"),
    Column("backend", String(64), nullable=False),
    Column("account", String(255), nullable=False),
    Column("profile", String(255)),
    Column("model", JSON_, nullable=False),
    Column("name", String(255), nullable=False),
    Column("options", JSON_, nullable=False),
    Column("adapters", JSON_, nullable=False, server_default="{}"),
    Column("state", String(16), nullable=False),
    Column("remote_id", String(255)),
    Column("address", JSON_),
    Column("hourly_usd", Float),
    Column("ttl_s", Float, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("stop_requested", Boolean, nullable=False),
    Column("host", String(255)),
    Column("error", Words, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("ready_at", Moment),
    Column("ended_at", Moment),
    Index(None, "state"),
)
