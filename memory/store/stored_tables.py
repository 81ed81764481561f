"""The tables of stored responses and conversations; `memory.store.schema` has all of them."""

from __future__ import annotations

from sqlalchemy import JSON, Column, Float, Index, Integer, String, Table

from memory.store.metadata import metadata

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
