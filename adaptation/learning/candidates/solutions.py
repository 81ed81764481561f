"""Worked solutions for corrections that brought a bare answer.

A bare answer teaches a model that solves in steps to skip them. So the model writes the solution,
with the answer in sight (rationalisation: STaR, arXiv 2203.14465), and without it a few times. Two
of these must end in the answer, one of them at least written without seeing it; the first is
learned. Where they do not, nothing is: the record stays in memory, and is asked again once its
answer or the base is another.

Not every answer wants steps. Where the model itself answers without any, that is the form of the
task, and the correction is learned as it is; so are tool calls.

A record is asked by itself and not in a batch with others: what is written for it must not depend
on what else is there, so that a generation can be trained again without an erased record.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from adaptation.conversation import Conversation
from adaptation.learning.candidates.kept import Kept
from adaptation.learning.neighbours import is_bare, plain
from adaptation.learning.training.trainer import Draw, GeneratingTrainer, OnStep
from memory.identity.answers import extract
from memory.identity.answers.options import AnswerOptions
from memory.identity.prompt import spelled
from memory.lines.calls import calls_in
from memory.types import AdapterVersion, Message, Record
from memory.versions.candidates import WorkedSolution, content_of

Bare: TypeAlias = Literal["solve", "learn", "leave"]
"""What becomes of bare corrections: a solution is written, they are learned as they are, or not."""
HINT = "\n(The answer is {}.)"
DRAWS, TEMPERATURE = 4, 0.8
AT_ONCE = 16
"""Records that are asked about at a time: workers do so beside each other, one of them in turn."""
AGREEING = 2
"""Solutions that must end in the answer."""
STEPS = 2
"""Sentences or lines of a worked solution, at least."""
_SENTENCE = re.compile(r"\n+|(?<=[.!?])\s+")


@dataclass(frozen=True)
class Solved:
    """Records as they are to be learned."""

    records: tuple[Record, ...]
    written: int = 0
    """How many of them have a solution that the model wrote."""
    left_out: int = 0
    """Bare corrections that teach nothing."""


@dataclass(frozen=True)
class Solver:
    """Has a model write solutions."""

    trainer: GeneratingTrainer
    grade: Callable[[str, Record], bool]
    """Whether a reply gives a record's answer."""
    kept: Kept
    base_model: str
    max_new_tokens: int
    timeout_s: float
    on_step: OnStep

    async def solved(self, tenant: str, records: Sequence[Record], bare: Bare) -> Solved:
        """Return the records, the bare corrections among them as `bare` says."""
        wanting = [record for record in records if is_bare_correction(record)]
        if bare == "learn" or not wanting:
            return Solved(tuple(records))
        known = await asyncio.to_thread(self.kept.solutions, tenant, self.base_model)
        found: dict[str, Record | None] = {}
        turns = asyncio.Semaphore(AT_ONCE)

        async def solve(record: Record) -> None:
            async with turns:
                text = await self._text(record, known.get(record.id), bare)
            found[record.id] = _with(record, text)
            self.on_step(len(found), len(wanting), None)

        await asyncio.gather(*map(solve, wanting))
        kept = (found.get(record.id, record) for record in records)
        changed = sum(new is not None and not is_bare(new) for new in found.values())
        left_out = sum(new is None for new in found.values())
        return Solved(tuple(record for record in kept if record), changed, left_out)

    async def _text(self, record: Record, known: WorkedSolution | None, bare: Bare) -> str | None:
        """Return what is to be learned of a record; None for nothing."""
        if known is not None and known.content == content_of(record):
            return known.text
        (asked,) = plain([record])
        prompt = asked.until(-1)
        text: str | None = record.rationale
        (likeliest, _), told = await self._replies(
            [prompt, hinted(prompt, HINT.format(record.answer))], None
        )
        if not is_direct(likeliest):
            if bare == "leave":
                return None
            text = await self._agreed(record, prompt, told)
        await asyncio.to_thread(self.kept.add_solution, self._new(record, text))
        return text

    async def _agreed(
        self, record: Record, prompt: Conversation, told: tuple[str, bool]
    ) -> str | None:
        """Return the first of `AGREEING` solutions that end in the answer, None without them.

        One that was cut off is none: what is learned is a whole turn, with its end.
        """
        drawn = await self._replies([prompt] * DRAWS, Draw(temperature=TEMPERATURE))
        whole = [text for text, is_whole in (told, *drawn) if is_whole]
        fitting = [text for text in whole if self.grade(text, record) and not is_direct(text)]
        return fitting[0] if len(fitting) >= AGREEING else None

    async def _replies(
        self, prompts: Sequence[Conversation], draw: Draw | None
    ) -> list[tuple[str, bool]]:
        """Return replies, and whether each ended by itself."""
        limits = self.max_new_tokens, self.timeout_s
        said = await self.trainer.timed(prompts, None, *limits, None, draw)
        return [(t.strip(), whole) for t, whole in zip(said.texts, said.whole, strict=True)]

    def _new(self, record: Record, text: str | None) -> WorkedSolution:
        return WorkedSolution(
            tenant=record.tenant,
            record_id=record.id,
            base_model=self.base_model,
            content=content_of(record),
            text=text,
        )


def as_before(version: AdapterVersion) -> Bare:
    """Return what became of bare corrections when a version was trained."""
    found: Bare = version.metrics.get("bare", "learn")
    return found


def is_bare_correction(record: Record) -> bool:
    """Whether a person gave a record's answer and no solution; calls are their own solution."""
    is_given = record.evidence.get("feedback") == "corrected" or "edited" in record.evidence
    return is_given and is_bare(record) and calls_in(record.answer) is None


def is_direct(text: str) -> bool:
    """Whether a reply has no steps: an answer, a sentence that gives it, or no answer at all."""
    found = extract(text, AnswerOptions())
    if found is None or spelled(found.text) == spelled(text):
        return True
    return len([part for part in _SENTENCE.split(text) if part.strip()]) < STEPS


def hinted(prompt: Conversation, hint: str) -> Conversation:
    """Return a prompt whose last turn ends in a hint."""
    *before, last = prompt.messages
    told = Message(**{**dict(last), "content": last.content + hint})
    return prompt.of((*before, told))


def _with(record: Record, text: str | None) -> Record | None:
    if text is None or text == record.rationale:
        return None if text is None else record
    return record.model_copy(update={"rationale": text})
