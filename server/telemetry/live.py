"""Requests under way, told to those who watch: what begins, each vote, and what came of it.

Owns who watches. A watcher has a short queue of its own, whose oldest news make room for the
newest: no request ever waits for one, and without one nothing is made. What is told is kept
nowhere; the content of a request that writes no memory is not even told.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from adaptation.report import AnswerCount, StopReason
from adaptation.types import Outcome, Query, Sample
from memory.history.request_traces import LEAST, cut
from server.refusals.errors import ApiError
from server.tenancy.principal import caller
from server.waiting import set_within

MOST_WAITING = 256
"""News of a watcher that has not taken them yet."""
MOST_WATCHERS = 16
"""Of a tenant."""
ABANDONED = "abandoned"
"""Why a request ended whose client left."""

Answer: TypeAlias = Callable[[Query], Awaitable[Outcome]]
News: TypeAlias = "tuple[str, Mapping[str, Any]]"
"""What happened, and what is told of it."""


class Watcher:
    """What one watcher has still to be told."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._waiting: deque[News] = deque()
        self._come = asyncio.Event()
        self._dropped = 0

    def tell(self, news: News) -> None:
        """Add news, in place of the oldest where there are too many."""
        if len(self._waiting) >= self._most:
            self._waiting.popleft()
            self._dropped += 1
        self._waiting.append(news)
        self._come.set()

    async def next(self, within_s: float) -> News | None:
        """Return the next news; None where there are none in time."""
        await set_within(self._come, within_s)
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            return "dropped", {"count": dropped}
        news = self._waiting.popleft() if self._waiting else None
        if not self._waiting:
            self._come.clear()
        return news


@dataclass(frozen=True)
class Underway:
    """One request that is under way."""

    query: Query
    model: str
    asked_at: float = field(default_factory=lambda: time.time())
    """Unix seconds."""
    began: float = field(default_factory=time.monotonic)

    @property
    def started(self) -> News:
        """What is told of its beginning."""
        return "started", {
            "id": self.query.id,
            "question": self._content(self.query.question),
            "strategy": self.query.options.strategy,
            "model": self.model,
            "asked_at": round(self.asked_at, 3),
        }

    def counted(self, sample: Sample, votes: tuple[AnswerCount, ...]) -> News:
        """Return what is told of a sample that was counted."""
        total = sum(each.count for each in votes)
        answer = sample.answer.text if sample.answer else None
        told = [{"answer": self._content(each.answer), "count": each.count} for each in votes]
        return "sample", {
            "id": self.query.id,
            "number": sample.index + 1,
            "answer": self._content(answer),
            "agreement": round(votes[0].count / total, 4) if total else None,
            "votes": told,
        }

    def finished(self, outcome: Outcome) -> News:
        """Return what is told of its end."""
        report = outcome.report
        answer = report.answer or outcome.samples[0].said.text
        return "finished", {
            **self._end(report.stop_reason),
            "strategy": report.strategy,
            "answer": self._content(answer),
            "agreement": report.agreement,
            "tokens": report.tokens.model_dump(),
        }

    def ended(self, why: str) -> News:
        """Return what is told of an end without an answer."""
        nothing = {"answer": None, "agreement": None, "tokens": None}
        return "finished", self._end(why) | nothing

    def _end(self, why: str) -> dict[str, Any]:
        seconds = round(time.monotonic() - self.began, 4)
        strategy = self.query.options.strategy
        return {"id": self.query.id, "strategy": strategy, "stop_reason": why, "seconds": seconds}

    def _content(self, text: str | None) -> str | None:
        return cut(text, LEAST) if text is not None and self.query.options.memory.write else None


class Live:
    """The voted requests under way in this process, and those who watch them.

    A batch's are not told of: so many would push out those that somebody waits for.
    """

    def __init__(self, answer: Answer, model: str) -> None:
        """`answer` is the pipeline; `model` is what reports call the base."""
        self._answer = answer
        self._model = model
        self._underway: dict[str, Underway] = {}
        self._watchers: dict[str, set[Watcher]] = {}
        """By tenant."""

    async def answer(self, query: Query) -> Outcome:
        """Answer by the pipeline, and tell of it where somebody waits for the answer."""
        if caller().in_batch:
            return await self._answer(query)
        one = self._underway[query.id] = Underway(query, self._model)
        self._tell(query.tenant, lambda: one.started)
        outcome, why = None, str(StopReason.FAILED)
        try:
            outcome = await self._answer(replace(query, notify=self._notify(one)))
        except asyncio.CancelledError:
            why = ABANDONED
            raise
        finally:
            del self._underway[query.id]
            self._tell(query.tenant, lambda: one.finished(outcome) if outcome else one.ended(why))
        return outcome

    @contextmanager
    def watching(self, tenant: str) -> Iterator[Watcher]:
        """Watch a tenant's requests for the length of the block; those under way come first.

        Raises `ApiError` (429) where so many watch already that no other may.
        """
        others = self._watchers.setdefault(tenant, set())
        if len(others) >= MOST_WATCHERS:
            raise ApiError(429, f"{MOST_WATCHERS} watch already, the most of a tenant")
        watcher = Watcher()
        for one in self._underway.values():
            if one.query.tenant == tenant:
                watcher.tell(one.started)
        others.add(watcher)
        try:
            yield watcher
        finally:
            others.discard(watcher)
            if not others:
                self._watchers.pop(tenant, None)

    def _notify(self, one: Underway) -> Callable[..., None]:
        theirs, tenant = one.query.notify, one.query.tenant

        def notify(sample: Sample, votes: Callable[[], tuple[AnswerCount, ...]]) -> None:
            if theirs is not None:
                theirs(sample, votes)
            self._tell(tenant, lambda: one.counted(sample, votes()))

        return notify

    def _tell(self, tenant: str, make: Callable[[], News]) -> None:
        """Tell all who watch a tenant; where nobody does, nothing is made."""
        if watchers := self._watchers.get(tenant):
            news = make()
            for watcher in watchers:
                watcher.tell(news)
