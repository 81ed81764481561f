"""How many samples all votes of a server have in the engine."""

from __future__ import annotations

import asyncio

CROWDED = 16
"""As many as one whole vote. Beyond that a vote need not be quick by itself: the engine has others
to do while it waits."""


class Crowd:
    """Samples that were launched and have not ended, of whichever request."""

    def __init__(self) -> None:
        self._samples = 0

    @property
    def is_dense(self) -> bool:
        """Whether the engine has enough to do without another vote."""
        return self._samples >= CROWDED

    def enter(self, sample: asyncio.Task[None]) -> None:
        """Count a sample until its task is done."""
        self._samples += 1
        sample.add_done_callback(self._leave)

    def _leave(self, _: asyncio.Task[None]) -> None:
        self._samples -= 1
