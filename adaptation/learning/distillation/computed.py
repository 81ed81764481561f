"""Questions whose answers can be computed: the sum in one, and whether a reply gives the value."""

from __future__ import annotations

import re

from adaptation.learning.distillation.form import numbers_in
from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.options import AnswerOptions

_SUM = re.compile(r"(?<![\w.])(\d{1,4}) ?([-+*]) ?(\d{1,4})(?![\w.]| ?[-+*/=])")
_STATED = r"(?: ?=|,?(?: which)? (?:is|equals|gives)(?: you| equal to| calculated as)?) ?(-?\d+)"
"""What a reply says that an expression comes to, behind it."""


def only_sum(question: str) -> re.Match[str] | None:
    """Return the sum that a question asks for, where it has no other numbers."""
    found = _SUM.search(question)
    return found if found and len(numbers_in(question)) == 2 else None


def gives(reply: str, answer: str, question: str) -> bool:
    """Whether `reply` gives `answer`: as it reads, or where it goes on in prose behind it."""
    found = extract(reply, AnswerOptions())
    if found is not None and found.structured:
        return agree(found.key, canonical(answer))
    return _stated(question, reply) == {answer}


def _stated(question: str, reply: str) -> set[str]:
    """Return what a reply says that the sum comes to which the question asks for."""
    asked = only_sum(question)
    if asked is None:
        return set()
    written = rf"{asked[1]} ?{re.escape(asked[2])} ?{asked[3]}"
    return set(re.findall(rf"(?<![\w.]){written}{_STATED}(?![\w.,]*\d)", reply))
