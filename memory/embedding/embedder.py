"""The seam to sentence embeddings and the registry of its implementations.

Owns the protocol and the names; imports an implementation only when it is asked for, because one
of them brings torch along.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
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

    def embed_roughly(self, texts: Sequence[str]) -> np.ndarray:
        """Like `embed`, to compare texts with each other and keep nothing: with less work.

        Where the hardware multiplies bf16, cosines are off by some thousandths.
        """

    @property
    def max_tokens(self) -> int | None:
        """How much of a text its vector is made of; None: all of it."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has; far above `max_tokens` no longer exactly."""

    def unknown_share(self, text: str) -> float:
        """Return which share of a text's tokens it does not know: their vectors are all alike."""


def _minilm() -> Embedder:
    from memory.embedding.minilm import MiniLmEmbedder

    return MiniLmEmbedder()


def _hashing() -> Embedder:
    from memory.embedding.hashing import HashingEmbedder

    return HashingEmbedder()


EMBEDDERS: dict[str, Callable[[], Embedder]] = {"minilm": _minilm, "hashing": _hashing}


def create_embedder(name: str) -> Embedder:
    """Build the embedder called `name`, or of the sentence-transformers model in the folder `name`.

    `ValueError` lists the names there are.
    """
    if name in EMBEDDERS:
        return EMBEDDERS[name]()
    from memory.embedding.sentences import SentenceEmbedder

    return SentenceEmbedder(Path(check_embedder(name)).resolve())


def check_embedder(name: str) -> str:
    """Return `name` where it is an embedder's or a folder's; `ValueError` says what there is."""
    if name in EMBEDDERS or Path(name).is_dir():
        return name
    known = ", ".join(sorted(EMBEDDERS))
    raise ValueError(f"no embedder {name!r}: choose one of {known}, or a model's folder")
