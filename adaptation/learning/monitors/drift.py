"""Drift: replies to what was not trained on become others.

Told by the words of greedy replies to guard probes, a share of words that a reply lost, in the
mean, and by how far the candidate is from the base: KL(candidate ‖ base), nats a token, which
foretells forgetting better (arXiv 2509.04259) and is known where guards were sampled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from adaptation.learning.monitors.alarm import Alarm

FEWEST = 8
MOST_CHANGED = 0.4
MOST_NATS = 0.3


def drift(
    before: Mapping[str, str], after: Mapping[str, str], divergence: float | None = None
) -> Alarm | None:
    """Compare replies to the same probes, by question, and look at the divergence."""
    if divergence is not None and divergence > MOST_NATS:
        told = f"it is {divergence:.2f} nats a token from the base: lower the rate, or rehearse"
        return Alarm(monitor="drift", message=told, value=divergence, limit=MOST_NATS)
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
