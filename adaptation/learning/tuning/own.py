"""Tasks of a tenant's own records, by cross-validation: some are asked, others near them learned.

What a task asks no other task asks, so that together they ask as much of the memory as they can.
Knows nothing of where records come from.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from adaptation.learning.neighbours import as_asked, is_bare, plain, trainable
from adaptation.learning.tuning.task import EXAMPLES, HELD_OUT, Question, Task
from memory.types import Neighbour, Record

FEWEST = 24
"""Records of a neighbourhood, below which nothing is left to learn from what is not asked."""
SHARE = 4
"""At most one of so many near records is asked."""
Near = Callable[[Record, int], Sequence[Neighbour]]
"""(record, how many) → the records that are most like it, itself among them."""
Grade = Callable[[str, Record], bool]
"""Whether a reply gives the record's answer."""


def of_records(
    records: Iterable[Record], near: Near, grade: Grade, tasks: int, questions: int
) -> list[Task]:
    """Return up to `tasks` neighbourhoods, each asked up to `questions` of its own records.

    Records with nothing but an answer are asked, and not learned from.
    """
    asked: set[str] = set()
    found: list[Task] = []
    for centre in records:
        if len(found) == tasks:
            break
        if centre.id in asked:
            continue
        close = trainable(near(centre, EXAMPLES + HELD_OUT + questions), -1.0)
        if len(close) < FEWEST:
            continue
        new = [n.record for n in close[:: SHARE - 1] if n.record.id not in asked]
        chosen = new[: min(questions, len(close) // SHARE)]
        others = [n.record for n in close if n.record not in chosen and not is_bare(n.record)]
        if len(others) < FEWEST // 2:
            continue
        asked |= {record.id for record in chosen}
        found.append(_task(others, chosen, grade))
    return found


def _task(others: Sequence[Record], chosen: Sequence[Record], grade: Grade) -> Task:
    """Ask the chosen; hold out some of the others, near ones, and learn the rest."""
    held = others[1 : 2 * min(HELD_OUT, len(others) // 4) : 2]
    learned = [record for record in others if record not in held][:EXAMPLES]
    return Task(
        f"own/{_digest((*learned, *held, *chosen))}",
        tuple(plain(learned)),
        tuple(plain(held)),
        tuple(_question(record, grade) for record in chosen),
    )


def _question(record: Record, grade: Grade) -> Question:
    return Question(as_asked(record), lambda reply: grade(reply, record))


def _digest(records: Sequence[Record]) -> str:
    """Names what was learned and asked: trials of other records are not gone on with."""
    said = "\n".join(f"{r.id} {r.answer} {r.rationale}" for r in records)
    return hashlib.sha256(said.encode()).hexdigest()[:12]
