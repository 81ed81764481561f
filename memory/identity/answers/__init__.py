"""Answers: what a sample says in the end, and whether two samples say the same.

Owns extraction and canonical comparison. Knows nothing of voting, verification or engines; every
function is pure, total and linear in the text (a caller's own pattern has a time limit instead).
"""

from memory.identity.answers.answer import Answer
from memory.identity.answers.canonical import canonical
from memory.identity.answers.extract import EXTRACTORS, extract
from memory.identity.answers.keys import agree, joined

__all__ = ["EXTRACTORS", "Answer", "agree", "canonical", "extract", "joined"]
