"""Alembic migrations of the database; run by `memory.database` when it opens a file."""
