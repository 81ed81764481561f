"""The whole text as its own answer: exact agreement up to case, white space and decoration."""

from __future__ import annotations

from memory.identity.answers.answer import Answer
from memory.identity.answers.deliberation import conclusion
from memory.identity.answers.fold import fold_prose
from memory.identity.answers.options import AnswerOptions


def extract_text(text: str, options: AnswerOptions) -> Answer | None:
    """Take everything; None for a text without a letter or digit to compare."""
    del options
    text = conclusion(text)
    key = fold_prose(text)
    return Answer(text.strip(), key, structured=False) if key else None
