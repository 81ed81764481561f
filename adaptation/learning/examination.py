"""The adapter is asked the held-out neighbours, whose verified answers are known, beside the base.

A held-out loss that falls says little about answers: on SmolLM2-135M a gate of losses accepted
eight adapters of which none answered anything rightly. So the engine itself answers, greedily and
in one batch, as it would serve. Where neither has one right, a few questions say too little of an
adapter that learned a part: further neighbours are asked, a batch at a time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

from adaptation.engine import Engine
from adaptation.errors import EngineError
from adaptation.learning.examiner import Examiner
from adaptation.learning.training.gate import GateVerdict, judge_answers
from adaptation.types import Adapter, Draw, Query
from adaptation.workers.algebra import Algebra
from memory.types import Record

WAVE = 6
"""Further neighbours that are asked at once."""
Marks = Mapping[int, bool]
"""Place of a question → whether it was answered rightly; one that the engine failed is left out."""


class Examination:
    """Puts the same questions to the base and to an adapter. Close it, whatever comes of it."""

    def __init__(
        self,
        query: Query,
        records: Sequence[Record],
        engine: Engine,
        algebra: Algebra | None,
        bill: Callable[[int], None],
        reserve: Sequence[Record] = (),
    ) -> None:
        """`bill` is told of all tokens that are generated."""
        self._query, self._engine = query, engine
        self._examiner = Examiner(query, engine, algebra, bill)
        held_out, further = (
            [record for record in some if record.request == query.request]
            for some in (records, reserve)
        )
        self._questions = [*held_out, *further]
        first, last = len(held_out), len(self._questions)
        self._held_out = range(first)
        self._further = [range(i, min(i + WAVE, last)) for i in range(first, last, WAVE)]
        self._asked: set[asyncio.Task[bool | None]] = set()
        self._base: asyncio.Task[Marks] | None = None

    @property
    def was_cut(self) -> bool:
        """Whether the request's bound on tokens cut an answer off that came to nothing."""
        return self._examiner.was_cut

    def begin(self) -> None:
        """Start asking the base, which needs no adapter: training goes on meanwhile."""
        self._base = asyncio.create_task(self._marks_of_the_base(self._held_out))

    async def is_passed(self) -> bool:
        """Await what the base answers; whether it is right on all, so that nothing can be gained.

        False as well where nothing can be asked.
        """
        marks = await self._base_marks()
        return bool(marks) and all(marks.values())

    async def judge(self, adapter: Adapter) -> GateVerdict | None:
        """Ask the adapter what the base was asked; None where there is nothing to compare."""
        base = dict(await self._base_marks())
        if not base:
            return None
        marks: dict[int, bool] = {}
        asked: Collection[int] = tuple(base)
        further = deque(self._further)
        while True:
            # Where the base is right on something, one gained among many says too little.
            goes_on = further and not any(base.values()) and not self._examiner.is_spent
            more = further.popleft() if goes_on else ()
            verdict = await self._compare(adapter, asked, base, marks, is_last=not more)
            if verdict is not None:
                return verdict
            news = await self._marks_of_the_base(more)
            base |= news
            asked = tuple(news)

    async def _compare(
        self,
        adapter: Adapter,
        asked: Collection[int],
        base: Marks,
        marks: dict[int, bool],
        *,
        is_last: bool,
    ) -> GateVerdict | None:
        """Ask the adapter more, noting its `marks`, until they decide; None where they do not."""
        places = {self._ask(place, adapter): place for place in asked}
        waiting = set(places)
        verdict = None if waiting else judge_answers(base, marks, is_over=is_last)
        while waiting and verdict is None:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if (mark := task.result()) is not None:
                    marks[places[task]] = mark
            verdict = judge_answers(base, marks, is_over=is_last and not waiting)
        await _cancel(waiting)
        return verdict

    async def close(self) -> None:
        """End what is still asked, if anything was."""
        await _cancel({*self._asked, *([self._base] if self._base else [])})

    async def _base_marks(self) -> Marks:
        assert self._base is not None, "begin was not called"
        return await asyncio.shield(self._base)

    async def _marks_of_the_base(self, places: Sequence[int]) -> Marks:
        able = [place for place in places if await self._examiner.knows(self._questions[place])]
        tasks = {place: self._ask(place, self._query.base) for place in able}
        marks = {place: await task for place, task in tasks.items()}
        return {place: mark for place, mark in marks.items() if mark is not None}

    def _ask(self, place: int, adapter: Adapter | None) -> asyncio.Task[bool | None]:
        task = asyncio.create_task(self._mark(place, adapter))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        return task

    async def _mark(self, place: int, adapter: Adapter | None) -> bool | None:
        """Whether a question is answered rightly; None where the engine does not answer it."""
        record, query = self._questions[place], self._query
        who = "base" if adapter is query.base else "adapter"
        with suppress(EngineError):
            prompt = self._engine.prompt(query, record.messages)
            name = f"{query.id}-{who}-{place}"
            draw = Draw(-1 - place, name, 0.0, query.seed, adapter, prompt=prompt)
            return await self._examiner.mark(record, draw)
        return None


async def _cancel(tasks: Collection[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
