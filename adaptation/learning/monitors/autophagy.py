"""Autophagy: a model trained on what it wrote itself (arXiv 2404.01413: bounded while real data
stays in the mix).
"""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.learning.monitors.alarm import Alarm
from memory.types import Record, Tier

LEAST_REAL = 0.2
GIVEN = frozenset({Tier.IMPORTED, Tier.FEEDBACK})
"""Tiers whose answers came from outside; what a model wrote and a check passed is its own."""


def autophagy(train: Sequence[Record]) -> Alarm | None:
    """Look at where the answers of the training records came from, and at where the questions."""
    given, real = given_share(train), real_share(train)
    if given < LEAST_REAL:
        told = f"{given:.0%} of the training records are not the model's own writing: import some"
        return Alarm(monitor="autophagy", message=told, value=given, limit=LEAST_REAL)
    if real < LEAST_REAL:
        told = f"{real:.0%} of the training records were asked or brought by people: import some"
        return Alarm(monitor="autophagy", message=told, value=real, limit=LEAST_REAL)
    return None


def real_share(train: Sequence[Record]) -> float:
    """Return the share of records whose questions people asked or brought."""
    return sum(record.source.is_real for record in train) / max(1, len(train))


def given_share(train: Sequence[Record]) -> float:
    """Return the share of records whose answers people or other sources gave."""
    return sum(record.tier in GIVEN for record in train) / max(1, len(train))
