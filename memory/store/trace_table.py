"""How answers came about, the latest of each tenant: see `memory.history.request_traces`."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, Index, Integer, String, Table

from memory.store.metadata import metadata

request_trace = Table(
    "request_trace",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("tenant", String, nullable=False),
    Column("id", String, nullable=False),  # of the completion
    Column("strategy", String, nullable=False),
    Column("record_id", String),
    # Of the question: the hash by which an erasure finds it, see `memory.text`.
    Column("asked_hash", String, nullable=False),
    Column("summary", JSON, nullable=False),
    Column("detail", JSON, nullable=False),
    Column("at", Float, nullable=False),
    Index("request_trace_by_id", "tenant", "id", unique=True),
    Index("request_trace_by_number", "tenant", "number"),
    Index("request_trace_by_age", "at"),
    sqlite_autoincrement=True,
)
