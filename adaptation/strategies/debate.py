"""Debate: speakers answer, read each other, and answer again; the last answers are pooled.

Du et al. 2023 (arXiv 2305.14325). Its baseline is the vote over as many tokens, which it often does
not beat: speakers of one model agree rather than argue.
"""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.options import Strategy
from adaptation.report import Step, StopReason
from adaptation.session import Session
from adaptation.strategies.consistency import CONSISTENCY
from adaptation.strategies.strategy import Decision, Plainly
from adaptation.types import Query, Sample
from adaptation.voting.voting import Voting
from memory.types import Message

SPEAKERS, ROUNDS = 3, 2


class Debate(Plainly):
    """Lets speakers answer in rounds until all agree."""

    rewrites = True
    is_experimental = True

    async def answer(self, session: Session) -> Decision:
        """See `Answering.answer`."""
        await session.recall()
        query = session.query
        wanted = max(SPEAKERS, query.choices)
        speakers = min(wanted, session.options.max_samples // ROUNDS)
        if speakers < max(2, query.choices):
            why = "too few samples are allowed for a debate"
            return (await CONSISTENCY.vote(session)).because(why)
        said = await session.replies(*[query.messages] * speakers)
        voting, steps = await _pooled(session, said), list[Step]()
        for _ in range(1, ROUNDS):
            steps.append(_round(voting))
            if session.ended or len(voting.tally.groups) < 2:
                break
            heard = [reply for reply in said if reply is not None]
            again = await session.replies(*(_answering(query, said, n) for n in range(len(said))))
            said = [new or old for new, old in zip(again, said, strict=True)]
            voting = await _pooled(session, said) if heard else voting
        stop = session.ended or (StopReason.EXHAUSTED if voting.tally.total else StopReason.FAILED)
        return Decision(Strategy.DEBATE, voting, stop, steps=tuple(steps))


async def _pooled(session: Session, said: Sequence[Sample | None]) -> Voting:
    """Return the vote of all who spoke."""
    voting = await session.voting(rule="fixed")
    for reply in said:
        if reply is not None:
            await voting.count(reply)
    return voting


def _round(voting: Voting) -> Step:
    counts = voting.tally.report()
    told = ", ".join(f"{count.answer or 'no answer'} ({count.count})" for count in counts)
    answer = counts[0].answer if counts else None
    return Step(kind="round", text=told, answer=answer)


def _answering(query: Query, said: Sequence[Sample | None], speaker: int) -> tuple[Message, ...]:
    """Return what one speaker is asked: its own answer stands as its turn, the others' are told."""
    own = said[speaker]
    others = [reply for place, reply in enumerate(said) if reply is not None and place != speaker]
    told = "\n\n".join(f"One answer: {_text(reply)}" for reply in others)
    ask = Message(
        role="user",
        content=f"These are others' answers to the question:\n\n{told}\n\nConsider them, then "
        f"answer the question again, with your reasons.\n\n{query.question}",
    )
    turns = () if own is None else (Message(role="assistant", content=_text(own)),)
    return (*query.messages, *turns, ask) if turns else (*query.messages[:-1], ask)


def _text(reply: Sample) -> str:
    return (reply.said.text or reply.text).strip()
