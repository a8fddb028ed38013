"""Count observations, so that a late one is told from a new one; keep what a job waits for, and who asked for a look at it.

A released revision never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns."""
    op.add_column("anytune_jobs", sa.Column("observation", sa.Integer, nullable=False, server_default="0"))
    op.add_column("anytune_jobs", sa.Column("nudges", sa.Integer, nullable=False, server_default="0"))
    op.add_column("anytune_jobs", sa.Column("waiting", sa.Text, nullable=False, server_default=""))
    op.add_column("anytune_jobs", sa.Column("not_before", sa.DateTime(timezone=True)))
    op.add_column("anytune_jobs", sa.Column("overdrawn_at", sa.DateTime(timezone=True)))
    woken = sa.text("nudges > 0")
    op.create_index("ix_anytune_jobs_nudges_id", "anytune_jobs", ["nudges", "id"], sqlite_where=woken, postgresql_where=woken)
