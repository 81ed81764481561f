"""Code, by its text: replies agree if their fenced blocks do, and what they say beside them.

Trailing white space and empty lines do not count; case and indentation do, as they carry meaning.
Nor does an introduction ("Here is the function:"), as long as it claims nothing. Programs that only
mean the same stay apart.
"""

from __future__ import annotations

import re
from textwrap import dedent

from memory.identity.answers.answer import Answer
from memory.identity.answers.fold import fold_prose
from memory.identity.answers.options import AnswerOptions

_FENCE = re.compile(r"[ ]{0,3}(`{3,}+|~{3,}+)([^`]*+)")
_CLAIM = re.compile(
    r"[0-9(]|n['’]t\b|\b(?:yes|no|not|never|none|true|false|correct|right|wrong|incorrect)\b",
    re.IGNORECASE,
)


def extract_code(text: str, options: AnswerOptions) -> Answer | None:
    """Take the whole reply, compared by its code; None where no block is closed."""
    del options
    blocks, said = _split(text)
    codes = [code for code in map(_normalised, blocks) if code]
    if not codes:
        return None
    beside = [fold_prose(prose) for prose in ("" if introduces(said[0]) else said[0], *said[1:])]
    return Answer(text.strip(), "\0code\n" + "\0".join([*codes, *beside]), structured=False)


def _normalised(block: str) -> str:
    lines = [line.rstrip() for line in dedent(block).splitlines()]
    return "\n".join(line for line in lines if line)


def introduces(prose: str) -> bool:
    """Whether a text only leads to the code: up to a colon, and without a claim of its own."""
    return prose.rstrip().endswith(":") and not _CLAIM.search(prose)


def _split(text: str) -> tuple[list[str], list[str]]:
    """Return what stands in fences, and what before, between and after; linear in the text."""
    blocks: list[str] = []
    said: list[list[str]] = [[]]
    inside: list[str] | None = None
    mark = ""
    for line in text.splitlines():
        fence = _FENCE.fullmatch(line)
        if inside is None:
            if fence:
                inside, mark = [], fence[1]
            else:
                said[-1].append(line)
        elif fence and fence[1].startswith(mark) and not fence[2].strip():
            blocks.append("\n".join(inside))
            inside = None
            said.append([])
        else:
            inside.append(line)
    return blocks, ["\n".join(lines) for lines in said]
