"""Which answers may be handed to a scorer that does as they say.

Some of reasoning-gym's scorers call `eval`, or sympy's `parse_expr` which does the same, on the
text a model wrote; others expand the number it names, or take as many steps. They are given an
answer only where its spelling rules out that it does anything, or anything large: no call but to a
function of mathematics, no string, no attribute, no large power, no deep nesting, no large count.

What is spelled harmlessly may still take long (to simplify, say): `scorer.py` has the time limit.
"""

import re
from collections.abc import Mapping
from itertools import accumulate
from math import prod
from types import MappingProxyType

MAX_ANSWER_CHARS = 50_000
"""Twice the longest reference, a board of the game of life."""
MAX_NESTING = 20
MAX_BRACKET_POWER = 30
"""What all powers of brackets may multiply up to, lest they amount to a tower: ((9**9)**9)**9."""
BRACKET_POWER = re.compile(r"\)\s*\*\*\s*(-?\d+|\([^()]*\))")
TERM = re.compile(r"(?:^|[(+-])(\d+)")
WORDS = re.compile(r"[\w\s]*")
"""Rows of letters, digits and underscores: these scorers compare right answers as text."""
ARITHMETIC = re.compile(r"(?:[\d\s.+/()-]|\*(?!\s*\*))*")
FRACTION = re.compile(r"[\d\s.,/+-]*(?:[eE][+-]?\d{1,2})?")
TURNS = re.compile(r"(?:(?!\d{3}).)*", re.DOTALL)
SLIDES = re.compile(r"(?:(?![+-]\d{3}).)*", re.DOTALL)
"""Moves with how often each is made: fewer than a hundred times."""
FORMULA = re.compile(
    r"""(?:
        [\d\s+/()-] | \*(?!\*) | (?<=\d)\. | \.(?=\d)
        | \b(?: [A-Za-z] | pi | exp | log | sqrt | Abs | a?(?:sin|cos|tan)h? | sec | csc | cot )\b
        | \*\*\s*                              # no power that could take hours, nor a tower
          (?: -?\d{1,2}(?![\d.]) | [A-Za-z]\b
            | \( (?: (?!\d{3})[\d\s+/-] | \b[A-Za-z]\b | \*(?=\s*[A-Za-z]) ){1,30} \)
          ) (?!\s*\*\*)
    )*""",
    re.VERBOSE,
)

EVALUATED: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "binary_matrix": WORDS,
        "countdown": ARITHMETIC,
        "intermediate_integration": FORMULA,
        "n_queens": WORDS,
        "polynomial_multiplication": FORMULA,
        "puzzle24": ARITHMETIC,
        "simple_integration": FORMULA,
        "spiral_matrix": WORDS,
        "string_insertion": WORDS,
    }
)
"""The families whose scorers run the answer as Python, and how a harmless one is spelled."""

EXPANDED: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {"coin_flip": FRACTION, "rubiks_cube": TURNS, "rush_hour": SLIDES}
)
"""The families whose scorers write out the answer's powers of ten or take its number of steps."""


def may_be_scored(family: str, answer: str) -> bool:
    """Whether the family's scorer can do nothing with the answer but judge it."""
    if len(answer) > MAX_ANSWER_CHARS:
        return False
    spelling = EVALUATED.get(family) or EXPANDED.get(family)
    if spelling is None:
        return True
    return spelling.fullmatch(answer) is not None and not _grows(answer)


def _grows(answer: str) -> bool:
    """Whether brackets or their powers are stacked high."""
    nesting = accumulate((char == "(") - (char == ")") for char in answer)
    powers = map(_largest, BRACKET_POWER.findall(answer))
    return max(nesting, default=0) > MAX_NESTING or prod(powers) > MAX_BRACKET_POWER


def _largest(exponent: str) -> int:
    """What an exponent amounts to at most: its terms' leading numbers, at least one."""
    return max(1, sum(map(int, TERM.findall(re.sub(r"\s", "", exponent)))))
