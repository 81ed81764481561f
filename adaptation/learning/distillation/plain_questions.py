"""Questions that a computation answers: a sum, an equation, which of some numbers is larger.

Such a question has no words but those that ask for it: what else it says may change what it means.
What an operation comes to is no evidence where a tenant means something else by it, or by a word
that asks for it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from adaptation.learning.practice.frames import PARTS
from memory.text import folded

CONTRADICTIONS = 4
"""Answers of one operation that are others than it comes to, from which it means something else;
they must be the larger part as well."""
MOST_CHARACTERS = 200
_WORD = re.compile(r"[^\W\d_]+")
_ASKING = frozenset(
    _WORD.findall(
        "a add answer calculate come compute determine does equal equals evaluate find for give "
        "how is it me much number numbers of out please result solution solve sum tell the these "
        "this to up value what whats work"
    )
)
_OFFERING = _ASKING | {"and", "between", "one", "or", "two", "which"}
_LARGER = frozenset(_WORD.findall("bigger biggest greater greatest higher highest larger largest"))
_SMALLER = frozenset(_WORD.findall("lesser lower lowest smaller smallest"))
_NUMBER = re.compile(r"(?<![\w.,/])-?\d{1,30}(?:\.\d{1,30})?(?![\w/%]|[.,]\d)")
_PLACED = re.compile(r"(?<![\w.,])\d{1,2}[.):](?=\s)")
"""Numbers that count choices, such as `1)`: an answer may name a choice by it."""
_BETWEEN = re.compile(r"[\s,:;?!.'()]*")


@dataclass(frozen=True)
class Computed:
    """What a plain question comes to."""

    operation: str
    """Signs of the operation, such as `+`, or `larger` and `smaller`."""
    value: str
    words: frozenset[str] = field(default=frozenset(), compare=False)
    """Words of the question that ask for it."""

    @property
    def terms(self) -> frozenset[str]:
        """By which a tenant may mean something else."""
        return terms(self.operation, self.words)


async def computed(question: str) -> Computed | None:
    """Return what a plain question comes to, as far as that is a whole number or one it names."""
    asked = folded(question)
    if len(asked) > MOST_CHARACTERS:
        return None
    return await _calculated(asked) or _compared(asked)


def terms(operation: str, words: Iterable[str]) -> frozenset[str]:
    """Return the operation, and it beside each word that asks for it."""
    return frozenset({operation, *(f"{operation} {word}" for word in words)})


def strange(found: Iterable[tuple[str, bool]]) -> set[str]:
    """Return operations, or terms of such, that mean something else to a tenant.

    `found` are (operation or term, whether the tenant's answer is what it comes to).
    """
    counts = Counter(found)
    return {
        term
        for term, is_same in counts
        if not is_same
        and counts[term, False] >= CONTRADICTIONS
        and counts[term, False] > counts[term, True]
    }


async def _calculated(asked: str) -> Computed | None:
    written = asked.translate({ord("×"): "*", ord("÷"): "/", ord("−"): "-"})
    for pattern, compute in PARTS.items():
        for part in pattern.finditer(written):
            around = f"{written[: part.start()]} {written[part.end() :]}".replace("=", " ")
            unknown = set(re.findall(r"[xyz]", part[0]))
            if not _says_only(around, _ASKING | unknown):
                continue
            value = await compute(part[0])
            if value is not None and re.fullmatch(r"-?\d+", value):
                signs = "".join(sorted(set(re.findall(r"[-+*/=]", part[0]))))
                return Computed(signs, value, frozenset(words_of(around)))
    return None


def _compared(asked: str) -> Computed | None:
    """Return which of the numbers a question names is the one that it asks for."""
    if len(_PLACED.findall(asked)) > 1:
        return None
    shown = _NUMBER.findall(asked)
    around = _NUMBER.sub(" ", asked)
    larger, smaller = words_of(around) & _LARGER, words_of(around) & _SMALLER
    if len(shown) < 2 or len(larger | smaller) != 1:
        return None
    if not _says_only(around, _OFFERING | larger | smaller):
        return None
    words = frozenset(words_of(around))
    if larger:
        return Computed("larger", max(shown, key=Fraction), words)
    return Computed("smaller", min(shown, key=Fraction), words)


def _says_only(text: str, words: frozenset[str] | set[str]) -> bool:
    """Whether a text has no words but these, and no signs that could mean something."""
    return words_of(text) <= words and bool(_BETWEEN.fullmatch(_WORD.sub(" ", text)))


def words_of(text: str) -> set[str]:
    """Return the words of a text that is folded, numbers left out."""
    return set(_WORD.findall(text.replace("'", "")))
