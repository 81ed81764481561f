"""How making a model is shown: bars in a terminal, lines in a log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from server.terminal import AdvancePhase, complain, console, phases

QUIET_S = 10.0
"""Between two lines of one phase."""


@contextmanager
def telling() -> Iterator[AdvancePhase]:
    """Show every phase the block reports, wherever stderr goes."""
    if console(stderr=True).is_terminal:
        with phases() as advance:
            yield advance
    else:
        yield _lines()


def _lines() -> AdvancePhase:
    last: dict[str, float] = {}

    def advance(phase: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        ends = done == total
        if phase in last and not ends and now - last[phase] < QUIET_S:
            return
        last[phase] = now
        far = f": {done} of {total}" if total and total > 1 else ": done" if ends else ""
        complain(phase + far)

    return advance
