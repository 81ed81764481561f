"""The answer a sample gave: how it reads and the key its vote is counted by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What was read out of one sample."""

    text: str
    """As shown to users, such as `288` or `$1,200`."""
    key: str
    """Canonical: votes with equal keys are one answer. Units are not part of it, because samples of
    one question share theirs; `same_answer` is the comparison that minds units."""
    structured: bool
    """False where nothing but the whole text could be taken."""
