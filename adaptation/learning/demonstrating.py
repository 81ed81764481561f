"""Which solved neighbours are shown as earlier turns, and the conversation with them. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.learning.neighbours import select_training_set
from memory.types import Message, Neighbour, Record


def demonstrations(
    candidates: Sequence[Neighbour], count: int, min_similarity: float
) -> list[Neighbour]:
    """Return up to `count` of the most informative candidates, the closest last."""
    chosen = select_training_set(
        candidates, count=count, holdout=0, min_similarity=min_similarity
    ).train
    plain = [each for each in chosen if not each.record.request]
    return sorted(plain, key=lambda each: each.similarity)


def before(asked: Sequence[Message], shown: Sequence[Record]) -> tuple[Message, ...]:
    """Return a conversation with solved records as turns before it, behind its system message."""
    system = tuple(asked[:1]) if asked and asked[0].role == "system" else ()
    turns = tuple(
        turn
        for record in shown
        for turn in (
            *(message for message in record.messages if message.role != "system"),
            Message(role="assistant", content=record.rationale),
        )
    )
    return (*system, *turns, *asked[len(system) :])
