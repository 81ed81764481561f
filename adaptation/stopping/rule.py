"""The protocol every stopping rule meets, and the wave size that follows from any rule."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from adaptation.types import StopReason


class StoppingRule(Protocol):
    """Decides after each vote whether another one is worth drawing.

    These rules certify the *mode* of the answer distribution, not that the mode is correct.
    """

    def stop(self, counts: Sequence[int], remaining: int, confidence: float) -> StopReason | None:
        """Return why to stop, or None to go on.

        `counts` are the votes of each answer, largest first; `remaining` is how many samples may
        still be drawn (in flight or not yet started); `confidence` is the caller's threshold.
        """
        ...


def next_wave(rule: StoppingRule, counts: Sequence[int], remaining: int, confidence: float) -> int:
    """Return the fewest further samples after which `rule` could stop.

    That is the best case: all of them vote for the leader. Fewer could never settle the vote,
    more would be wasted whenever the best case comes true.
    """
    leader, rest = (counts[0], list(counts[1:])) if counts else (0, [])
    for more in range(1, remaining):
        if rule.stop([leader + more, *rest], remaining - more, confidence) is not None:
            return more
    return remaining
