"""What a monitor says."""

from __future__ import annotations

from memory.types import Frozen


class Alarm(Frozen):
    """Something that a person should look at."""

    monitor: str
    message: str
    """What was seen and what to do about it, in a sentence."""
    value: float
    limit: float
    """Beyond which there is an alarm."""
