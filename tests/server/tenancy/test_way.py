"""Who is never idle makes way for those who wait, and for nobody else."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from server.adapters.way import HELD_S, PATIENCE_S, Way


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Places:
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.way = Way(self.clock)
        self.since = {"acme": self.clock.now - 100, "globex": self.clock.now - 50}


@pytest.fixture
def places() -> Places:
    return Places()


def test_the_one_that_was_served_for_longest_makes_way(places: Places) -> None:
    with places.way.waited_for("initech"):
        places.clock.now += PATIENCE_S
        places.way.ask(places.since)
        assert places.way.is_made_by("acme")
        assert not places.way.is_made_by("globex")


def test_nobody_makes_way_for_one_who_has_only_come(places: Places) -> None:
    with places.way.waited_for("initech"):
        places.way.ask(places.since)
        assert not places.way.is_made_by("acme")


def test_one_who_has_just_got_a_place_keeps_it(places: Places) -> None:
    places.since = {"acme": places.clock.now}
    with places.way.waited_for("initech"):
        places.clock.now += HELD_S - 0.1
        places.way.ask(places.since)
        assert not places.way.is_made_by("acme")
        places.clock.now += 0.1
        places.way.ask(places.since)
        assert places.way.is_made_by("acme")


def test_for_each_who_waits_one_makes_way_and_no_more(places: Places) -> None:
    with places.way.waited_for("initech"):
        places.clock.now += PATIENCE_S
        for _ in range(3):
            places.way.ask(places.since)
        assert not places.way.is_made_by("globex")
        with places.way.waited_for("umbrella"):
            places.clock.now += PATIENCE_S
            places.way.ask(places.since)
            assert places.way.is_made_by("globex")


def test_one_who_makes_way_and_waits_itself_has_nobody_else_leave(places: Places) -> None:
    with places.way.waited_for("initech"):
        places.clock.now += PATIENCE_S
        places.way.ask(places.since)
        with places.way.waited_for("acme"):
            places.clock.now += PATIENCE_S
            places.way.ask(places.since)
            assert not places.way.is_made_by("globex")


def test_where_nobody_waits_any_more_nobody_makes_way(places: Places) -> None:
    with places.way.waited_for("initech"):
        places.clock.now += PATIENCE_S
        places.way.ask(places.since)
    assert not places.way.is_made_by("acme")


def test_one_who_has_left_may_come_back(places: Places) -> None:
    with places.way.waited_for("initech"):
        places.clock.now += PATIENCE_S
        places.way.ask(places.since)
        places.way.left("acme")
        assert not places.way.is_made_by("acme")
