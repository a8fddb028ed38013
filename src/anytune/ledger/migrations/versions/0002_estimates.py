"""Keep the quote of a run beside what it took.

A released revision never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("anytune_jobs", sa.Column("estimate", sa.JSON))
