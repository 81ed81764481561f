"""Alembic's entry point: migrate on the connection, and in the transaction, the database holds."""

from __future__ import annotations

from alembic import context

from memory.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
