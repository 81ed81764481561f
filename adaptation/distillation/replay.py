"""Rehearsal: the base's own replies to general prompts, trained on beside the new records.

A generation on one narrow task forgets the rest: on whet-pebble 48 records of a jargon world cost
two of eight guard probes. Self-synthesised rehearsal (Huang et al. 2024, arXiv 2403.01244) needs no
foreign data: what the base says by itself is what it should go on saying. None of these prompts is
a guard probe.
"""

from __future__ import annotations

from collections.abc import Sequence

from memory.types import Message

Conversation = tuple[Message, ...]

SHARE = 0.2
"""Of the records, at least this many rehearsals; the prompts repeat where the records are many."""

PROMPTS = (
    "Hi there!",
    "Good morning!",
    "Thanks a lot.",
    "What is your name?",
    "What can you do?",
    "How are you?",
    "What is 24 + 13?",
    "What is 8 + 46?",
    "What is 52 - 17?",
    "What is 90 - 34?",
    "What is 6 * 7?",
    "Ben has 14 coins. He finds 9 more. How many coins does Ben have?",
    "Mia has 32 eggs. She sells 15. How many eggs does Mia have now?",
    "Leo has 40 cards. He loses 6. Then Leo buys 11 more. How many cards does Leo have?",
    "Nora has 27 shells. She gives away 13. How many shells does Nora have?",
    "A pen costs 3 and a book costs 8. How much do 2 pens and 1 book cost?",
    "Which is smaller, 23 or 32?",
    "Sort these numbers: 9, 4, 17, 2",
    "What is the capital of Spain?",
    "What colour is grass?",
    "Name three animals.",
    "Reply with the single word: no",
    'Write the JSON object {"b": 2} and nothing else.',
    "Write one sentence about rivers.",
)


def rehearsals(replies: Sequence[str], n_records: int) -> list[Conversation]:
    """Conversations of `PROMPTS` with the base's `replies`, in step with the number of records."""
    said: list[Conversation] = [
        (Message(role="user", content=prompt), Message(role="assistant", content=reply))
        for prompt, reply in zip(PROMPTS, replies, strict=True)
        if reply.strip()
    ]
    times = max(1, round(SHARE * n_records / len(PROMPTS)))
    return said * times
