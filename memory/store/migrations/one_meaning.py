"""Older records under the identity of today: equal answers are one, and what they fought is over.

Until schema 0005 an answer was its spelling and a question was folded: `1/2` and `0.5` quarantined
each other, and so did the answers of `10²` and `102`. Until 0006 the ids and the layout of calls
made another question, and so did a choice among no tools.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from memory.events import append_event
from memory.identity.answer_key import answer_key
from memory.identity.prompt import Prompt
from memory.types import Message, State, Tier

PAGE = 1_000
RELEASED = "only spelling had set it against another answer"
_record = sa.table(
    "record",
    *(sa.column(name) for name in ("number", "id", "tenant", "task", "question_hash")),
    *(sa.column(name) for name in ("answer_hash", "answer", "state", "contested", "tier")),
    *(sa.column(name) for name in ("confidence", "uses", "wins")),
    *(sa.column(name, sa.JSON) for name in ("messages", "request")),
)


@dataclass
class _Kept:
    """What is to be known of a record."""

    number: int
    id: str
    tenant: str
    question: str
    """The fingerprint; likewise below the key."""
    is_moved: bool
    """Whether its fingerprint was another one."""
    answer: str
    state: str
    contested: bool
    tier: Tier
    confidence: float
    uses: int
    wins: int

    @property
    def rank(self) -> tuple[bool, int, int]:
        """Higher goes before: the active one, the better verified, the older."""
        return self.state == State.ACTIVE, self.tier.strength, -self.number


def unite(connection: sa.Connection) -> None:
    """Reckon identities anew, let equal answers be one record and release who has no rival.

    Questions that are the same as ever are left as they are.
    """
    questions: defaultdict[tuple[str, str], list[_Kept]] = defaultdict(list)
    for kept in _reckoned(connection):
        questions[kept.tenant, kept.question].append(kept)
    for records in questions.values():
        if any(record.is_moved for record in records):
            _release(connection, _merged(connection, records))


def _reckoned(connection: sa.Connection) -> Iterator[_Kept]:
    """Give every record that is not erased its new identity, and yield it."""
    for row in _rows(connection):
        messages = tuple(Message(**turn) for turn in row.messages)
        question = Prompt(messages=messages, request=row.request, task=row.task).fingerprint
        answer = answer_key(row.answer)
        here = _record.update().where(_record.c.number == row.number)
        connection.execute(here.values(question_hash=question, answer_hash=answer))
        yield _Kept(
            row.number, row.id, row.tenant, question, question != row.question_hash, answer,
            row.state, bool(row.contested), Tier(row.tier), row.confidence, row.uses, row.wins,
        )  # fmt: skip


def _rows(connection: sa.Connection) -> Iterator[Any]:
    number, last = _record.c.number, 0
    query = sa.select(_record).where(_record.c.question_hash.is_not(None)).order_by(number)
    while rows := connection.execute(query.where(number > last).limit(PAGE)).all():
        yield from rows
        last = rows[-1].number


def _merged(connection: sa.Connection, records: Sequence[_Kept]) -> list[_Kept]:
    """Let the answers of one question be one record each; return those that stay."""
    by_answer: defaultdict[str, list[_Kept]] = defaultdict(list)
    for record in records:
        by_answer[record.answer].append(record)
    return [_joined(connection, alike) for alike in by_answer.values()]


def _joined(connection: sa.Connection, alike: Sequence[_Kept]) -> _Kept:
    """Let the best of equal answers stand for all; the others expire, and keep their content."""
    best, *others = sorted(alike, key=lambda record: record.rank, reverse=True)
    for other in others:
        best.confidence = 1 - (1 - best.confidence) * (1 - other.confidence)
        best.uses, best.wins = best.uses + other.uses, best.wins + other.wins
        reason = f"the same answer as {best.id}, in another spelling"
        nowhere = {"question_hash": None, "answer_hash": None, "contested": False}
        _move(connection, other, State.EXPIRED, reason, **nowhere)
    if others:
        sums = {"confidence": best.confidence, "uses": best.uses, "wins": best.wins}
        connection.execute(_update(best).values(**sums))
    return best


def _release(connection: sa.Connection, records: Sequence[_Kept]) -> None:
    """Activate the only answer that was quarantined by a disagreement, where there is none now."""
    standing = [r for r in records if r.state == State.ACTIVE or r.contested]
    if len(standing) == 1 and standing[0].state == State.QUARANTINED:
        _move(connection, standing[0], State.ACTIVE, RELEASED, contested=False)


def _move(
    connection: sa.Connection, record: _Kept, state: State, reason: str, **values: Any
) -> None:
    connection.execute(_update(record).values(state=str(state), **values))
    append_event(connection, record.tenant, "moved", record.id, state=state, reason=reason)


def _update(record: _Kept) -> Any:
    return _record.update().where(_record.c.number == record.number)
