"""The life of a request, as events: front, retrieval, training, samples, front, save.

Parts are stations with queues; what each takes is drawn from `Costs`. Nothing here knows prices or
what was measured of a whole site: that is what the model predicts.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import simpy

from loadtests.simulate.costs import Costs, Spread, line
from loadtests.simulate.stations import Engine, Station, Waiting

TRAINED_AT_ONCE = 16
"""As in `adaptation.learning.trainings`."""
LOOKED_AT = 3
"""Replicas among which a balancer chooses: all of three, and of many as Envoy looks at two."""
QUARTILES_PER_SD = 1.349
"""Between the quartiles of a normal distribution with a standard deviation of 1."""


@dataclass(frozen=True)
class Site:
    """What stands where."""

    replicas: int
    hosts: int
    """They have as many replicas each as they can share evenly."""
    cores: int
    """Of a host; what its replicas use of them does not include the engine."""
    places: int
    """Samples at a time in a replica's engine."""
    base_s: float
    each_s: float
    """A step of the engine takes `base_s + each_s · samples`."""
    databases: int = 1
    database_cores: int = 4
    is_sticky: bool = False
    """Whether a tenant's requests all go to one replica."""


@dataclass(frozen=True)
class Work:
    """What is asked: each client asks again as soon as it is answered."""

    clients: int
    tenants: int
    tokens: float
    """Of a sample, on average."""
    tokens_vary: float = 0.0
    """Their standard deviation by their mean."""
    trained: float = 0.0
    """Share of the requests that train."""
    train_steps: int = 8


@dataclass(frozen=True)
class Outcome:
    """What a site came to in the window."""

    requests_per_s: float
    adaptations_per_s: float
    seconds: tuple[float, float]
    """Of a request: median and 95th percentile."""
    used: dict[str, float]
    """Of each part, the share of its time."""

    @property
    def limit(self) -> str:
        """The part that is used most."""
        return max(self.used, key=lambda name: self.used[name])


class Replica:
    """One server: its event loop, its engine, its trainer."""

    def __init__(
        self, env: simpy.Environment, site: Site, cores: Station, training: tuple[float, float]
    ) -> None:
        self.front, self.cores = Station(env), cores
        self.engine = Engine(env, site.base_s, site.each_s, site.places)
        self.trainer = Engine(env, *training, TRAINED_AT_ONCE)
        self.seen: Counter[int] = Counter()
        """Records of each tenant that its index holds."""
        self.under_way = 0
        """Requests that it has not answered yet."""


class Simulation:
    """One site under one load, for a seed."""

    def __init__(self, costs: Costs, site: Site, work: Work, seed: int) -> None:
        self._env, self._rng = simpy.Environment(), np.random.default_rng(seed)
        self._costs, self._site, self._work = costs, site, work
        self._cores = [Station(self._env, site.cores) for _ in range(site.hosts)]
        training = line(costs.training_step_s)
        self._replicas = [
            Replica(self._env, site, self._cores[number % site.hosts], training)
            for number in range(site.replicas)
        ]
        self._databases = [Station(self._env, site.database_cores) for _ in range(site.databases)]
        self._locks = [Station(self._env) for _ in range(work.tenants)]
        self._saved: Counter[int] = Counter()
        self._turn = itertools.count()
        self._ended: list[tuple[float, float, bool]] = []
        """When, after how long, and whether it trained."""

    def run(self, warm_s: float, window_s: float) -> Outcome:
        """Return what happens in the window that begins after `warm_s`."""
        for client in range(self._work.clients):
            self._env.process(self._client(client % self._work.tenants))
        self._env.run(warm_s)
        before = self._busy()
        self._env.run(warm_s + window_s)
        used = {name: (busy - before[name]) / window_s for name, busy in self._busy().items()}
        inside = [each for each in self._ended if each[0] >= warm_s]
        seconds = [each[1] for each in inside] or [float("nan")]
        middle, late = np.percentile(seconds, (50, 95))
        return Outcome(
            len(inside) / window_s,
            sum(each[2] for each in inside) / window_s,
            (float(middle), float(late)),
            used,
        )

    def _client(self, tenant: int) -> Waiting:
        while True:
            began = self._env.now
            trains = self._rng.random() < self._work.trained
            replica = self._replica(tenant)
            replica.under_way += 1
            yield from self._request(tenant, replica, trains=trains)
            replica.under_way -= 1
            self._ended.append((self._env.now, self._env.now - began, trains))

    def _replica(self, tenant: int) -> Replica:
        """Return whom a balancer asks: of the next few the one that has the fewest under way."""
        if self._site.is_sticky:
            return self._replicas[tenant % len(self._replicas)]
        first = next(self._turn)
        few = [self._replicas[(first + n) % len(self._replicas)] for n in range(LOOKED_AT)]
        return min(few, key=lambda each: each.under_way)

    def _request(self, tenant: int, replica: Replica, *, trains: bool) -> Waiting:
        costs, half = self._costs, self._draw(self._costs.front_voted_cpu_s) / 2
        database = self._databases[tenant % len(self._databases)]
        database_s = self._draw(costs.database_cpu_s) / 2
        yield from replica.front.serve(half + self._follow_s(tenant, replica), replica.cores)
        yield from database.serve(database_s)
        yield self._env.timeout(max(0.0, self._draw(costs.retrieval_s) - database_s))
        if trains:
            yield from replica.trainer.draw(self._work.train_steps)
        samples = max(1, round(self._draw(costs.samples)))
        yield self._env.all_of([self._env.process(self._sample(replica)) for _ in range(samples)])
        yield from replica.front.serve(half, replica.cores)
        yield from self._save(tenant, replica, database, database_s)

    def _sample(self, replica: Replica) -> Waiting:
        tokens = self._work.tokens
        if self._work.tokens_vary:
            shape = self._work.tokens_vary**-2
            tokens = self._rng.gamma(shape, tokens / shape)
        yield from replica.engine.draw(tokens, self._draw(self._costs.sample_wait_s))

    def _save(self, tenant: int, replica: Replica, database: Station, database_s: float) -> Waiting:
        """Writers of a tenant take turns until the commit."""
        held_s = max(0.0, self._draw(self._costs.save_s) - database_s)
        yield from self._locks[tenant].serve(held_s)
        yield from database.serve(database_s)
        self._saved[tenant] += 1
        replica.seen[tenant] += 1

    def _follow_s(self, tenant: int, replica: Replica) -> float:
        """Return what it takes to read what other replicas have saved."""
        new = self._saved[tenant] - replica.seen[tenant]
        replica.seen[tenant] += new
        return new * self._draw(self._costs.follow_cpu_s)

    def _busy(self) -> dict[str, float]:
        """Return how long each part was busy so far, by how many there are of it."""
        parts: dict[str, Sequence[Station | Engine]] = {
            "front": [each.front for each in self._replicas],
            "engine": [each.engine for each in self._replicas],
            "cores": self._cores,
            "database": self._databases,
        }
        busy = {
            name: sum(each.used(1.0) for each in parts[name]) / len(parts[name]) for name in parts
        }
        trained_s = sum(each.trainer.busy_s for each in self._replicas) / len(self._replicas)
        lock_s = max(each.busy_s for each in self._locks)
        return busy | {"trainer": trained_s, "tenant's lock": lock_s}

    def _draw(self, spread: Spread) -> float:
        """Return a normal draw with these quartiles, and nothing below 0."""
        deviation = (spread.high - spread.low) / QUARTILES_PER_SD
        return max(0.0, float(self._rng.normal(spread.value, deviation)))


def simulate(
    costs: Costs, site: Site, work: Work, *, seed: int, warm_s: float, window_s: float
) -> Outcome:
    """Return what a site comes to; the same for the same seed."""
    return Simulation(costs, site, work, seed).run(warm_s, window_s)
