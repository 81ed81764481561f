"""Mode collapse: a model that says the same to everything, or the same way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from adaptation.learning.monitors.alarm import Alarm

FEWEST = 8
"""Replies, below which nothing is said."""
MOST_LOST = 0.3
"""Share of the different replies there were before that may be lost."""
MOST_ALIKE = 0.5
"""Share of the replies that may begin alike, beyond what did before."""
OPENING = 3
"""Words that make a beginning."""


def collapse(before: Sequence[str], after: Sequence[str]) -> Alarm | None:
    """Compare replies to the same questions: how many differ, how many begin alike.

    Questions differ, so their answers do; a model that has collapsed gives fewer.
    """
    if len(after) < FEWEST:
        return None
    lost = 1 - _distinct(after) / _distinct(before)
    if lost > MOST_LOST:
        told = f"{lost:.0%} of the different replies are gone: it says the same to many questions"
        return Alarm(monitor="collapse", message=told, value=lost, limit=MOST_LOST)
    alike = template_share(after) - template_share(before)
    if alike > MOST_ALIKE:
        told = f"{alike:.0%} more of the replies begin alike: train on more different solutions"
        return Alarm(monitor="collapse", message=told, value=alike, limit=MOST_ALIKE)
    return None


def template_share(replies: Sequence[str]) -> float:
    """Return the share of the replies that begin as the most frequent beginning."""
    openings = Counter(tuple(reply.split()[:OPENING]) for reply in replies)
    return max(openings.values()) / len(replies)


def _distinct(replies: Sequence[str]) -> int:
    return len({" ".join(reply.split()) for reply in replies})
