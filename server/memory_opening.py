"""The memory that the settings name."""

from __future__ import annotations

from pathlib import Path

from memory.embedding.embedder import Embedder, create_embedder
from memory.memory import LongTermMemory
from server.config import Settings
from server.settings.database_url import secret_of


def memory_of(
    settings: Settings, *, embedder: Embedder | None = None, folder: Path | None = None
) -> LongTermMemory:
    """Open it; with another `embedder`, or in another `folder`, where one is given."""
    return LongTermMemory.open(
        folder or settings.data_dir,
        embedder or create_embedder(settings.embedder),
        retention_days=settings.completion_retention_days,
        response_days=settings.response_retention_days,
        database_url=secret_of(settings.database_url),
        artifacts=settings.artifacts,
        recall_text=settings.recall_text,
        trace_rows=settings.trace_rows,
    )
