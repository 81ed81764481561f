"""Code, by its text: replies agree if their fenced blocks do, and what is said after them.

Trailing white space and empty lines do not count; case and indentation do, as they carry meaning.
Programs that only mean the same stay apart.
"""

from __future__ import annotations

import re
from textwrap import dedent

from adaptation.answers.answer import Answer
from adaptation.answers.fold import fold_prose
from adaptation.options import AnswerOptions

_FENCE = re.compile(r"[ ]{0,3}(`{3,}|~{3,})([^`]*)")


def extract_code(text: str, options: AnswerOptions) -> Answer | None:
    """Take the whole reply, compared by its code; None where no block is closed."""
    del options
    blocks, after = _blocks(text)
    lines = [line.rstrip() for block in blocks for line in dedent(block).splitlines()]
    code = "\n".join(line for line in lines if line)
    if not code:
        return None
    return Answer(text.strip(), f"\0code\n{code}\0{fold_prose(after)}", structured=False)


def _blocks(text: str) -> tuple[list[str], str]:
    """Return what stands in fences, and what follows the last of them; linear in the text."""
    blocks: list[str] = []
    inside: list[str] | None = None
    after: list[str] = []
    mark = ""
    for line in text.splitlines():
        fence = _FENCE.fullmatch(line)
        if inside is None:
            if fence:
                inside, mark = [], fence[1]
            else:
                after.append(line)
        elif fence and fence[1].startswith(mark) and not fence[2].strip():
            blocks.append("\n".join(inside))
            inside, after = None, []
        else:
            inside.append(line)
    return blocks, "\n".join(after)
