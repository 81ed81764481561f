"""What tries that failed taught: see `memory.history.notes`."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, String, Table, Text

from memory.store.metadata import metadata

note = Table(
    "note",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("tenant", String, nullable=False),
    Column("task", String, nullable=False),
    Column("text", Text, nullable=False),
    # Of the question that it is about: the hash by which an erasure finds it, see `memory.text`.
    Column("trace", String, nullable=False),
    Column("at", Float, nullable=False),
    Index("note_by_task", "tenant", "task", "number"),
    Index("note_by_time", "at"),
    sqlite_autoincrement=True,
)
