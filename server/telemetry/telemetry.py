"""What is told of the work under way: requests, answers, their steps, and work offline.

The seam. This one tells nobody; `otel.py`, which is imported only where a collector is named, tells
OpenTelemetry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext

from starlette.types import Scope

from adaptation.types import Outcome, Query
from server.telemetry.notes import RequestNote


class Watched:
    """One prompt while it is answered."""

    def step(self, name: str) -> AbstractContextManager[object]:
        """See `Stopwatch`."""
        return nullcontext()

    def ended(self, outcome: Outcome) -> None:
        """Take in what came of it."""


RouteOf = Callable[[Scope], str | None]


class Telemetry:
    """Told of everything when it begins and when it ends."""

    route_of: RouteOf | None = None
    """Returns the pattern of the path by which a request is routed, once there are routes."""

    def request(self, note: RequestNote, scope: Scope) -> AbstractContextManager[Scope]:
        """See a request; the block is given the scope for whoever answers it."""
        return nullcontext(scope)

    @contextmanager
    def answer(self, query: Query, prompt_tokens: int) -> Iterator[Watched]:
        """See a prompt answered."""
        yield Watched()

    @contextmanager
    def work(self, name: str, **facts: str) -> Iterator[None]:
        """See what is done offline."""
        yield

    def headers(self) -> Mapping[str, str]:
        """Return what tells whoever is asked, in another process, what he is asked for."""
        return {}

    def close(self) -> None:
        """Hand over what has not been handed over."""
