"""From the spelling of a value to tokens: numbers, words, commands of LaTeX, signs.

Owns Unicode, LaTeX's spacing and decoration, and where a number begins and ends. Knows nothing of
what tokens mean together. Linear; bounded by `MAX_VALUE_CHARS` at its callers.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from memory.identity.answers.factorial import in_math
from memory.identity.answers.fold import HYPHENS, INVISIBLE, SUBSCRIPTS
from memory.identity.answers.words import words

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ", "0123456789-+n")
_SUPERSCRIPT_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ]{1,20}")
_SUBSCRIPT_RUN = re.compile("[₀₁₂₃₄₅₆₇₈₉]{1,20}")
_VULGAR = {
    "½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5",
    "⅘": "4/5", "⅙": "1/6", "⅚": "5/6", "⅐": "1/7", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8",
    "⅑": "1/9", "⅒": "1/10",
}  # fmt: skip
_VULGAR_SIGN = re.compile(f"[{''.join(_VULGAR)}]")
_PLAIN = str.maketrans(
    HYPHENS
    | INVISIBLE
    | {"−": "-", "–": "-", "—": " — ", "⁄": "/", "×": r"\times ", "·": r"\cdot ", "∙": r"\cdot "}
    | {"⋅": r"\cdot ", "÷": "/", "π": r"\pi ", "∞": r"\infty ", "≤": "<=", "≥": ">=", "≠": "!="}
    | {"√": r"\sqrt ", "≃": "≈", "∪": r"\cup ", "∈": r"\in ", "’": "'", "′": "′"}
    | {"“": '"', "”": '"', "±": r"\pm ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta "}
    | {
        "λ": r"\lambda ",
        "μ": "µ",
        "Ω": "Ω",
        "º": "°",
        "％": "%",
        "℃": "°C",
        "℉": "°F",
        "¢": " cents",
        "￡": "£",
        "＄": "$",
        "￥": "¥",
    }
)
_COMMANDS = {
    r"\leq": "<=", r"\le": "<=", r"\leqslant": "<=", r"\geq": ">=", r"\ge": ">=",
    r"\geqslant": ">=", r"\lt": "<", r"\gt": ">", r"\ne": "!=", r"\neq": "!=", r"\approx": "≈",
    r"\simeq": "≈", r"\div": "/", r"\lbrace": r"\{", r"\rbrace": r"\}", r"\dfrac": r"\frac",
    r"\tfrac": r"\frac", r"\cfrac": r"\frac", r"\dbinom": r"\binom", r"\tbinom": r"\binom",
    r"\lvert": "|", r"\rvert": "|", r"\mid": "|", r"\degree": "°", r"\textdegree": "°",
    r"\euro": "€", r"\pounds": "£", r"\infin": r"\infty", r"\lparen": "(", r"\rparen": ")",
}  # fmt: skip
_SILENT = frozenset(
    words(
        r"""\left \right \displaystyle \textstyle \limits \quad \qquad \big \Big \bigl \bigr
        \Bigl \Bigr \, \; \: \! \enspace \thinspace \allowbreak"""
    )
)
_BOX = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s{0,9}")
_TEXT = re.compile(
    r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mathit|mathsf|mbox|operatorname|boldsymbol|rm|bf)"
    r"(?![A-Za-z])\s{0,9}\*?\{([^{}]{0,200})\}"
)
_DEGREE = re.compile(r"\^\s{0,9}(?:\{\s{0,9}\\circ\s{0,9}\}|\\circ(?![A-Za-z]))")
_THIN_GROUP = re.compile(
    r"(?<![0-9.])[0-9]{1,3}(?:(?:\\[,!]|[\u00a0\u2009\u202f]|')[0-9]{3}){1,6}(?![0-9])"
)
_THIN = re.compile(r"\\[,!]|[\u00a0\u2009\u202f']")
_BRACED_COMMA = re.compile(r"(?<=[0-9])\{,\}(?=[0-9]{3})")
_TIMES = re.compile(r"(?<=[0-9])(?:(?<!(?<![0-9.])0)| )[xX](?= ?[0-9(])")
_POWER = re.compile(
    r"(?:(?<=[0-9)])|(?<=[^A-Za-z][A-Za-z])|(?<=\A[A-Za-z]))\*\*(?=-?[0-9(]|[A-Za-z](?![A-Za-z]))"
)
"""As programs write it; emphasis has space or punctuation on one side."""
_OVERLINED = re.compile("((?:[0-9][\u0304\u0305]){1,20})")
_FEET = re.compile(r"\b([0-9]{1,3}) ?['′] ?([0-9]{1,2}(?:\.[0-9]{1,3})?) ?(?:[\"″]|'')")
_EMPHASIS = re.compile(r"\*\*|__|`")
_TOKEN = re.compile(
    r"""(?P<number>(?:[0-9]{1,3}(?:,[0-9]{3}){1,30}(?![0-9])
          |(?=[0-9,]{0,9},0)[0-9]{1,2}(?:,[0-9]{2}){1,8},[0-9]{3}(?![,0-9])|[0-9]{1,500})
          (?:\.\\overline\s?\{[0-9]{1,40}\}|\.\([0-9]{1,40}\)
            |(?:\.[0-9]{1,400}(?:\\overline\s?\{[0-9]{1,40}\}|\([0-9]{1,40}\))?)?)
         |\.[0-9]{1,400})
      (?P<power>[eE][-+]?[0-9]{1,12}(?![A-Za-z0-9]|\.[0-9]))?
    |(?P<word>[A-Za-zµΩ]{1,80}|°[CF](?![A-Za-z]))
    |(?P<command>\\(?:[A-Za-z]{1,30}|[,;:! ])|\\[{}|\\&%$#_])
    |(?P<sign><=|>=|!=|:=|[-+*/^_=<>()\[\]{}|!%,;:.~≈&°$€£¥₹₽₩₺₫₱₦฿₪₴₿])
    |(?P<other>\S)""",
    re.VERBOSE,
)
_DASHED_MINUS = re.compile(r"(?:(?<=\bis )|(?<=[=:] ))—(?=[0-9$\\])")
"""`It is —5`; a dash elsewhere separates what is said."""
_DISPLAY = re.compile(r"\$\$([^$\n]{1,300})\$\$")
_MATH = re.compile(r"\$([^$\n]{1,300})\$")
_FACTORIAL = re.compile(r"\\([(\[])([^\\]{0,200}[0-9A-Za-z)]!)\s?\\[)\]]")
"""In mathematics, where it is no emphasis."""
_LONG_WORD = re.compile(r"[A-Za-z]{3,}")
_EDGE = frozenset(" -+*/=(")


class Token(NamedTuple):
    """A piece of a value, and where it stands in the text that was given to `lex`."""

    kind: str
    """`number`, `word`, `command`, `sign` or `other`."""
    text: str
    start: int
    end: int
    spaced: bool
    """Whether space comes before it."""


def plain(text: str) -> str:
    """Bring a text to ASCII's signs, without decoration; what it means stays."""
    if not text.isascii():
        text = _OVERLINED.sub(lambda run: rf"\overline{{{run[1][::2]}}}", text)
        text = _VULGAR_SIGN.sub(lambda found: f" {_VULGAR[found[0]]} ", text)
        text = _SUPERSCRIPT_RUN.sub(lambda run: f"^{{{run[0].translate(_SUPERSCRIPTS)}}}", text)
        text = _SUBSCRIPT_RUN.sub(lambda run: f"_{{{run[0].translate(SUBSCRIPTS)}}}", text)
        text = _THIN_GROUP.sub(lambda found: _THIN.sub("", found[0]), text.replace("’", "'"))
        text = _DASHED_MINUS.sub("-", text).translate(_PLAIN)
    if "'" in text or "′" in text:
        text = _FEET.sub(r"\1 ft \2 in", text)
    if "!" in text:
        text = _FACTORIAL.sub(r" (\2) ", text)
    if "\\" in text or "'" in text or "{,}" in text:
        text = _THIN_GROUP.sub(lambda found: _THIN.sub("", found[0]), text)
        text = _BRACED_COMMA.sub("", text)
        text = _DEGREE.sub("° ", text)
        text = _BOX.sub("", text)
        text = text.replace(r"\$", "\uffe1").replace(r"\(", " ").replace(r"\)", " ")
        text = (
            text.replace(r"\[", " ").replace(r"\]", " ").replace("~", " ") if "\\" in text else text
        )
    if "$" in text:
        text = _DISPLAY.sub(lambda found: f" {in_math(found[1].strip())} ", text)
        text = _MATH.sub(_without_dollars, text)
    if "\\" in text:
        for _ in range(2):
            text = _TEXT.sub(r" \1 ", text)
    text = text.replace("\uffe1", "$").replace("US$", "$")
    text = _EMPHASIS.sub("", with_carets(text))
    return _TIMES.sub(r" \\times ", text)


def with_carets(text: str) -> str:
    """Write powers with `^`, whose `**` would else be emphasis."""
    return _POWER.sub("^", text)


def _without_dollars(found: re.Match[str]) -> str:
    """Mathematics stands close to its dollars; between two prices there is text."""
    inner = found[1]
    if inner[0] == " " or inner[-1] in _EDGE:
        return found[0]
    is_prose = inner[0].isdigit() and "\\" not in inner and _LONG_WORD.search(inner)
    return found[0] if is_prose else f" {in_math(inner)} "


def lex(text: str) -> list[Token]:
    """Cut what `plain` returned into tokens."""
    groups = ", " in text or not _may_be_list(text)
    tokens: list[Token] = []
    depth, end = 0, 0
    place = 0
    while found := _TOKEN.search(text, place):
        place = found.end()
        kind, spelling = found.lastgroup or "other", found[0]
        kind = "number" if kind == "power" else kind
        if kind == "number" and "," in spelling and depth and not groups:
            place = found.start() + spelling.index(",")  # (1,234) is a pair
            spelling = spelling[: spelling.index(",")]
        if kind == "number" and tokens and _takes_digit(tokens, spelling, found.start()):
            place = found.start() + 1  # \\frac12 has two arguments
            spelling = spelling[0]
        if spelling in _SILENT or spelling == r"\ ":
            continue
        if kind == "command":
            spelling = _COMMANDS.get(spelling, spelling)
            kind = "command" if spelling.startswith("\\") else "sign"
            if spelling in (r"\%", r"\&", r"\#", r"\_"):
                kind, spelling = "sign", spelling[1]
        if spelling in ("(", "[", r"\{", "{"):
            depth += 1
        elif spelling in (")", "]", r"\}", "}"):
            depth -= 1
        spaced = found.start() > end or bool(tokens and text[end : found.start()])
        tokens.append(Token(kind, spelling, found.start(), place, spaced))
        end = place
    return tokens


def _takes_digit(tokens: list[Token], spelling: str, start: int) -> bool:
    """Whether a number stands where a command takes single digits."""
    if len(spelling) < 2 or not spelling[0].isdigit():
        return False
    if tokens[-1].text in (r"\frac", r"\binom"):
        return True
    return (
        len(tokens) > 1 and tokens[-2].text in (r"\frac", r"\binom") and tokens[-1].kind == "number"
    )


def _may_be_list(text: str) -> bool:
    return "," in text and ("(" in text or "[" in text or "{" in text)
