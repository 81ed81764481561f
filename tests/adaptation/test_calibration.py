"""The bar for one sample: as low as its promise allows, and none where nothing can be promised."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.report import FirstSample, StopReason
from adaptation.types import Query, Vote
from adaptation.voting.calibration import calibrate
from adaptation.voting.draws import Drawer
from adaptation.voting.pool import SamplePool
from adaptation.voting.reader import Reader
from adaptation.voting.representative import Representative
from adaptation.voting.stopping import BetaRule
from adaptation.voting.voting import Voting

MakeQuery = Callable[..., Query]


def votes(count: int, seed: int, informative: bool = True) -> list[FirstSample]:
    """Draw first samples that win the more often the surer they are, up to always."""
    rng = random.Random(seed)
    drawn = []
    for _ in range(count):
        confidence = rng.random()
        chance = min(0.998, 0.3 + confidence) if informative else 0.7
        drawn.append(FirstSample(confidence=confidence, won=rng.random() < chance))
    return drawn


def test_a_bar_keeps_its_promise_on_votes_it_was_not_found_on() -> None:
    kept, found = 0, 0
    fresh = votes(20_000, seed=1)
    for seed in range(2, 42):
        calibration = calibrate(votes(400, seed), agreement=0.95)
        if calibration is None:
            continue
        found += 1
        above = [vote.won for vote in fresh if vote.confidence >= calibration.bar]
        kept += sum(above) / len(above) >= 0.95
        assert calibration.accepted == pytest.approx(400 * (1 - calibration.bar), abs=60)
    assert found >= 30, "a bar there is, and mostly it is found"
    assert kept / found >= 0.9


def test_a_promise_just_out_of_reach_is_rarely_given() -> None:
    rng, given = random.Random(7), 0
    for _ in range(400):
        votes = [FirstSample(confidence=rng.random(), won=rng.random() < 0.945) for _ in range(400)]
        given += calibrate(votes, agreement=0.95) is not None
    assert given / 400 <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5


def test_no_bar_is_found_where_confidence_tells_nothing_or_votes_are_few() -> None:
    assert calibrate(votes(400, 3, informative=False), agreement=0.95) is None
    assert calibrate(votes(10, 3), agreement=0.95) is None
    assert calibrate([], agreement=0.95) is None


def test_where_every_first_sample_wins_the_bar_is_the_lowest_there_is() -> None:
    sure = [FirstSample(confidence=number / 200, won=True) for number in range(200)]
    calibration = calibrate(sure, agreement=0.95)
    assert calibration is not None
    assert (calibration.bar, calibration.accepted, calibration.agreed) == (0.0, 200, 200)


async def vote(query: Query, logprob: float, text: str, bar: float | None) -> tuple[Vote, int]:
    engine = FakeEngine(lambda q, draw: Reply(text, logprob=logprob))
    voting = Voting(
        query,
        BetaRule(),
        Drawer(query, engine),
        Representative(query, engine, embed=np.zeros, ask=False),
        Reader(query),
        bar=bar,
    )
    async with SamplePool(engine, query) as pool:
        stop = await voting.poll(pool, query.options.max_samples, adapter=None)
        return await voting.conclude(pool, stop), len(engine.drawn)


@pytest.mark.parametrize(
    ("logprob", "text", "bar", "drawn"),
    [
        (-0.01, "#### 7", 0.9, 1),
        (-0.5, "#### 7", 0.9, 4),
        (-0.01, "#### 7", None, 4),
        (-0.01, "It is so.", 0.9, 4),
    ],
)
async def test_a_first_answer_above_the_bar_is_not_voted_on(
    logprob: float, text: str, bar: float | None, drawn: int, make_query: MakeQuery
) -> None:
    ended, count = await vote(make_query(), logprob, text, bar)
    assert count == drawn
    assert (ended.stop_reason is StopReason.SINGLE) == (drawn == 1)
