"""What a replica is told; apart, as the process that tells it has no use for vLLM."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Waiting:
    """How a replica with a waiting engine is set up."""

    folder: Path
    port: int
    database_url: str
    places: int
    sample_s: float
