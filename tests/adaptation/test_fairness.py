"""Whose turn it is: shares by weight, nobody held up for what others ask, nothing saved up."""

from __future__ import annotations

import heapq
from collections import Counter
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.fairness import FairShares, Turn

WEIGHTS = {"heavy": 3.0}


class Engine:
    """Serves one request at a time, by priority and then by arrival, as vLLM's scheduler does."""

    def __init__(self) -> None:
        self.shares = FairShares(lambda tenant: WEIGHTS.get(tenant, 1.0))
        self._waiting: list[tuple[int, int, Turn, int]] = []
        self._numbers = count()

    def ask(self, tenant: str, tokens: int) -> None:
        turn = self.shares.begin(tenant)
        heapq.heappush(self._waiting, (turn.priority, next(self._numbers), turn, tokens))

    def serve(self) -> tuple[str, int]:
        _, _, turn, tokens = heapq.heappop(self._waiting)
        self.shares.served(turn)
        self.shares.end(turn, tokens)
        return turn.tenant, tokens


def test_whoever_floods_the_engine_holds_nobody_up() -> None:
    engine = Engine()
    for _ in range(1000):
        engine.ask("greedy", 100)
    for _ in range(10):
        engine.serve()
    engine.ask("modest", 100)
    assert "modest" in [engine.serve()[0] for _ in range(2)]


def test_tenants_that_always_want_more_get_tokens_by_their_weight() -> None:
    engine, served = Engine(), Counter[str]()
    costs = {"heavy": 50, "light": 200}
    for _ in range(8):
        for tenant in costs:
            engine.ask(tenant, costs[tenant])
    for _ in range(5000):
        tenant, tokens = engine.serve()
        served[tenant] += tokens
        engine.ask(tenant, costs[tenant])
    assert served["heavy"] / served["light"] == pytest.approx(3.0, rel=0.1)


def test_a_tenant_alone_has_everything_and_pays_for_it_to_nobody_later() -> None:
    engine = Engine()
    for _ in range(500):
        engine.ask("early", 100)
        engine.serve()
    for _ in range(10):
        engine.ask("early", 100)
        engine.ask("late", 100)
    first = Counter(engine.serve()[0] for _ in range(10))
    assert first["early"] >= 4, "what it used while nobody waited does not count against it"
    assert first["late"] >= 4


def test_who_was_away_has_saved_nothing_up() -> None:
    engine = Engine()
    for _ in range(300):
        engine.ask("there", 100)
    for _ in range(200):
        engine.serve()
    for _ in range(100):
        engine.ask("back", 100)
    served = Counter(engine.serve()[0] for _ in range(100))
    assert served["back"] == pytest.approx(50, abs=10)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 500)), min_size=1, max_size=60))
def test_every_request_is_served_and_a_tenants_own_in_their_order(
    asked: list[tuple[str, int]],
) -> None:
    shares = FairShares(lambda tenant: 1.0)
    turns = [(shares.begin(tenant), place) for place, (tenant, _) in enumerate(asked)]
    order = sorted(turns, key=lambda each: (each[0].priority, each[1]))
    for tenant in "abc":
        own = [place for turn, place in order if turn.tenant == tenant]
        assert own == sorted(own)
    for turn, place in order:
        shares.served(turn)
        shares.end(turn, asked[place][1])
    assert shares.begin("a").start >= max(turn.start for turn, _ in turns)


def test_requests_that_end_before_their_turn_make_no_later_one_cheaper() -> None:
    shares = FairShares(lambda tenant: 1.0)
    for _ in range(100):
        shares.end(shares.begin("sly"), 0)
    assert shares.begin("sly").expected == shares.begin("honest").expected


def test_names_that_come_once_are_not_remembered_for_ever() -> None:
    shares = FairShares(lambda tenant: 1.0)
    shares.begin("busy")  # the engine never rests
    for number in range(20_000):
        turn = shares.begin(f"made-up-{number}")
        shares.served(shares.begin("busy"))
        shares.end(turn, 10)
    assert len(shares._finish) < 5000
    assert len(shares._typical) <= 10_000
