"""The one way in which torture opens a memory, whatever database is behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory

DIMENSIONS = 32
"""Of the embedder, which needs no model: what is tortured is what keeps its vectors."""


def opened(folder: Path, url: str | None, shared: Path | None = None) -> LongTermMemory:
    """Open the memory in `folder`, with its tables in the database at `url` where there is one.

    `shared` is a folder of what replicas share.
    """
    given: dict[str, Any] = {} if shared is None else {"artifacts": shared.as_uri()}
    return LongTermMemory.open(folder, HashingEmbedder(DIMENSIONS), database_url=url, **given)
