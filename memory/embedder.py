"""The seam to sentence embeddings and the registry of its implementations.

Owns the protocol and the names; imports an implementation only when it is asked for, because one
of them brings torch along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np


class Embedder(Protocol):
    """Turns texts into unit vectors; deterministic, thread-safe."""

    @property
    def id(self) -> str:
        """Name the vector space: vectors of another id are never compared with these."""

    @property
    def dim(self) -> int:
        """The length d of a vector."""

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return unit vectors, float32, shape (n, d), in the order of `texts`."""

    @property
    def max_tokens(self) -> int | None:
        """How much of a text its vector is made of; None: all of it."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has; far above `max_tokens` no longer exactly."""


def _minilm() -> Embedder:
    from memory.minilm import MiniLmEmbedder

    return MiniLmEmbedder()


def _hashing() -> Embedder:
    from memory.hashing import HashingEmbedder

    return HashingEmbedder()


EMBEDDERS: dict[str, Callable[[], Embedder]] = {"minilm": _minilm, "hashing": _hashing}


def create_embedder(name: str) -> Embedder:
    """Build the embedder called `name`; `ValueError` lists the names there are."""
    if name not in EMBEDDERS:
        raise ValueError(f"no embedder {name!r}: choose one of {', '.join(sorted(EMBEDDERS))}")
    return EMBEDDERS[name]()
