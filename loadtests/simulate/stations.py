"""Where requests wait: servers with a queue, and an engine whose batch shares its steps."""

from __future__ import annotations

import heapq
from collections.abc import Generator
from itertools import count
from typing import Any

import simpy

Waiting = Generator[simpy.Event, Any, None]


class Station:
    """`servers` that each serve one at a time, first come, first served."""

    def __init__(self, env: simpy.Environment, servers: int = 1) -> None:
        self._env, self._servers = env, servers
        self._resource = simpy.Resource(env, servers)
        self.busy_s = 0.0
        """Of all servers together."""

    def serve(self, seconds: float, needs: Station | None = None) -> Waiting:
        """Wait for a server, and hold it so long; where it `needs` another station, as long as that
        takes."""
        with self._resource.request() as turn:
            yield turn
            began = self._env.now
            if needs is None:
                yield self._env.timeout(seconds)
            else:
                yield from needs.serve(seconds)
            self.busy_s += self._env.now - began

    def used(self, seconds: float) -> float:
        """Return the share of all servers' time that was used."""
        return self.busy_s / (self._servers * seconds)


class Engine:
    """Continuous batching: all samples in the batch get a token in each step, and a step takes
    `base_s + each_s · samples`. A trainer is the same, with jobs and steps.

    That is processor sharing whose rate follows from the batch: each sample advances at
    r(b) = 1 / (base_s + each_s · b) tokens a second. Work is measured on one clock of tokens, which
    runs at r(b): a sample of n tokens ends when the clock shows n more than at its beginning, so
    only the next to end has to be known. At most `places` samples are in the batch; who comes then
    waits in line.
    """

    def __init__(self, env: simpy.Environment, base_s: float, each_s: float, places: int) -> None:
        self._env, self._base_s, self._each_s = env, base_s, each_s
        self._places = simpy.Resource(env, places)
        self._capacity = places
        self._batch: list[tuple[float, int, simpy.Event]] = []
        """By where the clock of tokens stands when each ends."""
        self._clock, self._since = 0.0, 0.0
        self._numbers, self._changed = count(), env.event()
        self.place_s, self.busy_s = 0.0, 0.0
        """How long places were taken, all of them together; and how long any was at work."""
        env.process(self._run())

    def draw(self, tokens: float, extra_s: float = 0.0) -> Waiting:
        """Wait for a place, take so many tokens or steps, and keep the place `extra_s` longer."""
        with self._places.request() as place:
            yield place
            began, done = self._env.now, self._env.event()
            self._advance()
            heapq.heappush(self._batch, (self._clock + tokens, next(self._numbers), done))
            self._notify()
            yield done
            if extra_s:
                yield self._env.timeout(extra_s)
            self.place_s += self._env.now - began

    def used(self, seconds: float) -> float:
        """Return the share of its places that was taken."""
        return self.place_s / (self._capacity * seconds)

    @property
    def _step_s(self) -> float:
        return self._base_s + self._each_s * len(self._batch)

    def _advance(self) -> None:
        """Bring the clock of tokens up to now."""
        if self._batch:
            self._clock += (self._env.now - self._since) / self._step_s
            self.busy_s += self._env.now - self._since
        self._since = self._env.now

    def _notify(self) -> None:
        if not self._changed.triggered:
            self._changed.succeed()

    def _run(self) -> Waiting:
        while True:
            self._changed = self._env.event()
            if self._batch:
                left_s = max(0.0, (self._batch[0][0] - self._clock) * self._step_s)
                yield self._changed | self._env.timeout(left_s)
            else:
                yield self._changed
            self._advance()
            while self._batch and self._batch[0][0] <= self._clock + 1e-9:
                heapq.heappop(self._batch)[2].succeed()
