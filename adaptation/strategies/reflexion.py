"""Reflexion: after a failed check the model notes what went wrong, and the next try sees the note.

Shinn et al. 2023 (arXiv 2303.11366). A note states what the verifier found, which is a fact, before
what the model makes of it. Notes of a task are kept for the requests that follow it. Its baseline
is blind resampling over as many tokens; without a verifier there is nothing to reflect upon.
"""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.options import Strategy
from adaptation.report import Step, StopReason
from adaptation.session import Session
from adaptation.strategies.strategy import Decision, Plainly
from adaptation.types import Query, Sample
from adaptation.verify import Checked
from adaptation.voting.draws import instructed
from memory.history.notes import MOST_NOTES
from memory.types import Message


class Reflexion(Plainly):
    """Tries until a try passes every verifier, one note wiser each time."""

    rewrites = True
    verifies = True
    single_choice = True
    is_experimental = True

    async def answer(self, session: Session) -> Decision:
        """See `Answering.answer`."""
        query, steps, failed = session.query, list[Step](), 0
        notes = await session.notes()
        voting, stop = await session.voting(), StopReason.EXHAUSTED
        while session.samples_left:
            (tried,) = await session.replies(with_notes(query, notes))
            if tried is None:
                failed += 1
                if session.ended or failed > max(1, voting.tally.total):
                    stop = StopReason.FAILED
                    break
                notes = ()  # the conversation may have been too long with them
                continue
            counted = await voting.count(tried)
            answer = counted.text if counted else None
            checked = await session.check(tried, answer)
            if not checked.failed:
                stop = StopReason.VERIFIED
                break
            if checked.is_late:
                stop = StopReason.DEADLINE
                break
            if checked.is_open:  # nothing was found: there is nothing to reflect upon
                continue
            if session.samples_left < 2:  # a note that no try would see
                break
            note = await self._noted(session, tried, checked)
            notes = (*notes, note)[-MOST_NOTES:]
            steps.append(Step(kind="note", text=note, answer=answer, passed=False))
        await session.note([step.text for step in steps])
        return Decision(Strategy.REFLEXION, voting, session.ended or stop, steps=tuple(steps))

    async def _noted(self, session: Session, tried: Sample, checked: Checked) -> str:
        """Return what was found, and what the model makes of it."""
        facts = "; ".join(f"{each.type}: {each.detail}" for each in checked.reports)
        (thought,) = await session.aside(_reflection(session.query, tried, facts))
        said = " ".join(thought.said.text.split()) if thought else ""
        return f"A try failed ({facts}). {said}".strip()


def with_notes(query: Query, notes: Sequence[str]) -> tuple[Message, ...]:
    """Return the request's conversation with what earlier tries taught, in its system message."""
    if not notes:
        return query.messages
    told = "\n".join(f"- {note}" for note in notes)
    return instructed(query.messages, f"Notes on earlier tries at such questions:\n{told}")


def _reflection(query: Query, tried: Sample, facts: str) -> tuple[Message, ...]:
    said = (tried.said.text or tried.text).strip()
    ask = Message(
        role="user",
        content=(
            f"Question: {query.question}\n\nThis answer was checked and is wrong:\n{said}\n\n"
            f"What the check found: {facts}\n\nSay in one or two sentences what to do differently."
        ),
    )
    return (*query.messages[:-1], ask)
