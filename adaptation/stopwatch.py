"""Seconds spent in each named step of a request, and when each went on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from memory.history.traced import Span

Watch = Callable[[str], AbstractContextManager[object]]
"""Entered with the name of each step as it begins, left as it ends."""

MOST_SPANS = 256
"""Most spans that are noted one by one; seconds add up beyond."""


class Stopwatch:
    """Adds up monotonic seconds by name."""

    def __init__(self, watch: Watch = nullcontext) -> None:
        """`watch` sees every step too."""
        self.seconds: dict[str, float] = {}
        self.spans: list[Span] = []
        self.began = time.monotonic()
        self._watch = watch

    @property
    def since_start_s(self) -> float:
        """Since the first step could begin; steps may overlap, and leave time between them."""
        return time.monotonic() - self.began

    @contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Add the time spent in the `with` block to `name`."""
        start = time.monotonic()
        try:
            with self._watch(name):
                yield
        finally:
            took = time.monotonic() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + took
            if len(self.spans) < MOST_SPANS:
                self.spans.append(Span(name, round(start - self.began, 4), round(took, 4)))
