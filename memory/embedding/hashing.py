"""An embedder without a model: signed feature hashing of word and character n-grams.

φ(x)_j = Σ_{f: h(f) = j} ξ(f) · (1 + log count(f)), then scaled to unit length; h picks a bucket and
ξ a sign (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", 2009,
arXiv:0902.2206). It sees shared wording, not meaning: for tests and tiny machines.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b

import numpy as np

from memory.text import folded

WORD_GRAMS = (1, 2)
CHARACTER_GRAMS = (3, 4)


class HashingEmbedder:
    """Deterministic across processes and machines; no state."""

    max_tokens = None

    def __init__(self, dim: int = 256) -> None:
        self.dim = dim
        self.id = f"hashing-v1-{dim}"

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return unit vectors, float32, shape (n, d)."""
        rows = [self._embed_one(text) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, self.dim)

    def embed_roughly(self, texts: Sequence[str]) -> np.ndarray:
        """Return the same: there is no work to leave out."""
        return self.embed(texts)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the numbers of words."""
        return [len(folded(text).split()) for text in texts]

    def unknown_share(self, text: str) -> float:
        """Return 0: any text has words and letters."""
        del text
        return 0.0

    def _embed_one(self, text: str) -> np.ndarray:
        counts = Counter(_features(folded(text)))
        hashed = b"".join(blake2b(each.encode(), digest_size=8).digest() for each in counts)
        digests = np.frombuffer(hashed, ">u8").astype(np.uint64)  # (features,)
        places = ((digests >> 1) % self.dim).astype(np.intp)
        sizes = np.array([1.0 + math.log(count) for count in counts.values()])
        signed = np.where(digests & 1, sizes, -sizes)
        vector = np.bincount(places, signed, self.dim)  # (d,)
        length = float(np.linalg.norm(vector))
        if length == 0.0:  # an empty text, or features that cancel out
            vector[0] = length = 1.0
        return vector / length


def _features(text: str) -> Iterator[str]:
    words = text.split()
    for n in WORD_GRAMS:
        yield from (f"w:{' '.join(words[i : i + n])}" for i in range(len(words) - n + 1))
    padded = f" {text} "
    for n in CHARACTER_GRAMS:
        yield from (f"c:{padded[i : i + n]}" for i in range(len(padded) - n + 1))
