"""Letters of a multiple choice that a reply excludes: `Option B is wrong`, `not 8 (A)`."""

from __future__ import annotations

import re

_LETTER = r"(?:(?:option|choice|answer)\s)?\(?\b([A-J])\b\)?"
_NOT = (
    r"(?:\b(?:not|never|cannot|neither|nor|eliminate|exclude|reject|discard)|n['’]t|\brule\sout)\s"
    r"(?:(?:think|believe|say|choose|pick|select|take|go|be|been|the|correct|right|option|choice"
    r"|answer|is|it|that|with|for|[0-9]+)\s){0,5}"
)
_WRONG = (
    r"(?:\s?[:–-]\s?(?:wrong|incorrect)\b"
    r"|\s(?:is|was|would\sbe|seems|looks|(?:can(?:not|['’]t)|could\snot)\sbe)\s"
    r"(?:\w{2,12}ly\s|the\s|an?\s|also\s)?(?:wrong|incorrect|mistaken|impossible|false|not)\b"
    r"|\s(?:is|was)n['’]t\b|\scan(?:not|['’]t)\sbe\b)"
)
_EXCLUDED = (
    re.compile(rf"(?i:{_NOT}){_LETTER}"),
    re.compile(rf"{_LETTER}(?i:{_WRONG})"),
)
_VERDICT = re.compile(
    r"[-*•\s]{0,5}\(?([A-J])\s?[):.–-]{1,2}\s?(?:it\sis\s|is\s|this\sis\s)?"
    r"(?i:(wrong|incorrect|false|no|not\s(?:correct|right|true))|(correct|right|true|yes))\b"
)


def without_excluded(line: str) -> tuple[str, set[str]]:
    """A line without what excludes letters, and these."""
    letters: set[str] = set()
    for pattern in _EXCLUDED:
        letters.update(found[1] for found in pattern.finditer(line))
        line = pattern.sub("…", line)
    return line.strip(), letters


def judged(lines: list[str]) -> tuple[bool, str | None]:
    """Whether the last lines judge the choices one by one, and the one that is right."""
    verdicts: list[re.Match[str]] = []
    for line in reversed(lines[-10:]):
        found = _VERDICT.match(line)
        if found is None:
            break
        verdicts.append(found)
    words = {(found[2] or found[3]).lower() for found in verdicts}
    may_be_texts = words <= {"true", "false", "yes", "no"}  # of two choices
    if len(verdicts) < (3 if may_be_texts else 2):
        return False, None
    right = [found[1] for found in verdicts if found[3]]
    return True, right[0] if len(right) == 1 else None
