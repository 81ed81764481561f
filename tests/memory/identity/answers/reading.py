"""What the tests of reading compare."""

from __future__ import annotations

from memory.identity.answers import extract
from memory.identity.answers.options import AnswerKind, AnswerOptions


def key_of(text: str, kind: AnswerKind) -> str | None:
    """The key of what is read; None where it is nothing but the text itself."""
    answer = extract(text, AnswerOptions(kind=kind))
    return answer.key if answer and answer.structured else None
