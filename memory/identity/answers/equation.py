"""What is an equation without words, and what of it algebra is asked about.

`x = 5` says 5. `x + y = 5`, `f(x) = x^2` and `a_n = n^2` say more than their right sides: two
unknowns, a function, a sequence.
"""

from __future__ import annotations

import re

_GREEK = "alpha|beta|gamma|delta|theta|lambda|mu|phi|omega"
_SYMBOL = rf"\s*\\?(?:[A-Za-z]|{_GREEK})(?:_\{{?[0-9]{{1,3}}\}}?)?\s*"
_ASSIGNMENT = re.compile(rf"{_SYMBOL}=([^=<>]+)")
_LATEX_TEXT = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mbox)\s*\{[^{}]*\}")
_GREEK_LETTER = re.compile(rf"\\(?:{_GREEK})(?![A-Za-z])")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_TWO_WORDS = re.compile(r"(?<!\\)\b[A-Za-z]{2,20} [A-Za-z]{2,20}\b")
_LETTERS = re.compile(r"[A-Za-z]+")
_SHORT = "an and ans are cost each for gain how in is now of on per so sum the to we"
_SHORT_WORDS = frozenset(_SHORT.split())
"""Else a few letters may be a product: `xy`, `abc`."""


def assigned(text: str) -> str | None:
    """The right side where a lone symbol (`x`, `\\theta`, `x_1`) equals it, else None."""
    found = _ASSIGNMENT.fullmatch(text)
    return found[1].strip() if found else None


def is_bare(text: str) -> bool:
    """Whether it is an equation without a word beside it."""
    is_prose = _TWO_WORDS.search(_LATEX_TEXT.sub("", text))
    return "=" in text and not is_prose and all(map(is_symbol, _letters(text)))


def _letters(text: str) -> list[str]:
    """Runs of letters outside of commands; a Greek letter counts as `x`."""
    bare = _COMMAND.sub(" ", _GREEK_LETTER.sub(" x ", _LATEX_TEXT.sub(" ", text)))
    return _LETTERS.findall(bare)


def is_symbol(letters: str) -> bool:
    """Whether a run of letters is rather a product of symbols than a word."""
    return len(letters) < 4 and letters.lower() not in _SHORT_WORDS
