"""The processes of `patterns`: `python -m adaptation.pattern_worker`.

Reads lines of JSON, a pattern and a text, and replies with the answer and its key, or null.
"""

from __future__ import annotations

from adaptation.workers.worker_loop import read_line, serve, time_limit
from memory.identity.answers.options import AnswerOptions
from memory.identity.answers.regex_match import TIMEOUT_S, extract_regex

TIME_LIMIT_S = 5 * TIMEOUT_S
"""Time for all that is done with a text: then the process ends. Matching gives up before."""
MAX_MEMORY_BYTES = 2**30
"""Address space; a pattern needs next to none."""


def main() -> None:
    """Match until stdin ends."""
    serve(read_line, _reply, MAX_MEMORY_BYTES)


def _reply(question: tuple[str, str]) -> tuple[str, str] | None:
    pattern, text = question
    with time_limit(TIME_LIMIT_S):
        found = extract_regex(text, AnswerOptions(kind="regex", pattern=pattern))
    return None if found is None else (found.text, found.key)


if __name__ == "__main__":
    main()
