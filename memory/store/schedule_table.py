"""When jobs are begun by themselves: see `memory.offline.schedules`."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, Index, Integer, String, Table

from memory.store.metadata import metadata

schedule = Table(
    "schedule",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("tenant", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("request", JSON, nullable=False),
    Column("cron", String),
    Column("least_records", Integer),
    # The tenant's newest record when it last began a job; those after it are new.
    Column("seen", Integer, nullable=False),
    Column("next_at", Float, nullable=False),
    Column("last_job", String),
    Column("created_at", Float, nullable=False),
    Index("schedule_by_tenant", "tenant", "number"),
    Index("schedule_by_time", "next_at"),
    sqlite_autoincrement=True,
)
