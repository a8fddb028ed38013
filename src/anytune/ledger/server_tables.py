"""The tables of `anytune serve`, in the same database: what its clients sent, and what it promised them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from anytune.ledger.tables import JSON_, LONG, Moment, metadata

__all__ = ["deliveries", "events", "files", "jobs", "keys", "metadata", "parts", "uploads"]

keys = Table(
    "anytune_server_keys",
    metadata,
    Column("id", String(26), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("label", String(255), nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("admin", Boolean, nullable=False),
    Column("requests_per_minute", Integer),
    Column("live_jobs", Integer),
    Column("storage_bytes", BigInteger),
    Column("created_at", Moment, nullable=False),
    Column("used_at", Moment),
    Column("revoked_at", Moment),
    Index(None, "owner"),
)
"""Keys of clients: only the SHA-256 of a key is kept."""

files = Table(
    "anytune_server_files",
    metadata,
    Column("sequence", LONG, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("owner", String(64), nullable=False),
    Column("filename", Text, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment),
    Index(None, "owner"),
    sqlite_autoincrement=True,
)
"""Files whose bytes lie on the disk under their id; the name that a client gave is only kept here."""

uploads = Table(
    "anytune_server_uploads",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("owner", String(64), nullable=False),
    Column("filename", Text, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("mime_type", String(255), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("status", String(16), nullable=False),
    Column("file_expires_s", Integer),
    Column("file_id", String(64)),
    Column("created_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

parts = Table(
    "anytune_server_parts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("upload_id", String(64), ForeignKey("anytune_server_uploads.id", ondelete="CASCADE"), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", Moment, nullable=False),
    Index(None, "upload_id"),
)

jobs = Table(
    "anytune_server_jobs",
    metadata,
    Column("sequence", LONG, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("owner", String(64), nullable=False),
    Column("request", JSON_, nullable=False),
    Column("request_hash", String(64), nullable=False),
    Column("idempotency_key", String(255)),
    Column("model", Text, nullable=False),
    Column("target", JSON_, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("wish", String(16)),
    Column("ledger_id", String(26)),
    Column("error", JSON_),
    Column("fine_tuned_model", String(512), unique=True),
    Column("model_ref", JSON_),
    Column("model_deleted", Boolean, nullable=False),
    Column("resolved", JSON_, nullable=False),
    Column("trained_tokens", BigInteger),
    Column("result_files", JSON_, nullable=False),
    Column("estimated_finish", Moment),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("finished_at", Moment),
    UniqueConstraint("owner", "idempotency_key"),
    Index(None, "owner"),
    Index(None, "status"),
    sqlite_autoincrement=True,
)
"""What clients ordered. Once it was sent to a backend, `ledger_id` names the ledger's own job, which holds the truth about the run."""

events = Table(
    "anytune_server_events",
    metadata,
    Column("sequence", LONG, primary_key=True, autoincrement=True),
    Column("id", String(64), nullable=False, unique=True),
    Column("job_id", String(64), ForeignKey("anytune_server_jobs.id", ondelete="CASCADE"), nullable=False),
    Column("origin", String(255)),
    Column("at", Moment, nullable=False),
    Column("level", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("type", String(16), nullable=False),
    Column("data", JSON_, nullable=False),
    UniqueConstraint("job_id", "origin"),
    sqlite_autoincrement=True,
)
"""What happened to an order, in one row each; `origin` is where a row was copied from, so that it is copied once."""

deliveries = Table(
    "anytune_server_deliveries",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("job_id", String(64), ForeignKey("anytune_server_jobs.id", ondelete="CASCADE"), nullable=False),
    Column("type", String(64), nullable=False),
    Column("webhook", String(64), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Moment),
    Column("delivered_at", Moment),
    Column("error", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    UniqueConstraint("job_id", "type", "webhook"),
    Index(None, "due_at"),
)
"""Webhook calls that are owed; without `due_at` one is done, or given up."""
