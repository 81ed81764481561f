"""Choosing among free texts: the medoid, the sample most like all the others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import numpy as np

from adaptation.types import Sample

Embed = Callable[[Sequence[str]], Awaitable[np.ndarray]]
"""Texts → unit vectors, shape (n, d)."""


async def medoid(samples: Sequence[Sample], embed: Embed) -> Sample:
    """Return the sample with the largest summed cosine similarity to the rest."""
    vectors = await embed([sample.said.text or sample.text for sample in samples])  # (n, d)
    return samples[int(np.argmax((vectors @ vectors.T).sum(axis=1)))]
