"""The tables, as SQLAlchemy Core objects.

Owns names, types and constraints. Knows nothing of what the rows mean to a request. A change here
needs a migration beside it; a test compares the two.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
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

from memory.store.calibration_table import calibration as calibration
from memory.store.candidate_tables import candidate as candidate
from memory.store.candidate_tables import selection as selection
from memory.store.candidate_tables import worked_solution as worked_solution
from memory.store.eval_tables import eval_output as eval_output
from memory.store.eval_tables import eval_run as eval_run
from memory.store.eval_tables import evaluation as evaluation
from memory.store.loose_table import loose_artifact as loose_artifact
from memory.store.metadata import metadata as metadata
from memory.store.note_table import note as note
from memory.store.quota_table import quota_count as quota_count
from memory.store.release_tables import release_step as release_step
from memory.store.release_tables import shadow as shadow
from memory.store.release_tables import version_number as version_number
from memory.store.schedule_table import schedule as schedule
from memory.store.stored_tables import batch as batch
from memory.store.stored_tables import batch_answer as batch_answer
from memory.store.stored_tables import conversation as conversation
from memory.store.stored_tables import file as file
from memory.store.stored_tables import file_part as file_part
from memory.store.stored_tables import item as item
from memory.store.stored_tables import job as job
from memory.store.stored_tables import job_event as job_event
from memory.store.stored_tables import judgement as judgement
from memory.store.stored_tables import response as response
from memory.store.trace_table import request_trace as request_trace

SCHEMA_VERSION = "0030"
"""The newest migration; a file that says anything else is migrated or refused."""


record = Table(
    "record",
    metadata,
    # The vector index knows a record by this number; AUTOINCREMENT never hands one out twice.
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("tenant", String, nullable=False),
    Column("task", String),
    # Null once erased, so that not even a hash of the content remains.
    Column("question_hash", String),
    Column("answer_hash", String),
    Column("question", Text, nullable=False),
    Column("messages", JSON, nullable=False),
    # What else makes the prompt, such as tools; an empty object for most.
    Column("request", JSON, nullable=False, server_default="{}"),
    Column("answer", Text, nullable=False),
    Column("rationale", Text, nullable=False),
    Column("state", String, nullable=False),
    # Quarantined because answers disagree, not because somebody judged this one wrong.
    Column("contested", Boolean, nullable=False),
    Column("tier", String, nullable=False),
    # Where its question is from: see `memory.types.Source`.
    Column("source", String, nullable=False, server_default="served"),
    Column("evidence", JSON, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("uses", Integer, nullable=False),
    Column("wins", Integer, nullable=False),
    Column("model", String, nullable=False),
    Column("adapter", String),
    Column("created_at", Float, nullable=False),  # Unix seconds
    Index("record_by_tenant", "tenant", "state", "number"),
    Index("record_by_content", "tenant", "question_hash", "answer_hash", unique=True),
    Index("record_by_day", "tenant", "created_at"),
    sqlite_autoincrement=True,
)

head = Table(
    "head",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("seq", Integer, nullable=False),
)

event = Table(
    "event",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("record_id", String, nullable=False),
    Column("payload", JSON, nullable=False),  # states and reasons, never content
    Column("at", Float, nullable=False),
)

embedding = Table(
    "embedding",
    metadata,
    Column("record_id", String, ForeignKey("record.id"), primary_key=True),
    Column("embedder_id", String, primary_key=True),
    Column("vector", LargeBinary, nullable=False),  # float32, little endian, unit length
)

# Which records that are not erased have a word in their question: see `memory.store.full_text`.
word = Table(
    "word",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("word", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # of the record
    sqlite_with_rowid=False,
)

completion = Table(
    "completion",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("messages", JSON, nullable=False),
    Column("request", JSON, nullable=False, server_default="{}"),
    Column("text", Text, nullable=False),
    Column("answer", Text),
    Column("model", String, nullable=False),
    Column("adapter", String),
    Column("task", String),
    Column("record_id", String),
    Column("feedback", JSON),
    # How the votes fell: the votes of the leader, the runner-up and the rest; null without a vote.
    Column("vote_leader", Integer),
    Column("vote_runner_up", Integer),
    Column("vote_rest", Integer),
    Column("vote_trained", Boolean),
    Column("vote_near", String),
    Column("report", JSON),
    # What the client noted with its request.
    Column("metadata", JSON(none_as_null=True)),
    Column("created_at", Float, nullable=False),
    Column("asked_hash", String),
    # The identity of a conversation that was too long to keep.
    Column("conversation", String),
    Index("completion_by_age", "created_at"),
    Index("completion_by_tenant", "tenant", "vote_trained", "created_at"),
    Index(
        "completion_by_near",
        "vote_near",
        "vote_trained",
        "created_at",
        "tenant",
        "vote_leader",
        "vote_runner_up",
        "vote_rest",
    ),
    Index("completion_by_record", "record_id"),
)

adapter = Table(
    "adapter",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("base_model", String, nullable=False),
    Column("parent", String),
    Column("rank", Integer, nullable=False),
    Column("content_hash", String, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("rejected", Text),
    Column("created_at", Float, nullable=False),
    Index("adapter_by_tenant", "tenant", "created_at"),
)

alias = Table(
    "alias",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("adapter_id", String, ForeignKey("adapter.id"), nullable=False),
)

lineage = Table(
    "lineage",
    metadata,
    Column("adapter_id", String, ForeignKey("adapter.id"), primary_key=True),
    Column("record_id", String, primary_key=True),
    Index("lineage_by_record", "record_id"),
)

# Which strategy was worth what: see `memory.history.ledger`.
trial = Table(
    "trial",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("id", String, primary_key=True),
    Column("strategy", String, primary_key=True),
    Column("source", String, nullable=False),
    Column("near", String),
    Column("right", Boolean),
    Column("baseline", Boolean),
    Column("same", Boolean),
    Column("tokens", Integer, nullable=False),
    Column("trained_tokens", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("at", Float, nullable=False),
    Index("trial_by_age", "tenant", "at"),
    Index("trial_by_near", "near", "tenant", "at"),
)

# Digests only: see `memory.keys`.
api_key = Table(
    "api_key",
    metadata,
    Column("id", String, primary_key=True),
    Column("tenant", String, nullable=False),
    Column("role", String, nullable=False),
    Column("name", String, nullable=False),
    Column("hint", String, nullable=False),
    Column("digest", String, nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float),
    Column("revoked_at", Float),
    Column("last_used_at", Float),
    # Higher than every earlier one: the newest tells a server that keys have changed.
    Column("revision", Integer, nullable=False),
    Column("replaced_by", String),
    Index("api_key_by_revision", "revision"),
    Index("api_key_by_tenant", "tenant", "created_at"),
)

# What each tenant may use: see `memory.tenants`.
tenant_limits = Table(
    "tenant_limits",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("limits", JSON, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("revision", Integer, nullable=False),
    Index("tenant_limits_by_revision", "revision"),
)

# What was erased and when: see `memory.erasure.erasures`.
erasure = Table(
    "erasure",
    metadata,
    Column("tenant", String, primary_key=True),
    Column("record_id", String, primary_key=True),
    # Of the content, under a secret that lies elsewhere; null where nobody took it.
    Column("digest", String),
    Column("by", String),
    # Whether what learned from it is retired as well.
    Column("retires", Boolean, nullable=False),
    Column("removed", JSON, nullable=False),  # counts and ids, never content
    Column("begun_at", Float, nullable=False),
    # Null until nothing is left to be done.
    Column("ended_at", Float),
    Index("erasure_by_end", "ended_at"),
)

retirement = Table(
    "retirement",
    metadata,
    Column("adapter_id", String, ForeignKey("adapter.id"), primary_key=True),
    Column("at", Float, nullable=False),
    Column("reason", Text, nullable=False),
    # The version that was trained in its place.
    Column("replaced_by", String),
)
