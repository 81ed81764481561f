"""Out-of-distribution traffic: what is asked lies far from all that is known."""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.learning.monitors.alarm import Alarm

FEWEST = 32
FAR = 0.4
"""Similarity of the nearest neighbour below which a question is far from memory."""
MOST_FAR = 0.5


def traffic(nearest: Sequence[float]) -> Alarm | None:
    """Look at the similarity of each question asked to what is nearest in memory."""
    if len(nearest) < FEWEST:
        return None
    far = sum(each < FAR for each in nearest) / len(nearest)
    if far <= MOST_FAR:
        return None
    told = f"{far:.0%} of the questions asked lately lie far from memory: collect such records"
    return Alarm(monitor="traffic", message=told, value=far, limit=MOST_FAR)
