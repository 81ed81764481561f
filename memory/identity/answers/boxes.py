"""The value in the last `\\boxed{}`, or in the boxes that its sentence joins to it.

`\\boxed{8} and \\boxed{9}` are one answer, of which neither is the value. A box in a later sentence
is a later answer.
"""

from __future__ import annotations

import re
from itertools import pairwise

from memory.identity.answers.denial import is_box_denied
from memory.identity.answers.factorial import in_math

_TOKEN = re.compile(r"\\(?:boxed|fbox)\s*\{|\\.|[{}]", re.DOTALL)
_DECORATION = re.compile(
    r"\\(?:text|textbf|mathrm|mbox|quad|qquad)(?![A-Za-z])\s?|\\[,;:! ()\[\]]|[$*{}]"
)
_LABEL = r"(?:[A-Za-z](?:_?[0-9A-Za-z]{1,2})?[ ]?=[ ]?)"
_LABEL_BEFORE = re.compile(rf"(?<![A-Za-z0-9\\])({_LABEL})\Z")
_LISTS = re.compile(rf"\s*(?:[,;&]|(?:,\s*)?\b(?:and|or)\b)?\s*({_LABEL})?\s*", re.IGNORECASE)
_GOES_ON = re.compile(
    r"\s*(?:(?!is\b|was\b|wrong\b)[A-Za-z]+\s+){0,2},?\s*(?:and|or)\b(?!\s(?:so|thus|hence|then|therefore|finally)\b)[^.!?;\n]*",
    re.IGNORECASE,
)
_NEXT_PART = re.compile(
    r"[\s.,;]*(?:\(?(?:[b-h]|ii|iii|iv)\)|part\s?\(?(?:[b-h]|[2-9])\)?:?)\s*", re.IGNORECASE
)
_MAX_BETWEEN = 80
_MAX_JOINED = 12

Box = tuple[int, int, int]
"""Where it begins, where its value does, and where that ends."""


def last_boxed(text: str) -> tuple[int, str] | None:
    """Where the last box begins, and its value: empty where it is denied, or joined to others
    otherwise than in a list."""
    if "\\boxed" not in text and "\\fbox" not in text:
        return None
    boxes = _closed(text)
    if not boxes or not _value(text, boxes[-1]):
        return None
    if is_box_denied(text, boxes[-1][0], boxes[-1][2] + 1):
        return boxes[-1][0], ""
    first = len(boxes) - 1
    while first and len(boxes) - first < _MAX_JOINED:
        if not _joins(_between(text, *boxes[first - 1 : first + 1])):
            break
        first -= 1
    return boxes[-1][0], _joined(text, boxes[first:])


def _closed(text: str) -> list[Box]:
    """The boxes that close and have none within, in order; braces may nest."""
    open_braces: list[tuple[int, int, bool]] = []
    found: list[Box] = []
    for token in _TOKEN.finditer(text):
        if token[0].endswith("{") and (token[0] == "{" or len(token[0]) > 2):
            open_braces.append((token.start(), token.end(), token[0] != "{"))
        elif token[0] == "}" and open_braces:
            start, inside, is_box = open_braces.pop()
            if is_box and (not found or start > found[-1][0]):
                found.append((start, inside, token.start()))
    return found


def _value(text: str, box: Box) -> str:
    return in_math(text[box[1] : box[2]].strip())


def _between(text: str, one: Box, other: Box) -> str | None:
    """What stands between two boxes, without decoration; None where it is long."""
    if other[0] - one[2] > _MAX_BETWEEN:
        return None
    return _DECORATION.sub("", text[one[2] + 1 : other[0]])


def _joins(between: str | None) -> bool:
    if between is None or (not between.strip() and "\n" in between):
        return False
    return any(each.fullmatch(between) for each in (_LISTS, _GOES_ON, _NEXT_PART))


def _joined(text: str, boxes: list[Box]) -> str:
    values = [_value(text, box) for box in boxes]
    joints = [_between(text, *pair) or "" for pair in pairwise(boxes)]
    lists = [_LISTS.fullmatch(joint) for joint in joints]
    if len(set(values)) == 1 and not any(found and found[1] for found in lists):
        return values[0]
    if not all(lists) or any(set(value) & set(",;=") for value in values):
        return ""
    label = _LABEL_BEFORE.search(_DECORATION.sub("", text[max(0, boxes[0][0] - 20) : boxes[0][0]]))
    parts = [(label[1] if label else "") + values[0]]
    for joint, value in zip(joints, values[1:], strict=True):
        parts.append(f"{' '.join(joint.split()) or ','} {value}")
    return " ".join(parts).replace(" ,", ",").replace("&", "and")
