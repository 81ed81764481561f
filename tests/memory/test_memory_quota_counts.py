"""Limits that several servers hold together, in the table that they count in."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from memory.memory import LongTermMemory
from memory.quota_claims import DAY_S, LEASE_S, Claim, Count, Grant, settled
from memory.tenants import Limits

NOW = 1_790_000_000.0
RATES = Limits(requests_per_minute=60, tokens_per_minute=600)


def test_what_is_given_is_taken_out_and_comes_back_evenly() -> None:
    count, first = settled(Count(), "a", Claim(RATES, more_requests=40), NOW)
    count, second = settled(count, "b", Claim(RATES, more_requests=40), NOW)
    assert (first.requests, second.requests, second.requests_left) == (40, 20, 0)
    count, third = settled(count, "b", Claim(RATES, more_requests=40), NOW + 5)
    assert (third.requests, third.requests_left) == (5, 0)
    _, back = settled(count, "b", Claim(RATES, requests=-3), NOW + 5)
    assert back.requests_left == 3


def test_tokens_are_owed_whoever_spent_them() -> None:
    count, spent = settled(Count(), "a", Claim(RATES, tokens=900), NOW)
    assert spent.tokens_left == -300
    _, later = settled(count, "b", Claim(RATES), NOW + 31)
    assert later.tokens_left == 10


@given(
    st.integers(1, 500),
    st.lists(st.tuples(st.integers(0, 40), st.floats(0, 20)), max_size=30),
)
def test_servers_never_let_in_more_than_a_limit_has(
    limit: int, asked: Sequence[tuple[int, float]]
) -> None:
    """In any time t: at most a minute's worth and what t has filled."""
    count, now, let_in = Count(), NOW, 0
    for number, (wanted, pause_s) in enumerate(asked):
        now += pause_s
        claim = Claim(Limits(requests_per_minute=limit), more_requests=wanted)
        count, grant = settled(count, f"server {number % 3}", claim, now)
        let_in += grant.requests
        assert grant.requests <= wanted
        assert let_in <= limit * (1 + (now - NOW) / 60) + 0.1


def test_a_limit_that_changes_goes_on_from_the_share_that_was_used() -> None:
    half, _ = settled(Count(), "a", Claim(RATES, more_requests=30), NOW)
    other = Limits(requests_per_minute=600)
    assert settled(half, "a", Claim(other), NOW)[1].requests_left == 300
    assert settled(half, "a", Claim(Limits()), NOW)[0].requests_full_at == NOW + 30


def test_places_are_shared_and_those_of_a_server_that_is_gone_are_free() -> None:
    limits = Limits(concurrent_requests=4)
    count, a = settled(Count(), "a", Claim(limits, more_places=3), NOW)
    count, b = settled(count, "b", Claim(limits, more_places=3), NOW)
    assert (a.places, b.places, b.places_elsewhere) == (3, 1, 3)
    count, b = settled(count, "b", Claim(limits, at_work=1), NOW + LEASE_S - 1)
    assert (b.places, b.places_elsewhere) == (1, 3), "not heard of, but not long enough"
    count, b = settled(count, "b", Claim(limits, at_work=1, more_places=9), NOW + LEASE_S)
    assert (b.places, b.places_elsewhere) == (4, 0)
    count, a = settled(count, "a", Claim(limits, at_work=3), NOW + LEASE_S)
    assert a.places == 3, "what is at work is not taken away: it was away, and is back"
    count, _ = settled(count, "a", Claim(limits), NOW + LEASE_S)
    assert "a" not in count.places


def test_a_day_ends_for_all_servers_at_midnight() -> None:
    midnight = NOW // DAY_S * DAY_S + DAY_S
    count, _ = settled(Count(), "a", Claim(RATES, steps=5), midnight - 1)
    count, grant = settled(count, "b", Claim(RATES, steps=2), midnight - 1)
    assert grant.steps == 7
    _, grant = settled(count, "a", Claim(RATES, steps=1), midnight)
    assert (grant.steps, grant.day) == (1, int(midnight // DAY_S))


def test_a_claim_is_counted_for_its_tenant_and_outlives_the_server(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    slow = Limits(tokens_per_minute=1)
    claim = Claim(slow, tokens=10**6, steps=4)
    grants = memory.quota_counts.settle("a", {"ann": claim, "bob": Claim(slow)})
    assert (round(grants["ann"].tokens_left, -3), grants["bob"].tokens_left) == (-(10**6), 1)
    memory.close()
    again = LongTermMemory.open(tmp_path, memory.embedder)
    grants = again.quota_counts.settle("b", {"ann": claim, "bob": claim})
    assert round(grants["ann"].tokens_left, -3) == -2 * 10**6
    assert (grants["ann"].steps, grants["bob"].steps) == (8, 4)
    again.close()


def test_servers_that_ask_at_once_get_no_more_than_there_is(memory: LongTermMemory) -> None:
    limits = Limits(requests_per_minute=10, concurrent_requests=5)
    begun = time.monotonic()

    def ask(number: int) -> dict[str, Grant]:
        claim = Claim(limits, more_requests=3, more_places=2)
        tenants = ["new", "another"] if number % 2 else ["another", "new"]
        return memory.quota_counts.settle(f"server {number}", dict.fromkeys(tenants, claim))

    with ThreadPoolExecutor(8) as pool:
        grants = list(pool.map(ask, range(8)))
    for tenant in ("new", "another"):
        filled = (time.monotonic() - begun) / 6
        assert 10 <= sum(grant[tenant].requests for grant in grants) <= 10 + filled
        assert filled > 0.5 or sum(grant[tenant].places for grant in grants) == 5


def test_tenants_that_came_once_are_not_counted_for_ever(
    memory: LongTermMemory,
    tmp_path: Path,
    raw: Callable[[Path], AbstractContextManager[Connection]],
) -> None:
    claims = {"idle": Claim(RATES), "owes": Claim(RATES, tokens=10**7), "new": Claim(RATES)}
    memory.quota_counts.settle("a", claims)
    assert memory.quota_counts.tidy() == 0
    with raw(tmp_path) as connection:
        older = "UPDATE quota_count SET settled_at = settled_at - 90000 WHERE tenant <> 'new'"
        connection.execute(text(older))
    assert memory.quota_counts.tidy() == 1
    with raw(tmp_path) as connection:
        left = connection.execute(text("SELECT tenant FROM quota_count")).scalars().all()
    assert set(left) == {"owes", "new"}


def test_the_processes_that_have_a_database_open_are_counted(
    memory: LongTermMemory, tmp_path: Path, dialect: str
) -> None:
    assert memory.quota_counts.servers() == 1
    other = LongTermMemory.open(tmp_path, memory.embedder)
    assert memory.is_shared == (dialect == "postgres")
    assert memory.quota_counts.servers() == (2 if memory.is_shared else 1)
    other.close()
    assert memory.quota_counts.servers() == 1
