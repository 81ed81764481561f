"""What a monitor says."""

from __future__ import annotations

from memory.types import Frozen

MONITORS = (
    "autophagy",
    "collapse",
    "drift",
    "returns",
    "reward_hacking",
    "saturation",
    "stagnation",
    "traffic",
)
"""Names of all, as alarms bear them."""


class Alarm(Frozen):
    """Something that a person should look at."""

    monitor: str
    message: str
    """What was seen and what to do about it, in a sentence."""
    value: float
    limit: float
    """Beyond which there is an alarm."""
