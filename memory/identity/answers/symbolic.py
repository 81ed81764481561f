"""Which answers are formulas: what algebra may compare, and what only looks like it.

`x²-1` and `(x-1)(x+1)` are one answer. Words, codes, dates and paths are no formulas, although
algebra would read them as products and differences: `act` is no `cat`, `3f2` no `2f3`, `A-B-C` no
`A-C-B`. Nor are products that do not commute: of matrices, vectors, functions. What is left out
keeps its own spelling as its key, so leaving out is safe.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from memory.identity.answers.canonical import read_value
from memory.identity.answers.equation import assigned
from memory.identity.answers.fold import undecorate

MAX_CHARS = 200
_COMMAND = re.compile(r"\\([A-Za-z]+)")
_DEGREE = re.compile(r"\\sqrt\s*\[[^\]]*\]")
_SPACE = re.compile(r"\\[,;:! ]")
_MEANT = re.compile(r"(?:[0-9A-Za-z+\-*/^=<>()\[\]{}|.,_ ]|\\[{}])*")
"""What algebra reads; of anything else, such as the primes of derivatives, it is blind."""
_KNOWN = frozenset(
    {"frac", "dfrac", "tfrac", "sqrt", "cdot", "left", "right", "le", "leq", "ge", "geq", "cup"}
    | {"sin", "cos", "tan", "ln", "log", "exp", "pi", "infty"}
    | {"alpha", "beta", "gamma", "delta", "theta", "lambda", "mu", "phi", "omega"}
)
"""Commands whose products commute; with any other the answer is no formula."""
_NAMES = re.compile(r"(?<![A-Za-z\\])(pi|sqrt|sin|cos|tan|ln|log|exp|infty)(?![A-Za-z])")
_ROOT = re.compile(r"\\sqrt\s*\(([^()]*)\)")
_WORD_OR_CODE = re.compile(r"[A-Za-z]{2,}|[A-Za-z]\s*[0-9]|[^\x00-\x7f]")
_PATH = re.compile(r"\s*[A-Za-z](?:\s*[-/]\s*[A-Za-z])+\s*")
_OPERATION = re.compile(r"[-+*/^=<>]|[0-9]\s*[a-z]|\\[A-Za-z]+")
_VARIABLE, _CAPITAL = re.compile(r"[A-Za-z]"), re.compile(r"[A-Z]")
_COLLECTION = re.compile(r"(?:\\left)?(\\\{|[\[(]).*,.*(\\\}|[\])])", re.DOTALL)
_SYMBOLS = str.maketrans({"−": "-", "·": "*", "×": "*", "÷": "/"} | {"²": "^2", "³": "^3"})
_GREEK = {"π": r"\pi ", "√": r"\sqrt", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge "}


class Formula(NamedTuple):
    """A formula, and what it can be equal to: only one of its kind."""

    latex: str
    kind: str
    """`set`, `union`, `range` with its brackets for an interval or a tuple, `equation` or
    `expression`. Algebra would take an equation's right side for the whole of it."""
    symbol: str = ""
    """What it is the value of."""


def mixes_cases(one: Formula, other: Formula) -> bool:
    """Whether a letter stands in both cases in the two together: algebra takes them for one."""
    letters = {*_VARIABLE.findall(_COMMAND.sub(" ", one.latex + " " + other.latex))}
    return any(letter.swapcase() in letters for letter in letters)


def as_formula(text: str) -> Formula | None:
    """Return an answer as LaTeX where it is a formula, a set or an interval; None elsewhere."""
    text = undecorate(text)
    whole, text = text, assigned(text) or text
    symbol = whole.partition("=")[0].strip() if text is not whole else ""
    if not 0 < len(text) <= MAX_CHARS or "\n" in text or _PATH.fullmatch(text):
        return None
    side = read_value(text)
    if side is not None and (side.number is not None or side.unit):
        return None
    for sign, command in _GREEK.items():
        text = text.replace(sign, command)
    text = _NAMES.sub(r"\\\1", text.translate(_SYMBOLS))
    text = _SPACE.sub(" ", _ROOT.sub(r"\\sqrt{\1}", text))
    bare = _COMMAND.sub(" ", text)
    if not set(_COMMAND.findall(text)) <= _KNOWN or _WORD_OR_CODE.search(bare):
        return None
    if not _MEANT.fullmatch(bare):
        return None
    if len(_CAPITAL.findall(bare)) > 1:  # matrices, or points
        return None
    if r"\cup" in text:
        return Formula(text, "union", symbol)
    if collection := _COLLECTION.fullmatch(text):
        opens, closes = collection[1][-1], collection[2][-1]
        return Formula(text, "set" if opens == "{" else f"range {opens}{closes}", symbol)
    if "[" in _DEGREE.sub("", text):  # rounded down, or a list of one
        return None
    has_variable = _VARIABLE.search(bare) or "\\" in text
    is_expression = _OPERATION.search(text) and (has_variable or "^" in text)
    kind = "equation" if "=" in text else "expression"
    return Formula(text, kind, symbol) if is_expression else None
