"""How much a question adds to those that cover more: farthest first.

k-center greedy (Gonzalez 1985; as a core-set, Sener and Savarese, arXiv 1708.00489): begin with the
first, then always take what is farthest from all that were taken. What is left of the distance when
a question is taken is its novelty, so that the k most novel cover the rest as well as any k do,
within a factor of two.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def novelties(vectors: NDArray[np.float32]) -> list[float]:
    """Return 1 − the cosine to what was taken before, for unit vectors (n, d); 1 of the first."""
    found = [0.0] * len(vectors)
    distance = np.full(len(vectors), np.inf)
    for _ in range(len(vectors)):
        place = int(distance.argmax())
        found[place] = min(1.0, max(0.0, float(distance[place])))
        distance = np.minimum(distance, 1.0 - vectors @ vectors[place])
        distance[place] = -np.inf
    return found
