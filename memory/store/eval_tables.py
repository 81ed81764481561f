"""The tables of evaluations: what is to be graded, the runs, and what came of each item.

`memory.store.schema` has all there are.
"""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from memory.store.metadata import metadata

evaluation = Table(
    "evaluation",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("tenant", String, nullable=False),
    Column("name", Text, nullable=False),
    # Where its items come from, by what they are graded, and what its tenant notes.
    Column("details", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Index("evaluation_by_tenant", "tenant", "number"),
    sqlite_autoincrement=True,
)

eval_run = Table(
    "eval_run",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", String, nullable=False, unique=True),
    Column("tenant", String, nullable=False),
    Column("eval_id", String, ForeignKey("evaluation.id"), nullable=False),
    Column("status", String, nullable=False),
    Column("name", Text, nullable=False),
    Column("model", String, nullable=False),
    # What was asked, and the criteria as they were then.
    Column("details", JSON, nullable=False),
    Column("error", JSON(none_as_null=True)),
    Column("total", Integer, nullable=False),
    # What the outputs come to so far.
    Column("summary", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
    # Which process works on it, and until when that is believed without another word of it.
    Column("holder", String),
    Column("held_until", Float, nullable=False),
    Index("eval_run_by_tenant", "tenant", "number"),
    Index("eval_run_by_eval", "eval_id", "number"),
    Index("eval_run_by_status", "status", "number"),
    sqlite_autoincrement=True,
)

eval_output = Table(
    "eval_output",
    metadata,
    Column("run_id", String, ForeignKey("eval_run.id"), primary_key=True),
    # The item's place in its source, from 1.
    Column("line", Integer, primary_key=True, autoincrement=False),
    Column("id", String, nullable=False, unique=True),
    Column("status", String, nullable=False),
    Column("content", JSON, nullable=False),
    Column("created_at", Float, nullable=False),
)
