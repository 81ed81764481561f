"""Where a text says "this is my answer": `\\boxed{}`, `#### x`, `the answer is x`, `Answer: x`.

Owns finding the marked value, not reading it. The last mark counts, never the first: a model that
corrects itself does so later. All patterns have bounded repetition, so finding is linear.
"""

from __future__ import annotations

import re

from adaptation.answers.fold import MAX_VALUE_CHARS, undecorate

_BOXED_TOKEN = re.compile(r"\\(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)
_FACTORIAL = re.compile(r"(?:[0-9)}]|\b[A-Za-z])!+$")
_HASHES = re.compile(r"^[ \t]*####[ \t]*(\S[^\n]*)", re.MULTILINE)
_ANSWER_IS = re.compile(
    r"\banswers?\b[*_]{0,3}"
    r"(?:[ ](?:to|for)[ ][^\n.:]{1,80}?)?"
    r"(?:[ \t]{0,3}(?::|=|≈|(?:should[ ]be|would[ ]be|must[ ]be|is|was)\b)[ \t*_]{0,4}){1,2}"
    r"(?::[ \t*_]{0,4})?"
    r"(?:(?:therefore|thus|hence|simply|just|indeed|then|that)\b[,:]?[ \t]{0,3})?"
    r"\n{0,3}[ \t]{0,8}",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"^[ \t]{0,3}(?:#{1,6}[ ]|\*\*)[^\n]{0,40}?\banswer[ :*_]{0,5}\n\s{0,8}",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE_END = re.compile(r"[.!?](?=[*_$)]{0,4}\s+[\"'(\[*$\\A-Z])")
_REASON = re.compile(
    r",?[ ]+(?:because|since)\b|,[ ]+(?:which|so|as|where|given|and[ ]not|not)\b|;[ ]|[ ][-–—][ ]"
)
_ABBREVIATION = re.compile(r"(?:^|[\s.])(?:[A-Z]|Mrs?|Ms|Dr|St|Jr|Sr|Prof|Mt|vs)$")


def marked_values(text: str) -> list[str]:
    """The explicitly marked values, most trustworthy first.

    The last `\\boxed{}` or `####` (whichever comes later), then the last "answer is".
    """
    strong = [found for found in (_last_boxed(text), _last_hashes(text)) if found is not None]
    values = [value for _, value in sorted(strong, reverse=True)]
    spoken = _last_spoken(text)
    return values if spoken is None else [*values, spoken]


def conclusion(text: str) -> str:
    """What follows the last `</think>`: marks inside the deliberation are not the answer."""
    return text[text.rfind("</think>") + len("</think>") :] if "</think>" in text else text


def _last_boxed(text: str) -> tuple[int, str] | None:
    """The box that opens last among those that close; braces may nest."""
    if "\\boxed" not in text and "\\fbox" not in text:
        return None
    open_braces: list[tuple[int, int, bool]] = []
    best: tuple[int, int, int] | None = None
    for token in _BOXED_TOKEN.finditer(text):
        if token[0].endswith("{") and (token[0] == "{" or len(token[0]) > 2):
            open_braces.append((token.start(), token.end(), token[0] != "{"))
        elif token[0] == "}" and open_braces:
            start, inside, is_box = open_braces.pop()
            if is_box and (best is None or start > best[0]):
                best = (start, inside, token.start())
    if best is None or not text[best[1] : best[2]].strip():
        return None
    value = text[best[1] : best[2]].strip()
    is_factorial = _FACTORIAL.search(value) and "\\text" not in value
    return best[0], f"({value})" if is_factorial else value  # elsewhere the sign is emphasis


def _last_hashes(text: str) -> tuple[int, str] | None:
    last = None
    for last in _HASHES.finditer(text):  # noqa: B007  (the last match is what is wanted)
        pass
    value = undecorate(last[1]) if last else ""
    return (last.start(), value) if last and value else None


def _last_spoken(text: str) -> str | None:
    marks = [*_ANSWER_IS.finditer(text), *_HEADING.finditer(text)]
    for found in sorted(marks, key=lambda mark: mark.end(), reverse=True):
        line = text[found.end() : found.end() + MAX_VALUE_CHARS].split("\n", 1)[0]
        value = undecorate(undecorate(_first_clause(line)).strip("*"))
        if value:
            return value
    return None


def _first_clause(line: str) -> str:
    """Cut `line` where its sentence ends or starts to explain itself."""
    reason = _REASON.search(line)
    line = line[: reason.start()] if reason else line
    for end in _SENTENCE_END.finditer(line):
        if not _ABBREVIATION.search(line[: end.start()][-8:]):
            return line[: end.end()]
    return line
