"""What measurements share: the servers, how much to do, and where to say how far it has come."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rich.console import Console

from server.models.size import Size
from server.server_process import WHET, Launch, Server, running
from server.tour.client import Client

BARE_VLLM = Launch("bare vLLM", ("loadtests.bare_vllm",), "/health")
Advance = Callable[[str, int, int], None]
"""Told what is measured, how much of it is done, and of how much."""


@dataclass(frozen=True)
class Scale:
    """How much is measured."""

    rounds: int
    """Of plain requests to both servers; each gives one ratio."""
    single_requests: int
    """In each round, one at a time, for latency."""
    parallel_requests: int
    """In each round, several at once, for throughput."""
    questions: int
    """Answered by an adaptive and by a fixed vote."""
    trainings: int
    """Requests with test-time training."""
    jobs: int
    """Training jobs given to the trainer directly."""


FULL = Scale(
    rounds=40,
    single_requests=8,
    parallel_requests=24,
    questions=120,
    trainings=24,
    jobs=5,
)
LARGER = Scale(
    rounds=8,
    single_requests=4,
    parallel_requests=16,
    questions=24,
    trainings=6,
    jobs=2,
)
"""For a model that takes tens of times as long for each token as the built-in one."""
QUICK = Scale(
    rounds=4,
    single_requests=5,
    parallel_requests=16,
    questions=8,
    trainings=4,
    jobs=2,
)
SMALL = 50_000_000
"""Parameters up to which everything is measured in full."""


def scale_for(size: Size | None) -> Scale:
    """Return how much of a model can be measured in minutes."""
    return FULL if size is not None and size.parameters <= SMALL else LARGER


@dataclass(frozen=True)
class Model:
    """What is served, and how that is said to a server."""

    name: str
    folder: str
    """What the trainer loads."""
    words: tuple[str, ...]
    """On the command line of `whet serve`, and of vLLM alone."""


class Laboratory:
    """Servers are started when they are first needed; `whet` stays until the laboratory closes."""

    def __init__(
        self,
        scale: Scale,
        seed: int,
        model: Model,
        folder: Path,
        console: Console,
        advance: Advance,
        stack: ExitStack,
    ) -> None:
        self.scale = scale
        self.seed = seed
        self.model = model
        self.advance = advance
        self._folder = folder
        self._console = console
        self._stack = stack

    @cached_property
    def whet(self) -> Server:
        """Whet with its defaults, on a memory of its own."""
        data = ("--data-dir", str(self._folder))
        launch = running(WHET, self._console, *self.model.words, *data)
        return self._stack.enter_context(launch)

    @cached_property
    def client(self) -> Client:
        """A client of `whet`."""
        return Client(self.whet.url)

    def bare_vllm(self) -> AbstractContextManager[Server]:
        """Start vLLM alone for the length of a block."""
        return running(BARE_VLLM, self._console, *self.model.words)
