"""Whether demonstrations help on questions like the one asked: seen on the neighbours themselves.

Their verified answers are known. So each in turn is left out and asked greedily, alone and with
others shown before it: what comes of that is what demonstrations do here. Few are asked: those next
to the question, a handful at a time, until they decide; and what was seen of a record is known to
the requests that follow. That the model itself says what demonstrations are worth, on questions
whose answers are known, is Rubin et al.'s (2022, arXiv 2112.08633), who learn to choose by it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
from cachetools import TTLCache

from adaptation.engine import Engine
from adaptation.errors import EngineError
from adaptation.learning.adapter_cache import content
from adaptation.learning.demonstrating import before, demonstrations
from adaptation.learning.examiner import Examiner
from adaptation.learning.single_flight import SingleFlight
from adaptation.policy import Policy
from adaptation.types import Draw, Query
from adaptation.workers.algebra import Algebra
from memory.history.ledger import Seen
from memory.text import digest, folded
from memory.types import Neighbour, Record

NEAREST = 16
"""Neighbours of a question that speak for it."""
WAVE, MOST = 4, 8
"""Neighbours that are asked at once, and how many known ones are enough."""
GOOD = 0.75
"""Share that the model answers rightly alone, from which there is little left to gain."""
Z = 1.2816
"""Normal quantile, one-sided at 10 %: a gain that luck explains changes no prompt."""
REMEMBERED, LASTS_S = 20_000, 3_600.0
"""Marks of all tenants together, and for how long: memory grows, and others would be shown."""


@dataclass(frozen=True)
class Mark:
    """Whether a neighbour was answered rightly."""

    alone: bool
    shown: bool
    """With demonstrations before it."""


@dataclass(frozen=True)
class Effect:
    """What demonstrations did on questions like the one asked."""

    asked: int = 0
    alone: int = 0
    """Answered rightly without them."""
    helped: int = 0
    """Rightly with them only; likewise below."""
    hurt: int = 0

    @classmethod
    def of(cls, marks: Sequence[Mark], seen: Seen) -> Effect:
        """Add up marks, and what the ledger saw of answers near the question."""
        return cls(
            asked=len(marks),
            alone=sum(mark.alone for mark in marks),
            helped=sum(mark.shown and not mark.alone for mark in marks) + seen.helped,
            hurt=sum(mark.alone and not mark.shown for mark in marks) + seen.hurt,
        )

    @property
    def helps(self) -> bool:
        """Whether they surely turn more right than wrong, by McNemar's test, one-sided."""
        return self.helped - self.hurt > Z * math.sqrt(self.helped + self.hurt)

    @property
    def is_decided(self) -> bool:
        """Whether asking more neighbours would change little."""
        is_good = self.asked >= WAVE and self.alone >= GOOD * self.asked
        return self.helps or is_good or self.asked >= MOST

    @property
    def obstacle(self) -> str | None:
        """Why demonstrations are not shown; None where they help, or nobody can tell.

        With fewer neighbours than a wave there is nothing to tell by: then they are, unless they
        were seen to hurt.
        """
        known = self.asked + self.helped + self.hurt
        if self.helps or (known < WAVE and self.hurt <= self.helped):
            return None
        return (
            f"demonstrations do not surely help on questions like this one: of {self.asked} "
            f"neighbours, asked with others shown before them, {self.alone} were right without; "
            f"they helped {self.helped} times and hurt {self.hurt} times"
        )


class LeaveOneOut:
    """Asks neighbours for requests of all tenants, and remembers the marks."""

    def __init__(self, engine: Engine, algebra: Algebra | None, policy: Policy) -> None:
        self._engine, self._algebra, self._policy = engine, algebra, policy
        self._known: TTLCache[str, Mark] = TTLCache(REMEMBERED, LASTS_S)
        self._flight = SingleFlight()

    async def effect(
        self,
        query: Query,
        candidates: Sequence[Neighbour],
        seen: Seen,
        bill: Callable[[int], None],
    ) -> Effect:
        """Return what demonstrations do on the neighbours next to a question.

        `seen` are the ledger's trials near the question, `bill` is told of all tokens that are
        generated. Requests that come together wait for each other's marks.
        """
        keys = self._keys(query, candidates)
        if (known := self._of(keys, seen)).is_decided:
            return known  # whatever others of the tenant ask meanwhile
        examiner = Examiner(query, self._engine, self._algebra, bill)
        place = digest(["leave-one-out", query.tenant, query.options.memory.task])
        async with self._flight.turn(place):
            marks = {key: self._known[key] for key in keys if key in self._known}
            while True:
                found = Effect.of([*marks.values()], seen)
                open_ones = [key for key in keys if key not in marks][:WAVE]
                if found.is_decided or not open_ones or examiner.is_spent:
                    return found
                found_out = await asyncio.gather(
                    *(self._mark(query, examiner, keys[key], candidates) for key in open_ones)
                )
                pairs = zip(open_ones, found_out, strict=True)
                new = {key: mark for key, mark in pairs if mark is not None}
                keys = {key: each for key, each in keys.items() if key not in open_ones}
                marks |= new
                if not examiner.was_cut:  # by a bound of this request's, which others have not
                    self._known.update(new)

    def known(self, query: Query, candidates: Sequence[Neighbour], seen: Seen) -> Effect:
        """Return what earlier requests have shown of it; the model is asked nothing."""
        return self._of(self._keys(query, candidates), seen)

    def _keys(self, query: Query, candidates: Sequence[Neighbour]) -> dict[str, Neighbour]:
        """Return the neighbours that speak for a question, by the names of their marks."""
        least = self._policy.min_similarity
        near = [each for each in candidates if each.similarity >= least][:NEAREST]
        near = [each for each in near if not each.record.request]
        return {_key(query, self._policy.model, each.record): each for each in near}

    def _of(self, keys: Iterable[str], seen: Seen) -> Effect:
        return Effect.of([self._known[key] for key in keys if key in self._known], seen)

    async def _mark(
        self, query: Query, examiner: Examiner, one: Neighbour, candidates: Sequence[Neighbour]
    ) -> Mark | None:
        """Ask a record without and with demonstrations; None where there is no telling."""
        shown = self._shown(one, candidates)
        if not shown or not await examiner.knows(one.record):
            return None
        records = [each.record for each in shown]
        alone, taught = await asyncio.gather(
            self._asked(query, examiner, one.record, []),
            self._asked(query, examiner, one.record, records),
        )
        return None if alone is None or taught is None else Mark(alone, taught)

    def _shown(self, one: Neighbour, candidates: Sequence[Neighbour]) -> list[Neighbour]:
        """Return what would be shown before a record's question, itself left out."""
        asked = folded(one.record.question)
        others = [
            replace(each, similarity=float(np.dot(each.embedding, one.embedding)))
            for each in candidates
            if folded(each.record.question) != asked
        ]
        return demonstrations(others, self._policy.demonstrations, self._policy.min_similarity)

    async def _asked(
        self, query: Query, examiner: Examiner, record: Record, shown: Sequence[Record]
    ) -> bool | None:
        with suppress(EngineError):
            prompt = self._engine.prompt(query, before(record.messages, shown))
            name = f"{query.id}-{'shown' if shown else 'alone'}-{record.id}"
            draw = Draw(-1, name, 0.0, query.seed, query.base, prompt=prompt)
            return await examiner.mark(record, draw)
        return None


def _key(query: Query, model: str, record: Record) -> str:
    """Name a mark by all that it depends on but for what is shown."""
    base = query.base.version if query.base else ""
    answer = query.options.answer.model_dump_json()
    return digest([query.tenant, model, base, answer, query.terms, record.id, content(record)])
