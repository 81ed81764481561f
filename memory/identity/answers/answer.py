"""The answer a sample gave: how it reads and the key its vote is counted by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """What was read out of one sample."""

    text: str
    """As shown to users, such as `288` or `$1,200`."""
    key: str
    """Canonical: equal keys are equal answers. Unit and symbol are part of it; what of one vote is
    one answer all the same, `keys.joined` says."""
    structured: bool
    """False where nothing but the whole text could be taken."""
