"""Spelling, not meaning: brings the many ways to typeset one value to a single spelling.

Owns Unicode, LaTeX and markdown decoration. Knows nothing of numbers, choices or JSON. Every
function is total and linear in the length of its text.
"""

from __future__ import annotations

import re
import unicodedata

from memory.identity.answers.factorial import before_full_stop, in_math, is_factorial
from memory.identity.answers.words import words

MAX_VALUE_CHARS = 500
"""Longer values are prose: they are folded as such, never read as LaTeX or as a number. (Unicode
normalisation sorts combining marks in quadratic time, so it needs a bound too.)"""

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_SUPERSCRIPT_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+")
SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SUBSCRIPT_RUN = re.compile("[₀₁₂₃₄₅₆₇₈₉]+")
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"(?<![\w\\])[^\W\d_]{2,}(?!\w)")
_ARTICLE = re.compile(r"\AA(?= [a-z]{2})")
_SHORT_WORDS = frozenset(
    words("""no ok is it in on of to at by as an be we he me my so or if us up do go am""")
)
_THIN_GROUPS = re.compile("(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3})")
_BEFORE_VULGAR_FRACTION = re.compile("(?<=[0-9])(?=[¼-¾⅐-⅞↉])")
_SYMBOLS = str.maketrans(
    {"−": "-", "–": "-", "⁄": "/", "×": "*", "·": "*", "∙": "*", "⋅": "*", "÷": "/", "π": " pi "}
    | {"“": '"', "”": '"', "‘": "'", "’": "'", "≤": "<=", "≥": ">=", "∞": " infty "}
)
_WRAPPERS = (
    ("$$", "$$"),
    ("$", "$"),
    ("\\(", "\\)"),
    ("\\[", "\\]"),
    ("**", "**"),
    ("__", "__"),
    ("`", "`"),
    ('"', '"'),
    ("'", "'"),
    ("*", "*"),
    ("_", "_"),
)
_OPENINGS = frozenset(opening[0] for opening, _ in _WRAPPERS)
_EMPHASIS = ("**", "__", '"', "'", "*", "_")
HYPHENS = dict.fromkeys("‐‑‒﹣－", "-")
"""Hyphens that do not break a line, and wide ones: each is also a minus."""
INVISIBLE = dict.fromkeys("\u200b\u200c\u200d\u200e\u200f\u2060\ufeff", "")
_WIDE = str.maketrans(dict(zip("。．！，、；：", "..!,,;:", strict=True)) | HYPHENS | INVISIBLE)
"""Punctuation of Chinese and Japanese, hyphens, and signs without width."""
_PICTURES = re.compile("[\u220e\u25a0-\u25ff\u2600-\u27bf\ufe0f\U0001f300-\U0001faff\\s]{1,20}\\Z")
_MATH_THEN_UNIT = re.compile(r"\$([^$]+)\$(?= [A-Za-z])")
_LATEX_SPACE = re.compile(
    r"\\(?:[,;:! ]|(?:quad|qquad|left|right|displaystyle|limits)(?![A-Za-z]))"
)
_LATEX_DEGREE = re.compile(r"\^\{?\s*\\circ\s*\}?|\\(?:text)?degree(?![A-Za-z])")
_LATEX_TEXT = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|mbox|operatorname|boxed|fbox)"
    r"\s*\{([^{}]*)\}"
)
_LATEX_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{([^{}]*)\}\s*\{([^{}]*)\}|([0-9])\s*([0-9]))")
_LATEX_ROOT = re.compile(r"\\sqrt\s*\{([^{}]*)\}")
_LATEX_POWER = re.compile(r"\^\s*\{([^{}]*)\}")
_LATEX_TIMES = re.compile(r"\\(?:times|cdot)(?![A-Za-z])\s*")
_ATOM = re.compile(r"\s*-?\\?[\w.]+\s*")
_AROUND_OPERATOR = re.compile(r" ?([-+*/=^(),<>\[\]{}|:;]) ?")


def fold_prose(text: str) -> str:
    """Ignore the case of words, runs of white space, outer decoration and the final full stop."""
    if len(text) <= MAX_VALUE_CHARS:
        text = _normalised(_marked_scripts(text))
    return fold_case(undecorate(" ".join(text.split())))


def fold_case(text: str) -> str:
    """Ignore case where it is a matter of style: `Paris`, `PARIS` and `paris` are one word.

    It is none within a word (`aBc`), in a symbol (`R` beside `r`, `CO`), or in a unit (`Mb`).
    """
    if _LETTER.fullmatch(text):
        return text.casefold()
    text = _ARTICLE.sub("a", text)
    return _WORD.sub(_folded_word, text) if len(text) <= MAX_VALUE_CHARS else text


def _folded_word(found: re.Match[str]) -> str:
    word = found[0]
    if len(word) < 3 and word.casefold() not in _SHORT_WORDS:
        return word
    return word.casefold() if word.islower() or word.istitle() or word.isupper() else word


def fold_expression(text: str) -> str:
    """Strip decoration and bring LaTeX to plain notation: `\\frac12` becomes `1/2`.

    Case is kept, since `5 M` and `5 m` are different quantities.
    """
    text = _normalised(_THIN_GROUPS.sub("", undecorate(_marked_scripts(text))))
    text = _MATH_THEN_UNIT.sub(r"\1", text)
    text = undecorate(_plain_latex(text.translate(_SYMBOLS)))
    return _AROUND_OPERATOR.sub(r"\1", " ".join(text.split()))


def undecorate(text: str) -> str:
    """Strip white space, final punctuation and math, markdown or quotation marks around `text`."""
    for _ in range(6):
        before = text
        text = text.strip()
        text = text if text.isascii() else (_PICTURES.sub("", text) or text).translate(_WIDE)
        text = _unwrapped(_unpunctuated(text))
        if text == before:
            break
    return text


def _unpunctuated(text: str) -> str:
    bare = text.rstrip(",;:")
    if bare.endswith(".") and not bare.endswith(".."):
        bare = bare[:-1].rstrip()
    if not bare.endswith("!"):
        return bare
    if bare != text:
        return before_full_stop(bare)
    return bare if is_factorial(bare) else bare.rstrip(",;:!")


def _marked_scripts(text: str) -> str:
    """`10⁵` is no 105, nor `x₂` an x2, as Unicode's normalisation would have it."""
    if text.isascii():
        return text
    text = _SUPERSCRIPT_RUN.sub(lambda run: "^" + run[0].translate(_SUPERSCRIPTS), text)
    return _SUBSCRIPT_RUN.sub(lambda run: "_" + run[0].translate(SUBSCRIPTS), text)


def _normalised(text: str) -> str:
    """NFKC, which alone would turn `1½` into eleven halves."""
    return unicodedata.normalize("NFKC", _BEFORE_VULGAR_FRACTION.sub(" ", text))


def _unwrapped(text: str) -> str:
    if text[:1] not in _OPENINGS:
        return text
    for opening, closing in _WRAPPERS:
        inner = text[len(opening) : -len(closing)]
        if inner and text.startswith(opening) and text.endswith(closing) and closing not in inner:
            return inner if opening in _EMPHASIS else in_math(inner.strip())
    return text


def _plain_latex(text: str) -> str:
    text = text.replace("{,}", ",").replace("\\%", "%").replace("\\$", "$").replace("~", " ")
    text = text.replace("\\{", "{").replace("\\}", "}") if "\\{" in text else text
    if "\\" not in text and "^" not in text:
        return text
    text = _LATEX_TIMES.sub("*", _LATEX_DEGREE.sub("°", _LATEX_SPACE.sub(" ", text)))
    for _ in range(3):  # three levels of nesting
        text = _LATEX_TEXT.sub(r" \1 ", text)
        text = _LATEX_POWER.sub(lambda power: "^" + _atom(power[1]), text)
        text = _LATEX_ROOT.sub(lambda root: f" sqrt({root[1]}) ", text)
        text = _LATEX_FRACTION.sub(_quotient, text)
    return text.replace("\\", " ")


def _quotient(fraction: re.Match[str]) -> str:
    above, below = fraction[1] or fraction[3] or "", fraction[2] or fraction[4] or ""
    return f" {_atom(above)}/{_atom(below)} "


def _atom(text: str) -> str:
    return text.strip() if _ATOM.fullmatch(text) else f"({text})"
