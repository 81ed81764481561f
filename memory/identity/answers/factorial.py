"""What an exclamation mark at the end of a value is: a factorial, or emphasis.

`5!` and `Paris!` are said with emphasis. Within mathematics or a box, before another full stop, and
after a bracket or a letter that a formula ends with, it is a factorial.
"""

from __future__ import annotations

import re

from memory.identity.answers.units import AMBIGUOUS

MAX_CHARS = 500
COUNTS = frozenset("nkrm")
"""Letters that stand for whole numbers, even at the end of a longer formula."""
_OPERAND = re.compile(r"(?:[0-9)}]|(?<![A-Za-z])[A-Za-z])!+\Z")
_FORMULA = re.compile(r"(?:\\[A-Za-z]+|(?<![A-Za-z])[A-Za-z](?![A-Za-z])|[^A-Za-z])+")
_CHOICE = re.compile(r"\(?[A-Ja-j]\)?")
_EARLIER = re.compile(r"[0-9A-Za-z)]!")


def in_math(text: str) -> str:
    """Put what ends in a factorial into brackets, so that its sign is never taken for emphasis."""
    if "!" not in text[-1:] or not _OPERAND.search(text[-9:]) or "\\text" in text:
        return text
    left, relation, last = text.rpartition("=")
    return f"{left}{relation}({last.strip()})"


def before_full_stop(text: str) -> str:
    """The same for what another full stop follows: `5!.`, but not `B!.`."""
    return text if _CHOICE.fullmatch(text.rstrip("!")) else in_math(text)


def is_factorial(text: str) -> bool:
    """Whether a text in no mathematics is a formula that ends in a factorial: `(n+1)!`, `n!`."""
    body = text[:-1]
    if text[-1:] != "!" or len(text) > MAX_CHARS or not _FORMULA.fullmatch(body):
        return False
    if _CHOICE.fullmatch(body):
        return False
    last = body.rpartition("=")[2].strip()
    if _EARLIER.search(last):  # 10!/7!
        return True
    return _ends_in_group(last) if last.endswith(")") else _ends_in_letter(last)


def _ends_in_group(body: str) -> bool:
    """Whether a bracket that closes last is an operand, and no list or remark: `1/2 (0.5)`."""
    depth = 0
    for place in range(len(body) - 1, -1, -1):
        depth += (body[place] == ")") - (body[place] == "(")
        if not depth:
            before = body[:place]
            is_remark = before[-1:] == " " and before.rstrip()[-1:].isalnum()
            return not is_remark and "," not in body[place:]
    return False


def _ends_in_letter(body: str) -> bool:
    if not body[-1:].isalpha():
        return False
    before = body[:-1].rstrip()
    if before and body[-1] not in COUNTS:
        return False  # 5 + 3i!
    if before[-1:].isdigit():  # 2n!, but 5 m! and 5m!
        return before == body[:-1] and body[-1] not in AMBIGUOUS
    return not before or before[-1] in "+-*/^("
