"""Answers by the caller's own regular expression."""

from __future__ import annotations

import regex  # type: ignore[import-untyped, unused-ignore]

from memory.identity.answers.answer import Answer
from memory.identity.answers.canonical import canonical
from memory.identity.answers.deliberation import conclusion
from memory.identity.answers.options import AnswerOptions

TIMEOUT_S = 0.2
"""Python's `re` cannot be interrupted and the pattern is the caller's: `(a+)+$` would hang the
server. `regex` gives up after this long, and the sample then counts as having no answer."""


def extract_regex(text: str, options: AnswerOptions) -> Answer | None:
    """Take the last match: its first group, or all of it where there is no group."""
    if options.pattern is None:
        return None
    value = None
    try:
        for match in regex.finditer(options.pattern, conclusion(text), timeout=TIMEOUT_S):
            value = match[1] if match.re.groups else match[0]
    except (TimeoutError, regex.error):
        return None
    value = (value or "").strip()
    key = canonical(value)
    return Answer(value, key, structured=True) if key else None
