"""Drift: replies to what was not trained on become others.

Told by the words of greedy replies to guard probes, which cost nothing more: a share of words that
a reply lost, in the mean. Not the KL divergence from the base, which foretells forgetting better
(arXiv 2509.04259) and needs the probabilities.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from adaptation.learning.monitors.alarm import Alarm

FEWEST = 8
MOST_CHANGED = 0.4


def drift(before: Mapping[str, str], after: Mapping[str, str]) -> Alarm | None:
    """Compare replies to the same probes, by question."""
    shared = [question for question in after if question in before]
    if len(shared) < FEWEST:
        return None
    changed = sum(_lost(before[each], after[each]) for each in shared) / len(shared)
    if changed <= MOST_CHANGED:
        return None
    told = f"replies to guard probes lost {changed:.0%} of their words: lower the rate, or rehearse"
    return Alarm(monitor="drift", message=told, value=changed, limit=MOST_CHANGED)


def _lost(before: str, after: str) -> float:
    words, kept = Counter(before.split()), Counter(after.split())
    return (words - kept).total() / max(1, words.total())
