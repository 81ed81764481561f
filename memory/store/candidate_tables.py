"""What generations considered learning from, how they chose, and solutions that models wrote.

See `memory.versions.candidates`.
"""

from __future__ import annotations

from sqlalchemy import JSON, Boolean, Column, Float, Index, Integer, String, Table, Text

from memory.store.metadata import metadata

candidate = Table(
    "candidate",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("tenant", String, nullable=False),
    Column("base_model", String, nullable=False),
    # The version that the generation made.
    Column("adapter_id", String, nullable=False),
    Column("record_id", String, nullable=False),
    # Digest of what was scored: an edited record is scored again.
    Column("content", String, nullable=False),
    Column("chosen", Boolean, nullable=False),
    Column("tier", String, nullable=False),
    Column("verifier", String),
    Column("difficulty", Float),
    Column("perplexity", Float, nullable=False),
    Column("novelty", Float, nullable=False),
    Column("influence", Float, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("at", Float, nullable=False),
    Index("candidate_by_record", "tenant", "record_id", "number"),
    Index("candidate_by_adapter", "tenant", "base_model", "adapter_id"),
    sqlite_autoincrement=True,
)

selection = Table(
    "selection",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("tenant", String, nullable=False),
    Column("base_model", String, nullable=False),
    Column("adapter_id", String, nullable=False),
    Column("policy", String, nullable=False),
    Column("propensity", Float, nullable=False),
    # Of every policy, what its chance was.
    Column("propensities", JSON, nullable=False),
    # Whether an adapter was served that the generation had to beat.
    Column("served", Boolean, nullable=False),
    Column("gain", Float, nullable=False),
    Column("at", Float, nullable=False),
    Index("selection_by_tenant", "tenant", "base_model", "number"),
    sqlite_autoincrement=True,
)

worked_solution = Table(
    "worked_solution",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("record_id", String, primary_key=True),
    Column("base_model", String, primary_key=True),
    Column("content", String, nullable=False),
    # Null where the model wrote none that came to the answer.
    Column("text", Text),
    Column("at", Float, nullable=False),
)
