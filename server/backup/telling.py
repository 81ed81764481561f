"""How far a backup is, in megabytes."""

from __future__ import annotations

from collections.abc import Callable

from server.console import AdvancePhase

MB = 1_000_000


def in_mb(advance: AdvancePhase, phase: str) -> Callable[[int, int], None]:
    """Return what is told bytes and tells the megabytes of a phase."""

    def told(done: int, total: int) -> None:
        advance(f"{phase}, MB", done // MB, total // MB)

    return told
