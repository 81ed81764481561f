"""The tables of what becomes of adapter versions: their numbers, their releases, their shadows.

`memory.store.schema` has all there are.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from memory.store.metadata import metadata

# The generations of a tenant on one base, from 1: what `MODEL@3` asks for.
version_number = Table(
    "version_number",
    metadata,
    Column("adapter_id", String, ForeignKey("adapter.id"), primary_key=True),
    Column("tenant", String, nullable=False),
    Column("base_model", String, nullable=False),
    Column("number", Integer, nullable=False),
    Index("version_by_number", "tenant", "base_model", "number", unique=True),
)

# Every stage that a version came to; its newest row is where it stands:
# see `memory.versions.release`.
release_step = Table(
    "release_step",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("tenant", String, nullable=False),
    Column("adapter_id", String, ForeignKey("adapter.id"), nullable=False),
    Column("stage", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Float, nullable=False),
    Index("release_step_by_adapter", "adapter_id", "number"),
    Index("release_step_by_tenant", "tenant", "number"),
    sqlite_autoincrement=True,
)

# How a candidate would have answered beside what was shown: verdicts, never content.
shadow = Table(
    "shadow",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("id", String, primary_key=True),  # of the answer that was shown
    Column("adapter_id", String, ForeignKey("adapter.id"), primary_key=True),
    # Null where no verifier spoke of the truth; likewise below.
    Column("shown_right", Boolean),
    Column("right", Boolean),
    Column("same", Boolean, nullable=False),
    Column("at", Float, nullable=False),
    Index("shadow_by_adapter", "adapter_id"),
)
