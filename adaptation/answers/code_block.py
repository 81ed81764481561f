"""Code, by its text: fenced blocks agree up to trailing white space and empty lines.

Case and indentation are kept: they carry meaning. Programs that only mean the same stay apart.
"""

from __future__ import annotations

import re
from textwrap import dedent

from adaptation.answers.answer import Answer
from adaptation.options import AnswerOptions

_FENCE = re.compile(r"^[ \t]{0,3}(```+|~~~+)[^\n`]*\n(.*?)^[ \t]{0,3}\1[ \t]*$", re.M | re.S)


def extract_code(text: str, options: AnswerOptions) -> Answer | None:
    """Take all fenced blocks together; None where there is none."""
    del options
    blocks = [dedent(found[2]) for found in _FENCE.finditer(text)]
    lines = [line.rstrip() for block in blocks for line in block.splitlines()]
    code = "\n".join(line for line in lines if line)
    return Answer(code, f"\0code\n{code}", structured=False) if code else None
