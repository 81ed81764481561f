"""What of a question is computed, and its value: the referee of exercises that a model writes.

A verified example shows which part of its question makes the answer: the part that comes to it. A
new question with the same words around another such part has the answer that this one comes to. So
the model poses questions, and never says what is right.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from memory.identity.answers import agree, canonical
from memory.identity.answers.arithmetic import value_and_numbers

Compute = Callable[[str], Awaitable[str | None]]
"""What a part of a question comes to; None where it is no such part."""
MOST_CHARACTERS = 120
_LETTER = re.compile(r"[xyz]")
_SUM = re.compile(r"(?<![A-Za-z0-9.])[-(]?[0-9][0-9+*/() -]*[0-9)](?![A-Za-z0-9.]?[0-9])")
_EQUATION = re.compile(r"(?<![A-Za-z0-9.])[0-9xyz(-][0-9xyz+*/() -]*=[0-9xyz+*/() -]*[0-9xyz)]")


@dataclass(frozen=True)
class Frame:
    """The words of a question around what is computed."""

    before: str
    after: str
    compute: Compute

    async def answer_of(self, question: str) -> str | None:
        """Return what a question comes to, None where it is not of this frame."""
        is_framed = question.startswith(self.before) and question.endswith(self.after)
        if not is_framed or len(question) <= len(self.before) + len(self.after):
            return None
        return await self.compute(question[len(self.before) : len(question) - len(self.after)])


async def frame_of(question: str, answer: str) -> Frame | None:
    """Return the frame of a question whose answer is known, None where no part comes to it."""
    for pattern, compute in PARTS.items():
        for start, end in _spans(pattern, question):
            value = await compute(question[start:end])
            if value is not None and agree(canonical(value), canonical(answer)):
                return Frame(question[:start], question[end:], compute)
    return None


async def value_of_sum(text: str) -> str | None:
    """Return what an expression of at least two numbers comes to."""
    found = value_and_numbers(_signed(text)) if len(text) <= MOST_CHARACTERS else None
    return str(found[0]) if found is not None and found[1].total() > 1 else None


async def solution_of_equation(text: str) -> str | None:
    """Return the one solution of a linear equation in x, y or z."""
    letters = set(_LETTER.findall(text))
    if len(letters) != 1 or text.count("=") != 1 or len(text) > MOST_CHARACTERS:
        return None
    letter = letters.pop()
    at = [_difference(text, letter, number) for number in range(3)]
    if any(value is None for value in at):
        return None
    first, second, third = (value for value in at if value is not None)
    slope = second - first
    if slope == 0 or third - second != slope:  # none or many solutions, or no line
        return None
    return str(-first / slope)


def _difference(equation: str, letter: str, number: int) -> Fraction | None:
    """Return left side less right side, where the unknown is a number."""
    written = re.sub(rf"(?<=[0-9)])\s*(?={letter})", "*", equation)
    sides = written.replace(letter, f"({number})").split("=")
    values = [value_and_numbers(_signed(side.strip())) for side in sides]
    left, right = values
    return None if left is None or right is None else left[0] - right[0]


def _signed(expression: str) -> str:
    """Return an expression in which a number that begins with a minus is taken from nothing."""
    return re.sub(r"(^|\()\s*-", r"\g<1>0-", expression)


def _spans(pattern: re.Pattern[str], question: str) -> Iterator[tuple[int, int]]:
    for found in pattern.finditer(question):
        yield found.span()


PARTS: Mapping[re.Pattern[str], Compute] = {
    _EQUATION: solution_of_equation,
    _SUM: value_of_sum,
}
