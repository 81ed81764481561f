"""Trained questions in other words: whoever knows the answer knows it however one asks.

The rewordings are fixed and change no answer: a polite opening, a word before or behind, and the
question of a story before the story.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from memory.types import Message, Record

_LAST = re.compile(r"(?s)(.*[.!])\s+([^.!?]+\?)")
"""What is told, and what is asked of it."""


def reworded(record: Record, rng: Random) -> tuple[Message, ...] | None:
    """Return a record's turns with its question in other words; None where it has none."""
    places = [place for place, turn in enumerate(record.messages) if turn.role == "user"]
    if not places or not record.question.strip():
        return None
    ways = [*WAYS, asked_first] if _LAST.fullmatch(record.question.strip()) else WAYS
    content = rng.choice(ways)(record.question.strip())
    last = places[-1]
    said = record.messages[last].model_copy(update={"content": content})
    return (*record.messages[:last], said, *record.messages[last + 1 :])


def politely(question: str) -> str:
    """With an opening that people use."""
    return f"Hi, could you please help me? {question}"


def announced(question: str) -> str:
    """With a word before it."""
    return f"Here is one for you. {question}"


def thanked(question: str) -> str:
    """With thanks behind it."""
    return f"{question} Thank you!"


def asked_first(question: str) -> str:
    """With what is asked before what is told."""
    return _LAST.sub(r"\2 \1", question)


WAYS: list[Callable[[str], str]] = [politely, announced, thanked]
