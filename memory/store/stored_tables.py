"""The tables of what clients store: files, batches, responses, conversations.

`memory.store.schema` has all there are.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from memory.store.metadata import metadata

file = Table(
    "file",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("tenant", String, nullable=False),
    Column("name", Text, nullable=False),
    Column("purpose", String, nullable=False),
    Column("bytes", Integer().with_variant(BigInteger, "postgresql"), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Index("file_by_tenant", "tenant", "number"),
    Index("file_by_end", "expires_at"),
    sqlite_autoincrement=True,
)

file_part = Table(
    "file_part",
    metadata,
    Column("file_id", String, ForeignKey("file.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("content", LargeBinary, nullable=False),
)

batch = Table(
    "batch",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("tenant", String, nullable=False),
    Column("endpoint", String, nullable=False),
    Column("input_file_id", String, nullable=False),
    Column("status", String, nullable=False),
    # What the client gave, which files came of it, and what was wrong with the input.
    Column("details", JSON, nullable=False),
    # When it came to each status.
    Column("moments", JSON, nullable=False),
    Column("total", Integer, nullable=False),
    Column("completed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("expires_at", Float, nullable=False),
    # Which process works on it, and until when that is believed without another word of it.
    Column("holder", String),
    Column("held_until", Float, nullable=False),
    Index("batch_by_tenant", "tenant", "number"),
    Index("batch_by_status", "status", "number"),
    sqlite_autoincrement=True,
)

batch_answer = Table(
    "batch_answer",
    metadata,
    Column("batch_id", String, ForeignKey("batch.id"), primary_key=True),
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("failed", Boolean, nullable=False),
    # A line of the output, or of the file of errors.
    Column("content", LargeBinary, nullable=False),
)

response = Table(
    "response",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("tenant", String, nullable=False),
    Column("status", String, nullable=False),
    # As its client reads it, but for the status.
    Column("body", JSON, nullable=False),
    # What it goes on from, and where it was said.
    Column("previous_id", String),
    Column("conversation_id", String),
    # Of body and items.
    Column("bytes", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    # When it was made, or last gone on with.
    Column("used_at", Float, nullable=False),
    # Until when one that is being made is believed to be, without another word of it.
    Column("held_until", Float, nullable=False),
    Index("response_by_tenant", "tenant", "used_at", "bytes"),
    Index("response_by_age", "used_at"),
    sqlite_autoincrement=True,
)

conversation = Table(
    "conversation",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("tenant", String, nullable=False),
    Column("details", JSON, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Index("conversation_by_tenant", "tenant", "bytes"),
    sqlite_autoincrement=True,
)

# What responses were asked, and what was said in conversations.
item = Table(
    "item",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    # The id of a response or of a conversation.
    Column("holder", String, nullable=False),
    Column("tenant", String, nullable=False),
    Column("id", String, nullable=False),
    Column("content", JSON, nullable=False),
    Column("bytes", Integer, nullable=False),
    # The hash by which an erasure finds it: see `memory.text`.
    Column("trace", String),
    Index("item_by_holder", "holder", "number"),
    Index("item_by_id", "holder", "id"),
    Index("item_by_trace", "tenant", "trace"),
    sqlite_autoincrement=True,
)

# Offline work: see `memory.offline.jobs`.
job = Table(
    "job",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("tenant", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("status", String, nullable=False),
    Column("request", JSON, nullable=False),
    Column("result", JSON(none_as_null=True)),
    Column("error", Text),
    Column("progress", JSON(none_as_null=True)),
    # What its tenant wants of whoever works on it.
    Column("wanted", String),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("ended_at", Float),
    # Which process works on it, since when, and until when that is believed without a word of it.
    Column("holder", String),
    Column("begun_at", Float),
    Column("held_until", Float, nullable=False),
    # How often a process that worked on it ended without a word.
    Column("killed", Integer, nullable=False, server_default="0"),
    Index("job_by_tenant", "tenant", "number"),
    Index("job_by_status", "status", "number"),
    sqlite_autoincrement=True,
)

job_event = Table(
    "job_event",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("job_id", String, ForeignKey("job.id"), nullable=False),
    Column("at", Float, nullable=False),
    Column("level", String, nullable=False),
    Column("type", String, nullable=False),
    Column("message", Text, nullable=False),
    Column("data", JSON(none_as_null=True)),
    Index("job_event_by_job", "job_id", "number"),
    sqlite_autoincrement=True,
)

# What the promotion gate found of each generation: see `memory.versions.judgements`.
judgement = Table(
    "judgement",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("tenant", String, nullable=False),
    Column("base_model", String, nullable=False),
    Column("adapter_id", String, nullable=False),
    Column("promoted", Boolean, nullable=False),
    Column("alpha", Float, nullable=False),
    Column("e_value", Float, nullable=False),
    Column("helped", Integer, nullable=False),
    Column("hurt", Integer, nullable=False),
    Column("before", Float, nullable=False),
    Column("after", Float, nullable=False),
    Column("train", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    # Whose questions were asked: ids, never content.
    Column("record_ids", JSON, nullable=False),
    Column("alarms", JSON, nullable=False),
    Column("at", Float, nullable=False),
    Index("judgement_by_tenant", "tenant", "base_model", "number"),
    sqlite_autoincrement=True,
)
