"""What makes two texts the same: normal form and content hash.

Identity is exact after normalisation and never a similarity: the embeddings of "sort ascending"
and "sort descending" have a cosine of .965.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable

from memory.types import Message


def clean(text: str) -> str:
    """Return `text` with lone surrogates, which no database can store, replaced by '?'."""
    return text.encode("utf-8", "replace").decode("utf-8")


def normalise(text: str) -> str:
    """Fold compatibility forms (NFKC), case and runs of whitespace."""
    return " ".join(unicodedata.normalize("NFKC", clean(text)).casefold().split())


def question_hash(task: str | None, messages: Iterable[Message]) -> str:
    """Hash a task and the whole conversation that asks the question.

    Earlier turns and the system prompt count: "and in French?" is a new question in each
    conversation, and the same sum may have another answer under another system prompt.
    """
    turns = [[message.role, normalise(message.content)] for message in messages]
    return _digest([task, turns])


def answer_hash(answer: str) -> str:
    """Hash a normalised answer."""
    return _digest(normalise(answer))


def asked_hash(question: str) -> str:
    """Hash a normalised question by itself, whatever was said before it."""
    return _digest(["asked", normalise(question)])


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
