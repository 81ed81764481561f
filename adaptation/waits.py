"""How long a request waits for its memory: a part of its time, and never for ever."""

from __future__ import annotations

from adaptation.types import Query

LONGEST_S = 5.0
"""Where no deadline bounds it: an answer is worth more than what memory adds to it."""
SHARE = 0.25
"""Share of the time left that looking for neighbours may take: the samples need the rest."""
LEAST_S = 0.1
"""For keeping an answer that came in time: it is paid for."""


def recall_wait_s(query: Query) -> float:
    """Return how many seconds neighbours are waited for before the first sample is drawn."""
    left_s = query.seconds_left
    return LONGEST_S if left_s is None else min(LONGEST_S, SHARE * left_s)


def memory_wait_s(query: Query) -> float:
    """Return how many seconds memory is waited for once the samples are in."""
    left_s = query.seconds_left
    return LONGEST_S if left_s is None else min(LONGEST_S, max(LEAST_S, left_s))
