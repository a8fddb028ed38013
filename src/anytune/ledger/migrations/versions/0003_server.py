"""Make the tables of `anytune serve`.

A released revision never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_LONG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MOMENT = sa.DateTime(timezone=True)
_ID = sa.String(64)


def upgrade() -> None:
    """Make the tables."""
    _keys()
    _files()
    _uploads()
    _jobs()
    _events()
    _deliveries()


def _keys() -> None:
    op.create_table(
        "anytune_server_keys",
        sa.Column("id", sa.String(26), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("label", sa.String(255), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("admin", sa.Boolean, nullable=False),
        sa.Column("requests_per_minute", sa.Integer),
        sa.Column("live_jobs", sa.Integer),
        sa.Column("storage_bytes", sa.BigInteger),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("used_at", _MOMENT),
        sa.Column("revoked_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_anytune_server_keys"),
        sa.UniqueConstraint("digest", name="uq_anytune_server_keys_digest"),
    )
    op.create_index("ix_anytune_server_keys_owner", "anytune_server_keys", ["owner"])


def _files() -> None:
    op.create_table(
        "anytune_server_files",
        sa.Column("sequence", _LONG, nullable=False, autoincrement=True),
        sa.Column("id", _ID, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT),
        sa.PrimaryKeyConstraint("sequence", name="pk_anytune_server_files"),
        sa.UniqueConstraint("id", name="uq_anytune_server_files_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_anytune_server_files_owner", "anytune_server_files", ["owner"])


def _uploads() -> None:
    op.create_table(
        "anytune_server_uploads",
        sa.Column("id", _ID, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("filename", sa.Text, nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("mime_type", sa.String(255), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("file_expires_s", sa.Integer),
        sa.Column("file_id", _ID),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_anytune_server_uploads"),
    )
    op.create_table(
        "anytune_server_parts",
        sa.Column("id", _ID, nullable=False),
        sa.Column("upload_id", _ID, nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_anytune_server_parts"),
        sa.ForeignKeyConstraint(["upload_id"], ["anytune_server_uploads.id"], ondelete="CASCADE", name="fk_anytune_server_parts_upload_id"),
    )
    op.create_index("ix_anytune_server_parts_upload_id", "anytune_server_parts", ["upload_id"])


def _jobs() -> None:
    op.create_table(
        "anytune_server_jobs",
        sa.Column("sequence", _LONG, nullable=False, autoincrement=True),
        sa.Column("id", _ID, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("request", sa.JSON, nullable=False),
        sa.Column("request_hash", sa.String(64), nullable=False),
        sa.Column("idempotency_key", sa.String(255)),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("target", sa.JSON, nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("wish", sa.String(16)),
        sa.Column("ledger_id", sa.String(26)),
        sa.Column("error", sa.JSON),
        sa.Column("fine_tuned_model", sa.String(512)),
        sa.Column("model_ref", sa.JSON),
        sa.Column("model_deleted", sa.Boolean, nullable=False),
        sa.Column("resolved", sa.JSON, nullable=False),
        sa.Column("trained_tokens", sa.BigInteger),
        sa.Column("result_files", sa.JSON, nullable=False),
        sa.Column("estimated_finish", _MOMENT),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.Column("started_at", _MOMENT),
        sa.Column("finished_at", _MOMENT),
        sa.PrimaryKeyConstraint("sequence", name="pk_anytune_server_jobs"),
        sa.UniqueConstraint("id", name="uq_anytune_server_jobs_id"),
        sa.UniqueConstraint("fine_tuned_model", name="uq_anytune_server_jobs_fine_tuned_model"),
        sa.UniqueConstraint("owner", "idempotency_key", name="uq_anytune_server_jobs_owner_idempotency_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_anytune_server_jobs_owner", "anytune_server_jobs", ["owner"])
    op.create_index("ix_anytune_server_jobs_status", "anytune_server_jobs", ["status"])


def _events() -> None:
    op.create_table(
        "anytune_server_events",
        sa.Column("sequence", _LONG, nullable=False, autoincrement=True),
        sa.Column("id", _ID, nullable=False),
        sa.Column("job_id", _ID, nullable=False),
        sa.Column("origin", sa.String(255)),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_anytune_server_events"),
        sa.UniqueConstraint("id", name="uq_anytune_server_events_id"),
        sa.UniqueConstraint("job_id", "origin", name="uq_anytune_server_events_job_id_origin"),
        sa.ForeignKeyConstraint(["job_id"], ["anytune_server_jobs.id"], ondelete="CASCADE", name="fk_anytune_server_events_job_id"),
        sqlite_autoincrement=True,
    )


def _deliveries() -> None:
    op.create_table(
        "anytune_server_deliveries",
        sa.Column("id", _ID, nullable=False),
        sa.Column("job_id", _ID, nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("webhook", sa.String(64), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", _MOMENT),
        sa.Column("delivered_at", _MOMENT),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_anytune_server_deliveries"),
        sa.UniqueConstraint("job_id", "type", "webhook", name="uq_anytune_server_deliveries_job_id_type_webhook"),
        sa.ForeignKeyConstraint(["job_id"], ["anytune_server_jobs.id"], ondelete="CASCADE", name="fk_anytune_server_deliveries_job_id"),
    )
    op.create_index("ix_anytune_server_deliveries_due_at", "anytune_server_deliveries", ["due_at"])
