"""From one machine to a thousand: what each number of them answers, holds, trains and costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from loadtests.simulate.costs import Costs, line
from loadtests.simulate.model import Outcome, Site, Work, simulate

MACHINES = (1, 2, 3, 10, 30, 100, 300, 1000)
PLACES = 16
"""Samples at a time in an engine on a CPU, where several tenants ask."""
TOKENS, TOKENS_VARY = 60.0, 0.5
"""Of a sample."""
FULL = 0.85
"""A database that is used more than this is made two."""
WARM_REQUESTS, REQUESTS = 3, 6
"""A client's, on average, before the window and in it."""
HOUR_S = 3600.0


@dataclass(frozen=True)
class Prices:
    """Dollars an hour; round assumptions of 2026-11-30, and no offer of anybody."""

    machine: float = 0.15
    """Of one like that of the calibration: 2 cores, 24 GiB."""
    database: float = 0.70
    """Of one with 4 cores and a standby."""

    def hourly(self, site: Site) -> float:
        """Return what a site costs."""
        return site.replicas * self.machine + site.databases * self.database


@dataclass(frozen=True)
class Demand:
    """How much one tenant is."""

    requests_per_minute: float = 1.0
    """At its peak, when it counts."""


@dataclass(frozen=True)
class Row:
    """What so many machines come to."""

    site: Site
    votes: Outcome
    """Every request is a vote that is saved."""
    trained: Outcome
    """Every request trains besides."""
    dollars_per_hour: float
    tenants: int
    records: float
    """That its replicas can hold in memory."""

    @property
    def requests_per_dollar(self) -> float:
        """Votes for a dollar."""
        return self.votes.requests_per_s * HOUR_S / self.dollars_per_hour

    @property
    def adaptations_per_dollar(self) -> float:
        """Trained adapters for a dollar."""
        return self.trained.adaptations_per_s * HOUR_S / self.dollars_per_hour


def rows(
    costs: Costs,
    *,
    seed: int,
    prices: Prices,
    demand: Demand,
    machines: Sequence[int] = MACHINES,
    is_sticky: bool = True,
) -> Iterator[Row]:
    """Yield a row for each number of machines; databases are added as they fill."""
    databases = 1
    for number in machines:
        base_s, each_s = line(costs.engine_step_s)
        cores = int(costs.machine["cores"])
        site = Site(number, number, cores, PLACES, base_s, each_s, databases, is_sticky=is_sticky)
        votes = _run(costs, site, _work(costs, site), seed)
        while votes.used["database"] > FULL:
            databases *= 2
            site = replace(site, databases=databases)
            votes = _run(costs, site, _work(costs, site), seed)
        trained = _run(costs, site, replace(_work(costs, site), trained=1.0), seed)
        tenants = votes.requests_per_s * 60 / demand.requests_per_minute
        yield Row(
            site,
            votes,
            trained,
            prices.hourly(site),
            int(tenants),
            _records(costs, site),
        )


def _work(costs: Costs, site: Site) -> Work:
    """Return clients that keep every place taken, of as many tenants as there may be."""
    votes = PLACES / costs.samples.value
    clients = max(2, round(1.5 * votes)) * site.replicas
    return Work(clients, tenants=clients, tokens=TOKENS, tokens_vary=TOKENS_VARY)


def _run(costs: Costs, site: Site, work: Work, seed: int) -> Outcome:
    """Simulate for as long as it takes a client to ask several times."""
    engine_s = TOKENS * (site.base_s + site.each_s * PLACES)
    votes = PLACES / costs.samples.value
    training_s = work.trained * work.train_steps * sum(line(costs.training_step_s))
    turn_s = work.clients / site.replicas * (engine_s / votes + training_s)
    return simulate(
        costs, site, work, seed=seed, warm_s=WARM_REQUESTS * turn_s, window_s=REQUESTS * turn_s
    )


def _records(costs: Costs, site: Site) -> float:
    """Return how many records fit beside the servers; where tenants stay with a replica, each
    holds those of its own."""
    memory_bytes = float(costs.machine["memory_gib"]) * 2**30
    one = max(0.0, memory_bytes - costs.server_bytes.value) / costs.record_bytes.value
    return one * (site.replicas if site.is_sticky else 1)
