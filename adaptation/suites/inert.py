"""Which answers may be handed to a scorer that evaluates them as Python.

Some of reasoning-gym's scorers call `eval`, or sympy's `parse_expr` which does the same, on the
text a model wrote. They are given an answer only where its spelling rules out that it does
anything: no call but to a function of mathematics, no string, no attribute, no large power.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

MAX_ANSWER_CHARS = 20_000
WORDS = re.compile(r"[\w\s]*")
"""Rows of letters, digits and underscores: these scorers compare right answers as text."""
ARITHMETIC = re.compile(r"(?:[\d\s.+/()-]|\*(?!\s*\*))*")
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
"""The families whose scorers evaluate the answer, and how a harmless one is spelled."""


def may_be_scored(family: str, answer: str) -> bool:
    """Whether the family's scorer can do nothing with the answer but judge it."""
    spelling = EVALUATED.get(family)
    if spelling is None:
        return True
    return len(answer) <= MAX_ANSWER_CHARS and spelling.fullmatch(answer) is not None
