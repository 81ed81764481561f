"""Asking held-out questions until the answers decide: block by block, of what is served and of the
candidate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from adaptation.conversation import Conversation
from adaptation.learning.distillation.at_once import at_once
from adaptation.learning.distillation.gate import Verdict, look
from adaptation.learning.neighbours import plain
from memory.types import Record

BLOCK = 32
"""Questions between two looks: what is decoded together."""
Ask = Callable[[str, Sequence[Conversation], str | None], Awaitable[list[str]]]
"""(phase, prompts, folder of an adapter) → replies."""
Grade = Callable[[str, Record], bool]
"""Whether a generated text gives the record's answer."""


@dataclass(frozen=True)
class Replies:
    """What one of them said to the questions asked, and whether that was right."""

    texts: tuple[str, ...] = ()
    right: tuple[bool, ...] = ()

    def __add__(self, more: Replies) -> Replies:
        return Replies(self.texts + more.texts, self.right + more.right)

    @property
    def share(self) -> float:
        """Return the share of the questions asked that were answered rightly."""
        return sum(self.right) / len(self.right)


@dataclass(frozen=True)
class Judging:
    """The questions that were asked, and the replies to them."""

    records: tuple[Record, ...] = ()
    base: Replies = Replies()
    current: Replies = Replies()
    candidate: Replies = Replies()
    left: int = 0
    """Held-out questions that were not asked, as they could hardly have changed the outcome."""

    def look(self, alpha: float) -> Verdict:
        """Say what the answers so far come to."""
        return look(self.current.right, self.candidate.right, self.left, alpha)


@dataclass(frozen=True)
class Judge:
    """Puts held-out questions to the base, to what is served and to a candidate."""

    ask: Ask
    grade: Grade
    served: str | None
    """The folder of what is served; None where that is the base."""

    async def judge(self, holdout: Sequence[Record], candidate: str, alpha: float) -> Judging:
        """Ask, a block at a time, until it is decided."""
        judging, verdict = Judging(left=len(holdout)), Verdict.GO_ON
        while verdict is Verdict.GO_ON:
            asked = len(judging.records)
            judging = await self._further(judging, holdout[asked : asked + BLOCK], candidate)
            verdict = judging.look(alpha)
        return judging

    async def _further(self, judging: Judging, block: Sequence[Record], candidate: str) -> Judging:
        arms = {"base": None, "champion": self.served, "candidate": candidate}
        asked = [name for name in arms if name != "champion" or self.served]
        prompts = [conversation.until(-1) for conversation in plain(block)]
        texts = await at_once(self.ask(f"evaluate {name}", prompts, arms[name]) for name in asked)
        # A verifier may ask another process, for seconds.
        graded = await asyncio.to_thread(lambda: [self._graded(some, block) for some in texts])
        found = dict(zip(asked, graded, strict=True))
        return Judging(
            records=(*judging.records, *block),
            base=judging.base + found["base"],
            current=judging.current + found.get("champion", found["base"]),
            candidate=judging.candidate + found["candidate"],
            left=judging.left - len(block),
        )

    def _graded(self, texts: Sequence[str], block: Sequence[Record]) -> Replies:
        return Replies(tuple(texts), tuple(map(self.grade, texts, block)))
