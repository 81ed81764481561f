"""Reading a sample's answer, and telling that a formula equals one that was given before."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from adaptation.types import Query, Sample
from adaptation.workers import patterns
from adaptation.workers.algebra import Algebra
from memory.identity.answers import Answer, extract
from memory.identity.answers.closing import closed_part
from memory.identity.answers.tool_call import called

T = TypeVar("T")
LEAST_S = 0.1
"""For reading a sample that came in time: it is paid for."""
LEAST_BY_PATTERN_S = 3.0
"""Least time to read a reply by a pattern: the first one starts a process."""
WITH_FORMULAS = frozenset({"auto", "math"})
"""Kinds of answer that may be one."""
BOXED = frozenset({"auto", "math", "choice"})
"""Kinds of answer that a box may hold."""
OF_CALLS = frozenset({"auto", "tool"})
"""Kinds of answer that a call may be."""


def read_answer(query: Query, sample: Sample) -> Answer | None:
    """Return the answer in a sample, under its own key; not for patterns, which may be slow."""
    options, calls = query.options.answer, sample.said.calls
    if calls and options.kind in OF_CALLS:
        return called(calls) if sample.finish_reason != "length" else None
    text = complete_part(query, sample)
    return extract(text, options, json_output=query.json_output) if text else None


def complete_part(query: Query, sample: Sample) -> str:
    """Return the text as far as what is not there cannot change its answer.

    Of a sample that was cut off that is a closed box; of JSON or a call, nothing.
    """
    if sample.finish_reason != "length":
        return sample.said.text
    is_formed = query.json_output or query.has_tools
    may_be_boxed = query.options.answer.kind in BOXED
    return closed_part(sample.said.text) if may_be_boxed and not is_formed else ""


class Reader:
    """Reads the samples of one query; what may take long runs beside the event loop."""

    def __init__(self, query: Query, algebra: Algebra | None = None) -> None:
        self._query = query
        self._algebra = algebra

    async def read(self, sample: Sample, before: Sequence[Answer]) -> Answer | None:
        """Return the answer, under the key of the one in `before` that it equals.

        A sample that was cut off has none, unless it is closed: see `complete_part`.

        What takes longer than the request has time is left, but for `LEAST_S`: the answer keeps its
        own key, or there is none.
        """
        if (pattern := self._query.options.answer.pattern) is not None:
            text = complete_part(self._query, sample)
            finding = patterns.find(pattern, text)
            return await self._in_time(finding, LEAST_BY_PATTERN_S)
        answer = read_answer(self._query, sample)
        may_be_formula = self._query.options.answer.kind in WITH_FORMULAS
        if answer is None or not answer.structured or not may_be_formula:
            return answer
        return await self._merged(answer, before)

    async def _merged(self, answer: Answer, before: Sequence[Answer]) -> Answer:
        if self._algebra is None or any(known.key == answer.key for known in before):
            return answer
        texts = [known.text for known in before]
        place = await self._in_time(self._algebra.find(answer.text, texts))
        return answer if place is None else replace(answer, key=before[place].key)

    async def _in_time(self, work: Awaitable[T], least_s: float = LEAST_S) -> T | None:
        left_s = self._query.seconds_left
        with suppress(TimeoutError):
            async with asyncio.timeout(None if left_s is None else max(left_s, least_s)):
                return await work
        return None
