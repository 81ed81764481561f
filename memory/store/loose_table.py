"""What may lie in the artifact store though no version has it: see `memory.versions.loose`."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, String, Table

from memory.store.metadata import metadata

loose_artifact = Table(
    "loose_artifact",
    metadata,
    Column("id", String, primary_key=True),  # of the upload, or of the version that is retired
    Column("tenant", String, nullable=False),
    Column("content_hash", String, nullable=False),
    # When the upload began; 0 for what may go at once.
    Column("at", Float, nullable=False),
    Index("loose_artifact_by_content", "content_hash"),
)
