"""How far a backup is: bytes counted as they pass, and told in megabytes."""

from __future__ import annotations

from collections.abc import Callable

from server.terminal import AdvancePhase

MB = 1_000_000


def in_mb(advance: AdvancePhase, phase: str) -> Callable[[int, int], None]:
    """Return what is told bytes and tells the megabytes of a phase."""

    def told(done: int, total: int) -> None:
        advance(f"{phase}, MB", done // MB, total // MB)

    return told


class Meter:
    """Counts bytes as they pass."""

    def __init__(self, total: int, advance: Callable[[int, int], None]) -> None:
        self._done, self._total, self._advance = 0, total, advance

    def add(self, size: int) -> None:
        """Note that so many more have passed."""
        self._done += size
        self._advance(self._done, self._total)
