"""Keep which adapters a host answers for beside its base.

A released revision never changes.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("anytune_deployments", sa.Column("adapters", sa.JSON, nullable=False, server_default="{}"))
