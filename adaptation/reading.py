"""Reading a sample's answer, and telling that a formula equals one that was given before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from adaptation.algebra import Algebra
from adaptation.answers import Answer, extract
from adaptation.types import Query, Sample

T = TypeVar("T")
LEAST_S = 0.1
"""For reading a sample that came in time: it is paid for."""
WITH_FORMULAS = frozenset({"auto", "math"})
"""Kinds of answer that may be one."""


class Reader:
    """Reads the samples of one query; what may take long runs beside the event loop."""

    def __init__(self, query: Query, algebra: Algebra | None = None) -> None:
        self._query = query
        self._algebra = algebra

    async def read(self, sample: Sample, before: Sequence[Answer]) -> Answer | None:
        """Return the answer, under the key of the one in `before` that it equals.

        What takes longer than the request has time is left, but for `LEAST_S`: the answer keeps its
        own key, or there is none.
        """
        if self._query.options.answer.kind == "regex":  # a pattern may use up its time limit
            return await self._in_time(asyncio.to_thread(self._extracted, sample))
        answer = self._extracted(sample)
        may_be_formula = self._query.options.answer.kind in WITH_FORMULAS
        if answer is None or not answer.structured or not may_be_formula:
            return answer
        return await self._merged(answer, before)

    def _extracted(self, sample: Sample) -> Answer | None:
        query = self._query
        return extract(
            sample.text,
            query.options.answer,
            has_tools=query.has_tools,
            json_output=query.json_output,
        )

    async def _merged(self, answer: Answer, before: Sequence[Answer]) -> Answer:
        if self._algebra is None or any(known.key == answer.key for known in before):
            return answer
        texts = [known.text for known in before]
        place = await self._in_time(self._algebra.find(answer.text, texts))
        return answer if place is None else replace(answer, key=before[place].key)

    async def _in_time(self, work: Awaitable[T]) -> T | None:
        left_s = self._query.seconds_left
        with suppress(TimeoutError):
            async with asyncio.timeout(None if left_s is None else max(left_s, LEAST_S)):
                return await work
        return None
