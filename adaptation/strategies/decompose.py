"""Least-to-most: easier subquestions first, each seeing the answers before it, then the question.

Zhou et al. 2022 (arXiv 2205.10625). Sums that a subanswer states are checked, and one that states a
wrong one is asked again. Its baseline is the vote over as many tokens; its limit is that a wrong
subanswer misleads all that follows. Easier variants of the question itself (LADDER, Simonds and
Yoshiyama 2025, arXiv 2503.00735) are not built: they are made to be trained on, which `ttt` does
with neighbours whose answers are verified.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from adaptation.errors import EngineError
from adaptation.options import Strategy
from adaptation.report import Step
from adaptation.session import Session
from adaptation.strategies.consistency import CONSISTENCY
from adaptation.strategies.strategy import Decision, Plainly
from adaptation.types import Query
from adaptation.verifiers.sums import wrong_sums
from memory.types import Message

MOST = 4
"""Subquestions."""
_ITEM = re.compile(r"^\s*(?:\d{1,2}[.):]|[-*•])\s+(.{8,300})$", re.MULTILINE)


class Decompose(Plainly):
    """Asks subquestions in turn, and votes on the question with their answers before it."""

    rewrites = True
    is_experimental = True

    async def answer(self, session: Session) -> Decision:
        """See `Answering.answer`."""
        await session.recall()
        if not _can_ask(session):
            why = "too few samples are allowed to split the question"
            return (await CONSISTENCY.vote(session)).because(why)
        questions = await self._split(session)
        if not questions:
            return (await CONSISTENCY.vote(session)).because("the question was not split")
        solved = await self._all_solved(session, questions)
        try:
            voting = await session.voting(messages=_recombined(session.query, solved))
        except EngineError:
            why = "the subanswers do not fit before the question"
            return (await CONSISTENCY.vote(session)).because(why)
        stop = await session.poll(voting)
        counts = voting.tally.report()
        tree = Step(
            kind="question",
            text=session.query.question,
            answer=counts[0].answer if counts else None,
            children=tuple(solved),
        )
        return Decision(Strategy.DECOMPOSE, voting, stop, steps=(tree,))

    async def _split(self, session: Session) -> list[str]:
        (reply,) = await session.aside(_splitting(session.query))
        return [] if reply is None else _ITEM.findall(reply.said.text)[:MOST]

    async def _all_solved(self, session: Session, questions: Sequence[str]) -> list[Step]:
        """Return the subquestions with their answers, up to the first that has none in time."""
        solved: list[Step] = []
        for question in questions:
            step = await self._solved(session, question, solved) if _can_ask(session) else None
            if step is None:
                break
            solved.append(step)
        return solved

    async def _solved(self, session: Session, question: str, before: Sequence[Step]) -> Step | None:
        """Return a subquestion with its answer; one whose sums are wrong is asked once more."""
        asked = _subquestion(session.query, question, before)
        for _ in range(2):
            (reply,) = await session.aside(asked)
            if reply is None or not reply.said.text.strip():
                return None
            text = reply.said.text.strip()
            wrong = wrong_sums(text)
            passed = None if wrong is None else not wrong
            if passed is not False or not _can_ask(session):
                break
        return Step(kind="question", text=question, answer=text, passed=passed)


def _can_ask(session: Session) -> bool:
    """Whether there is a sample to spare: the question itself needs the last ones."""
    return session.samples_left > session.query.choices


def _splitting(query: Query) -> tuple[Message, ...]:
    ask = Message(
        role="user",
        content=f"Question: {query.question}\n\nWhich easier questions have to be answered first? "
        f"List at most {MOST}, numbered, one in each line, the easiest first. Do not answer them.",
    )
    return (*query.messages[:-1], ask)


def _subquestion(query: Query, question: str, before: Sequence[Step]) -> tuple[Message, ...]:
    """Return what is asked: the whole question as background, and what is known so far.

    What was said before comes first, as the question may lean on it.
    """
    known = "".join(f"\n{step.text} {step.answer}" for step in before)
    text = f"Background: {query.question}{known}\n\nAnswer this alone: {question}"
    return (*query.messages[:-1], Message(role="user", content=text))


def _recombined(query: Query, solved: Sequence[Step]) -> tuple[Message, ...]:
    """Return the request's conversation with the subanswers before its last question."""
    if not solved:
        return query.messages
    known = "\n".join(f"{step.text} {step.answer}" for step in solved)
    *before, last = query.messages
    asked = Message(role=last.role, content=f"What is known:\n{known}\n\n{last.content}")
    return (*before, asked)
