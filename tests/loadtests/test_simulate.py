"""The model's queues are held to the formulas that are known of them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import simpy

from loadtests.simulate.costs import Costs, Spread
from loadtests.simulate.model import Outcome, Site, Work, simulate
from loadtests.simulate.stations import Engine, Station, Waiting

CUSTOMERS = 30_000
TOLERANCE = 0.06
"""Of a mean over so many customers at these loads."""
Serve = Callable[[float], Waiting]


def stays(make: Callable[[simpy.Environment], Serve], rate: float, seed: int) -> list[float]:
    """Customers come by Poisson, each with exponential work of mean 1; how long each stayed."""
    env, rng, found = simpy.Environment(), np.random.default_rng(seed), list[float]()
    serve = make(env)

    def customer(work: float) -> Waiting:
        began = env.now
        yield from serve(work)
        found.append(env.now - began)

    def arrivals() -> Waiting:
        for _ in range(CUSTOMERS):
            yield env.timeout(rng.exponential(1 / rate))
            env.process(customer(rng.exponential()))

    env.process(arrivals())
    env.run()
    return found


def erlang_c(servers: int, load: float) -> float:
    """The share of customers who wait in M/M/c, for `load` = λ/μ (Erlang 1917)."""
    full = load**servers / math.factorial(servers) * servers / (servers - load)
    return full / (sum(load**k / math.factorial(k) for k in range(servers)) + full)


@pytest.mark.parametrize(("servers", "rate"), [(1, 0.6), (3, 2.1), (8, 6.4)])
def test_a_station_is_an_m_m_c_queue(servers: int, rate: float) -> None:
    waited = np.mean(stays(lambda env: Station(env, servers).serve, rate, seed=1)) - 1
    expected = erlang_c(servers, rate) / (servers - rate)
    assert waited == pytest.approx(expected, rel=3 * TOLERANCE)
    assert waited + 1 == pytest.approx(expected + 1, rel=TOLERANCE)


def test_an_engine_that_gives_its_whole_rate_to_its_batch_is_processor_sharing() -> None:
    """M/M/1-PS: a mean stay of 1 / (μ − λ) (Kleinrock 1967)."""
    found = stays(lambda env: Engine(env, 0.0, 1.0, places=10_000).draw, 0.6, seed=2)
    assert np.mean(found) == pytest.approx(1 / (1 - 0.6), rel=TOLERANCE)


def test_an_engine_whose_steps_take_no_longer_for_a_batch_is_as_many_servers() -> None:
    """What the fake engine is: each sample takes its own time, in one of the places."""
    found = stays(lambda env: Engine(env, 1.0, 0.0, places=3).draw, 2.1, seed=3)
    expected = 1 + erlang_c(3, 2.1) / (3 - 2.1)
    assert np.mean(found) == pytest.approx(expected, rel=TOLERANCE)


def even(value: float) -> Spread:
    return Spread(value=value, low=value, high=value)


def costs(**given: Spread) -> Costs:
    """Costs that are next to nothing but where they are given."""
    little = even(1e-6)
    spreads = {
        name: little
        for name, field in Costs.model_fields.items()
        if field.annotation is Spread and name != "samples"
    }
    rest = {"machine": {}, "measured": {}, "engine_step_s": {}, "samples": even(4)}
    rest["training_step_s"] = {1: even(0.25), 4: even(1.0)}
    return Costs.model_validate({**rest, **spreads, **given})


SITE = Site(replicas=1, hosts=1, cores=2, places=16, base_s=1.0, each_s=0.0)
WORK = Work(clients=36, tenants=2, tokens=2.0)


def outcome(of: Costs, site: Site = SITE, work: Work = WORK, seed: int = 1) -> Outcome:
    return simulate(of, site, work, seed=seed, warm_s=40, window_s=200)


def test_places_bound_what_is_answered() -> None:
    found = outcome(costs())
    assert found.requests_per_s == pytest.approx(16 / (4 * 2.0), rel=0.02)
    assert found.limit == "engine"
    assert found.seconds[0] == pytest.approx(36 / found.requests_per_s, rel=0.05)


@pytest.mark.parametrize(
    ("name", "given", "most"),
    [
        ("front", {"front_voted_cpu_s": even(1.0)}, 1.0),
        ("database", {"database_cpu_s": even(4.0)}, 4 / 4.0),
        ("tenant's lock", {"save_s": even(2.0)}, 2 / 2.0),
    ],
)
def test_what_is_dearest_is_the_limit(name: str, given: dict[str, Spread], most: float) -> None:
    found = outcome(costs(**given))
    assert found.limit == name
    assert found.requests_per_s == pytest.approx(most, rel=0.1)


def test_training_is_bounded_by_the_trainer() -> None:
    found = outcome(costs(), work=Work(36, 2, 2.0, trained=1.0))
    assert found.limit == "trainer"
    assert found.adaptations_per_s == pytest.approx(1 / (8 * 0.25), rel=0.1)


def test_records_of_other_replicas_cost_the_front_unless_a_tenant_stays_with_one() -> None:
    dear, many = costs(follow_cpu_s=even(0.4)), Work(72, 5, 2.0)
    spread = outcome(dear, Site(3, 3, 2, 16, 1.0, 0.0), many)
    stays_put = outcome(dear, Site(3, 3, 2, 16, 1.0, 0.0, is_sticky=True), many)
    assert spread.limit == "front"
    assert spread.requests_per_s < 0.9 * stays_put.requests_per_s


def test_a_run_is_the_same_for_its_seed_and_another_for_another() -> None:
    varied = costs(front_voted_cpu_s=Spread(value=0.05, low=0.03, high=0.08))
    assert outcome(varied) == outcome(varied)
    assert outcome(varied) != outcome(varied, seed=2)
