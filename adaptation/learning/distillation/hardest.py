"""The hardest held-out questions first, once what is served answers nearly all there are.

How hard a question is must not be told by its own answers: of questions that were drawn because the
base failed them any other model gets some right, by regression to the mean, and a candidate that is
no better would be promoted. So others tell it: the mean pass rate of the base on the records most
like it that are learned from, as found when a generation considered them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adaptation.learning.candidates.scoring import Vectors
from memory.types import Record
from memory.versions.candidates import Candidate

ALIKE = 8
"""Records whose pass rates tell how hard a question is."""
AT_ONCE = 1024
"""Questions that are compared together."""


@dataclass(frozen=True)
class Foretold:
    """Foretells pass rates of questions that were never asked."""

    rates: Mapping[str, float]
    """Rate of the base, by record."""
    vectors: Vectors

    def __call__(self, held: Sequence[Record], learned: Sequence[Record]) -> list[float]:
        """Return what is to be expected of each of `held`, by what is known of `learned`."""
        known = [record for record in learned if record.id in self.rates]
        if not known or not held:
            return [0.0] * len(held)
        rates = np.array([self.rates[record.id] for record in known], dtype=np.float32)
        theirs = self.vectors(known)  # (m, d)
        k = min(ALIKE, len(known))
        found: list[float] = []
        for start in range(0, len(held), AT_ONCE):
            cosines = self.vectors(held[start : start + AT_ONCE]) @ theirs.T  # (n, m)
            alike = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
            found += rates[alike].mean(axis=1).tolist()
        return found


def foretold(known: Mapping[str, Candidate], vectors: Vectors) -> Foretold | None:
    """Return what foretells by the newest scores of records; None where there are none."""
    rates = {name: each.scores.difficulty for name, each in known.items()}
    found = {name: rate for name, rate in rates.items() if rate is not None}
    return Foretold(found, vectors) if found else None
