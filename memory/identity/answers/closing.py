"""What can be read out of a text that was cut off: its last box, where that is closed.

Any other value may go on in what was not generated: `12` was to be `12 apples` or `12 + 7`.
"""

from __future__ import annotations

import re

_OPENING = re.compile(r"\\(?:boxed|fbox)\s{0,9}\{")
_BRACE = re.compile(r"\\.|[{}]", re.DOTALL)


def closed_part(text: str) -> str:
    """Return `text` up to the end of its last box; empty where it has none, or one is open."""
    openings = [*_OPENING.finditer(text)]
    if not openings:
        return ""
    depth = 1
    for token in _BRACE.finditer(text, openings[-1].end()):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if not depth:
            return text[: token.end()]
    return ""
