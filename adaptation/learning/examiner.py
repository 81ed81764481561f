"""Asks the engine, greedily, a question whose verified answer is known, and marks what it says."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing, suppress

from adaptation.engine import Engine
from adaptation.errors import EngineError
from adaptation.options import Strategy
from adaptation.types import Draw, Query, Sample
from adaptation.voting.reader import Reader
from adaptation.workers.algebra import Algebra
from memory.identity.answer_key import value_key
from memory.identity.answers import Answer, agree
from memory.types import Record

EXAMINING = frozenset({Strategy.TTT, Strategy.AUTO, Strategy.DEMONSTRATIONS})
"""What asks neighbours, and remembers what came of it: for requests of the same terms alone."""
TOO_LONG = 4
"""Times a verified solution, and `SPARE_CHARS`: an answer that goes on longer is not awaited."""
SPARE_CHARS = 400


class Examiner:
    """Puts questions in the form and within the bounds of one request."""

    def __init__(
        self, query: Query, engine: Engine, algebra: Algebra | None, bill: Callable[[int], None]
    ) -> None:
        """`bill` is told of all tokens that are generated."""
        self._query, self._engine = query, engine
        self._reader = Reader(query, algebra)
        self._bill, self._tokens = bill, 0
        self.was_cut = False
        """Whether the request's bound on tokens cut an answer off that came to nothing."""

    @property
    def is_spent(self) -> bool:
        """Whether half of the request's tokens are used up: the answer needs the others."""
        allowed = self._query.options.budget.tokens
        return allowed is not None and self._tokens >= allowed / 2

    async def knows(self, record: Record) -> bool:
        """Whether a right answer would be known for one: the verified solution itself is."""
        sample = self._engine.recite(self._query, record.rationale)
        return sample is not None and await self._is_right(sample, record)

    async def mark(self, record: Record, draw: Draw) -> bool | None:
        """Whether a record's question is answered rightly; None where the engine does not say.

        `draw` has the prompt, which may hold more than the question.
        """
        sample = None
        longest = TOO_LONG * len(record.rationale) + SPARE_CHARS
        with suppress(EngineError):
            async with aclosing(self._engine.sample(self._query, draw)) as steps:
                async for step in steps:
                    self._tokens += step.new_tokens
                    self._bill(step.new_tokens)
                    sample = step.sample if step.done else None
                    if self.is_spent:
                        self.was_cut = True
                        return None
                    if len(step.sample.text) > longest:
                        return False
        if sample is None:
            return None
        is_right = await self._is_right(sample, record)
        self.was_cut |= not is_right and sample.finish_reason == "length"
        return is_right

    async def _is_right(self, sample: Sample, record: Record) -> bool:
        verified = Answer(record.answer, value_key(record.answer), structured=True)
        answer = await self._reader.read(sample, (verified,))
        return answer is not None and answer.structured and agree(answer.key, verified.key)
