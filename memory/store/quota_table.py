"""What each tenant has used of its limits, on all servers together: see `memory.quota_counts`."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, Integer, String, Table

from memory.store.metadata import metadata

quota_count = Table(
    "quota_count",
    metadata,
    Column("tenant", String, primary_key=True),
    # By the database's clock: when nothing would be missing of a minute's worth.
    Column("requests_full_at", Float, nullable=False),
    Column("tokens_full_at", Float, nullable=False),
    Column("day", Integer, nullable=False),
    Column("steps", Integer, nullable=False),
    # By server: places for requests at work, and until when they are its own.
    Column("places", JSON, nullable=False),
    Column("settled_at", Float, nullable=False),
)
