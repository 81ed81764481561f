"""Which answers are formulas: what algebra may compare, and what only looks like it.

`x²-1` and `(x-1)(x+1)` are one answer. Words, codes and dates are not formulas, although algebra
would read them as products and differences: `act` is no `cat`, `3f2` no `2f3`, and `2024-11-21` no
difference. What is left out here keeps its own spelling as its key, so leaving out is safe.
"""

from __future__ import annotations

import re

from adaptation.answers.fold import undecorate

MAX_CHARS = 200
_COMMAND = re.compile(r"\\[A-Za-z]+")
_NAMES = re.compile(r"(?<![A-Za-z\\])(pi|sqrt|sin|cos|tan|ln|log|exp|infty)(?![A-Za-z])")
_ROOT = re.compile(r"\\sqrt\s*\(([^()]*)\)")
_WORD_OR_CODE = re.compile(r"[A-Za-z]{2,}|[A-Za-z]\s*[0-9]|[^\x00-\x7f]")
_OPERATION = re.compile(r"[-+*/^=<>]|\\[A-Za-z]+")
_VARIABLE = re.compile(r"[A-Za-z]")
_COLLECTION = re.compile(r"(?:\\left)?(?:\\\{|[\[(]).*,.*(?:\\\}|[\])])", re.DOTALL)
_SYMBOLS = str.maketrans({"−": "-", "·": "*", "×": "*", "÷": "/"} | {"²": "^2", "³": "^3"})
_GREEK = {"π": r"\pi ", "√": r"\sqrt", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge "}


def as_formula(text: str) -> str | None:
    """Return an answer as LaTeX where it is a formula, a set or an interval; None elsewhere."""
    text = undecorate(text)
    if not 0 < len(text) <= MAX_CHARS or "\n" in text:
        return None
    for symbol, command in _GREEK.items():
        text = text.replace(symbol, command)
    text = _NAMES.sub(r"\\\1", text.translate(_SYMBOLS))
    text = _ROOT.sub(r"\\sqrt{\1}", text)
    bare = _COMMAND.sub(" ", text)
    if _WORD_OR_CODE.search(bare):
        return None
    is_expression = _OPERATION.search(text) and (_VARIABLE.search(text) or "^" in text)
    return text if is_expression or _COLLECTION.fullmatch(text) else None
