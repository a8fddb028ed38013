"""Alembic's entry: it runs on the connection, and in the transaction, that `anytune.ledger.migrate` hands it."""

from __future__ import annotations

from alembic import context

from anytune.ledger.migrate import SCHEMA_TABLE
from anytune.ledger.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, version_table=SCHEMA_TABLE, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
