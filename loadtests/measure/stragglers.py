"""Votes over samples that were drawn before: how long they wait, and what they come to.

Votes are Whet's own, under its default rule. The engine plays samples back side by side, a token of
each at every step, as an engine that has room for all of them does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.options import Options
from adaptation.statistics import Interval, Resamples
from adaptation.types import Draw, Query, Sample
from adaptation.voting.draws import Drawer
from adaptation.voting.medoid import Embed
from adaptation.voting.pool import SamplePool
from adaptation.voting.reader import Reader
from adaptation.voting.representative import Representative
from adaptation.voting.stopping import BayesianRule
from adaptation.voting.voting import Voting
from memory.types import Message

LOOP_TOKENS, LONGEST_LOOP, LOOK_EVERY = 192, 32, 32
"""As in `server.engine.outputs`, which imports vLLM."""


@dataclass(frozen=True)
class Drawn:
    """One sample of a model."""

    n_tokens: int
    text: str
    has_ended: bool
    """By itself."""
    is_bounded: bool
    """It would have gone on; else, where it has not ended, it was cut for repeating itself."""


def until_it_repeats(ids: list[int]) -> list[int]:
    """Return a sample up to where the engine's watch for repetition ends it; itself if nowhere."""
    for end in range(LOOP_TOKENS, len(ids), LOOK_EVERY):
        tail = ids[end - LOOP_TOKENS : end]
        if any(tail[loop:] == tail[:-loop] for loop in range(1, LONGEST_LOOP + 1)):
            return ids[:end]
    return ids


@dataclass(frozen=True)
class Question:
    """A question, all samples of it, and the judge of a reply."""

    kind: str
    text: str
    samples: tuple[Drawn, ...]
    is_right: Callable[[str], bool]


@dataclass(frozen=True)
class Voted:
    """What one vote came to."""

    question: str
    tokens: int
    """Of all samples together."""
    steps: int
    """Until it was decided: what the request waits for."""
    text: str
    is_right: bool
    cut: int
    is_bounded: bool
    """Whether it waited for a sample that went on to its bound, and would go on without it."""


async def voted(question: Question, factor: float | None, order: int, embed: Embed) -> Voted:
    """Hold one vote, with the samples in an order that `order` decides."""
    samples = list(question.samples)
    Random(f"{order} {question.text}").shuffle(samples)

    def script(query: Query, draw: Draw) -> Reply:
        drawn = samples[draw.index]
        return Reply(
            drawn.text,
            tokens=drawn.n_tokens,
            finish_reason="stop" if drawn.has_ended else "length",
        )

    engine, query = FakeEngine(script), _query(question.text, len(samples))
    voting = Voting(
        query,
        BayesianRule(),
        Drawer(query, engine),
        Representative(query, engine, embed, ask=False),
        Reader(query),
    )
    clock = _Clock()
    async with SamplePool(engine, query, straggler_factor=factor) as pool, clock:
        stop = await voting.poll(pool, len(samples), adapter=None)
        steps = clock.steps
        winner = (await voting.conclude(pool, stop)).winner
    return Voted(
        question.text,
        engine.tokens,
        steps,
        winner.text,
        question.is_right(winner.text),
        pool.sample_counts().cut,
        any(_is_bounded(sample, samples) for sample in voting.tally.samples),
    )


def _is_bounded(sample: Sample, drawn: Sequence[Drawn]) -> bool:
    """Whether a sample was counted at its bound."""
    whole = drawn[sample.index]
    return whole.is_bounded and sample.n_tokens == whole.n_tokens


def _query(question: str, samples: int) -> Query:
    return Query(
        id="replayed",
        tenant="default",
        messages=(Message(role="user", content=question),),
        engine_request=None,
        options=Options(max_samples=samples),
    )


class _Clock:
    """Counts the turns of the event loop: each brings a token of every sample that runs."""

    def __init__(self) -> None:
        self.steps = 0

    async def __aenter__(self) -> None:
        self._ticking = asyncio.create_task(self._tick())

    async def __aexit__(self, *_: object) -> None:
        self._ticking.cancel()
        with suppress(asyncio.CancelledError):
            await self._ticking

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0)
            self.steps += 1


@dataclass(frozen=True)
class Row:
    """Votes that cut stragglers, beside the same votes that wait for them."""

    factor: str
    with_cuts: Interval
    """Share of the votes that cut a sample."""
    bounded: Interval
    """Share of the votes that waited for a sample up to its bound."""
    tokens: Interval
    """Those of the votes that wait are 1."""
    wait: Interval
    changed: Interval
    """Share of the votes that return another text."""
    right: Interval
    """Share of right answers, and..."""
    lost: Interval
    """...by how much it is smaller."""


def row(factor: str, ours: Sequence[Voted], waiting: Sequence[Voted]) -> Row:
    """Hold votes against the same ones that wait; intervals by whole questions."""
    draws = Resamples([("all", each.question) for each in ours], seed=0)
    pairs = list(zip(ours, waiting, strict=True))
    return Row(
        factor,
        draws.mean([each.cut > 0 for each in ours]),
        draws.mean([each.is_bounded for each in ours]),
        draws.ratio([each.tokens for each in ours], [each.tokens for each in waiting]),
        draws.ratio([each.steps for each in ours], [each.steps for each in waiting]),
        draws.mean([one.text != other.text for one, other in pairs]),
        draws.mean([each.is_right for each in ours]),
        draws.mean([other.is_right - one.is_right for one, other in pairs]),
    )
