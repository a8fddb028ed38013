"""Make all tables.

A released revision never changes: it is written out here, apart from `tables.py`, which describes the newest schema.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_LONG = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_MOMENT = sa.DateTime(timezone=True)
_ID = sa.String(26)


def upgrade() -> None:
    """Make the tables of the first release."""
    _facts()
    _jobs()
    _events_and_metrics()
    _files()
    _deployments()


def _facts() -> None:
    op.create_table(
        "anytune_facts",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_anytune_facts"),
    )


def _jobs() -> None:
    op.create_table(
        "anytune_jobs",
        sa.Column("sequence", _LONG, nullable=False, autoincrement=True),
        sa.Column("id", _ID, nullable=False),
        sa.Column("backend", sa.String(64), nullable=False),
        sa.Column("account", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("profile", sa.String(255)),
        sa.Column("spec", sa.JSON, nullable=False),
        sa.Column("spec_hash", sa.String(80), nullable=False),
        sa.Column("outcome", sa.JSON, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.Column("resolved", sa.JSON, nullable=False),
        sa.Column("losses", sa.JSON, nullable=False),
        sa.Column("findings", sa.JSON, nullable=False),
        sa.Column("submit_state", sa.String(16), nullable=False),
        sa.Column("fence", sa.Integer, nullable=False),
        sa.Column("sender", sa.JSON),
        sa.Column("sent_at", _MOMENT),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("cancel_requested", sa.Boolean, nullable=False),
        sa.Column("remote_id", sa.String(255)),
        sa.Column("host", sa.String(255)),
        sa.Column("snapshot", sa.JSON),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("model_ref", sa.JSON),
        sa.Column("cost_usd", sa.Float),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.Column("started_at", _MOMENT),
        sa.Column("ended_at", _MOMENT),
        sa.PrimaryKeyConstraint("sequence", name="pk_anytune_jobs"),
        sa.UniqueConstraint("id", name="uq_anytune_jobs_id"),
        sa.UniqueConstraint("backend", "account", "name", "attempt", name="uq_anytune_jobs_backend_account_name_attempt"),
        sa.UniqueConstraint("backend", "account", "remote_id", name="uq_anytune_jobs_backend_account_remote_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_anytune_jobs_name", "anytune_jobs", ["name"])
    op.create_index("ix_anytune_jobs_status", "anytune_jobs", ["status"])


def _events_and_metrics() -> None:
    op.create_table(
        "anytune_events",
        sa.Column("sequence", _LONG, nullable=False, autoincrement=True),
        sa.Column("job_id", _ID, nullable=False),
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("level", sa.String(16), nullable=False),
        sa.Column("message", sa.Text, nullable=False),
        sa.Column("data", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("sequence", name="pk_anytune_events"),
        sa.ForeignKeyConstraint(["job_id"], ["anytune_jobs.id"], name="fk_anytune_events_job_id", ondelete="CASCADE"),
        sa.UniqueConstraint("job_id", "id", name="uq_anytune_events_job_id_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "anytune_metrics",
        sa.Column("job_id", _ID, nullable=False),
        sa.Column("step", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("numbers", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("job_id", "step", name="pk_anytune_metrics"),
        sa.ForeignKeyConstraint(["job_id"], ["anytune_jobs.id"], name="fk_anytune_metrics_job_id", ondelete="CASCADE"),
    )


def _files() -> None:
    op.create_table(
        "anytune_files",
        sa.Column("backend", sa.String(64), nullable=False),
        sa.Column("account", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("remote_id", sa.String(255)),
        sa.Column("sender", sa.JSON),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("backend", "account", "sha256", name="pk_anytune_files"),
    )


def _deployments() -> None:
    op.create_table(
        "anytune_deployments",
        sa.Column("id", _ID, nullable=False),
        sa.Column("job_id", _ID),
        sa.Column("backend", sa.String(64), nullable=False),
        sa.Column("account", sa.String(255), nullable=False),
        sa.Column("profile", sa.String(255)),
        sa.Column("model", sa.JSON, nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("remote_id", sa.String(255)),
        sa.Column("address", sa.JSON),
        sa.Column("hourly_usd", sa.Float),
        sa.Column("ttl_s", sa.Float, nullable=False),
        sa.Column("expires_at", _MOMENT, nullable=False),
        sa.Column("stop_requested", sa.Boolean, nullable=False),
        sa.Column("host", sa.String(255)),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("updated_at", _MOMENT, nullable=False),
        sa.Column("ready_at", _MOMENT),
        sa.Column("ended_at", _MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_anytune_deployments"),
        sa.ForeignKeyConstraint(["job_id"], ["anytune_jobs.id"], name="fk_anytune_deployments_job_id", ondelete="SET NULL"),
    )
    op.create_index("ix_anytune_deployments_state", "anytune_deployments", ["state"])
