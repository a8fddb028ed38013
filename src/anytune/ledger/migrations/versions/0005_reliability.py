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
