"""How long work is shown: bars in a terminal, lines now and then in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from server.terminal import AdvancePhase, complain, console, phases

QUIET_S = 10.0
"""Between two lines of one phase."""
SHARE = 100
"""Of a total above this the share is told too: large numbers say little at a glance."""


class Lines:
    """Says in lines how far work is: at a phase's begin and end, and now and then between."""

    def __init__(self, quiet_s: float = QUIET_S) -> None:
        self._quiet_s = quiet_s
        self._began: dict[str, tuple[float, int]] = {}
        self._last: dict[str, float] = {}

    def line(self, phase: str, done: int, total: int | None) -> str | None:
        """Return what to say of a phase; None where it is not yet time to."""
        now, ends = time.monotonic(), done == total
        if phase in self._last and not ends and now - self._last[phase] < self._quiet_s:
            return None
        self._last[phase] = now
        began_at, began = self._began.setdefault(phase, (now, done))
        if not total or total == 1:
            return f"{phase}: done" if ends else f"{phase}: {done}" if done else phase
        share = f" ({done / total:.0%})" if total > SHARE else ""
        left_s = (now - began_at) / (done - began) * (total - done) if done > began else 0.0
        left = f", {spoken(left_s)} left" if left_s else ""
        return f"{phase}: {done} of {total}{share}{left}"


def spoken(seconds: float) -> str:
    """Return a time as a person says it."""
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


@contextmanager
def telling(quiet_s: float = QUIET_S) -> Iterator[AdvancePhase]:
    """Show every phase the block reports, wherever stderr goes."""
    if console(stderr=True).is_terminal:
        with phases() as advance:
            yield advance
    else:
        lines = Lines(quiet_s)

        def told(phase: str, done: int, total: int | None) -> None:
            if (line := lines.line(phase, done, total)) is not None:
                complain(line)

        yield told
