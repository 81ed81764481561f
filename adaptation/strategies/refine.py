"""Self-refinement: the model criticises the leading answer, and revises what it finds wrong.

Madaan et al. 2023 (arXiv 2303.17651). Models talk themselves out of right answers (Huang et al.
2024, arXiv 2310.01798), so a critique overrules nobody: it lets a revision stand for election,
beside further votes. Only a verifier of the request may overrule the majority. Its baseline is the
vote over as many tokens.
"""

from __future__ import annotations

import re

from adaptation.options import Strategy
from adaptation.report import Step
from adaptation.session import Session
from adaptation.strategies.strategy import Decision, Plainly
from adaptation.types import Query, Sample
from adaptation.voting.tally import Group
from adaptation.voting.voting import Voting
from memory.types import Message

ROUNDS = 2
REVISIONS = 2
"""Samples that answer a critique."""
_VERDICT = re.compile(r"\bverdict\b\W{0,4}(?:is\W{0,3})?(correct|right|wrong|incorrect)", re.I)


class Refine(Plainly):
    """Votes with half of the samples, then criticises and revises while there are any left."""

    rewrites = True
    is_experimental = True

    async def answer(self, session: Session) -> Decision:
        """See `Answering.answer`."""
        await session.recall()
        voting = await session.voting()
        half = session.options.max_samples // 2
        stop = await session.poll(voting, max(session.query.choices, half))
        steps: list[Step] = []
        for _ in range(ROUNDS):
            step = await self._criticised(session, voting)
            steps += [step] if step else []
            if step is None or step.passed is not False or not session.samples_left:
                break
            await self._revise(session, voting, step.text)
            stop = await session.poll(voting)
        return Decision(Strategy.REFINE, voting, session.ended or stop, steps=tuple(steps))

    async def _criticised(self, session: Session, voting: Voting) -> Step | None:
        """Return what is to be said against the leading answer; None where nobody says anything."""
        groups = voting.tally.groups
        if not groups:
            return None
        leader = groups[0]
        if session.query.verifiers:
            return await _verified(session, leader)
        if not session.samples_left:
            return None
        (reply,) = await session.aside(_question(session.query, leader.example))
        if reply is None:
            return None
        return Step(
            kind="critique", text=reply.said.text, answer=_text(leader), passed=verdict(reply)
        )

    async def _revise(self, session: Session, voting: Voting, critique: str) -> None:
        query, leader = session.query, voting.tally.groups[0].example
        asked = revision(query, leader, critique)
        for revised in await session.replies(*[asked] * min(REVISIONS, session.samples_left)):
            if revised is not None:
                await voting.count(revised)


async def _verified(session: Session, leader: Group) -> Step:
    checked = await session.check(leader.example, _text(leader))
    said = "; ".join(f"{report.type}: {report.detail}" for report in checked.reports)
    return Step(kind="critique", text=said, answer=_text(leader), passed=checked.passed)


def _text(group: Group) -> str | None:
    return group.answer.text if group.answer else None


def _question(query: Query, candidate: Sample) -> tuple[Message, ...]:
    """Return what the critic is asked, after all that the question may lean on."""
    said = candidate.said.text or candidate.text
    ask = Message(
        role="user",
        content=(
            f"A question and a proposed answer follow.\n\nQuestion: {query.question}\n\n"
            f"Proposed answer: {said.strip()}\n\nCheck every step of the proposed answer. "
            "End with one line: Verdict: correct, or: Verdict: wrong."
        ),
    )
    return (*query.messages[:-1], ask)


def revision(query: Query, candidate: Sample, critique: str) -> tuple[Message, ...]:
    """Return the conversation in which a candidate is to be revised."""
    said = (candidate.said.text or candidate.text).strip()
    turn = Message(role="assistant", content=said)
    ask = Message(
        role="user",
        content=f"Something was found wrong with this answer:\n{critique.strip()}\n\n"
        f"Answer the question again, from the start.\n\n{query.question}",
    )
    return (*query.messages, turn, ask)


def verdict(critique: Sample) -> bool | None:
    """Return whether a critique finds the answer right; None where it does not say."""
    found = _VERDICT.findall(critique.said.text)
    return found[-1].lower() in ("correct", "right") if found else None
