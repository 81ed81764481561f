"""Alembic migrations of the database; run by `memory.store.database` when it opens a file."""
