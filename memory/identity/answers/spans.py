"""The values in a sentence, each as a whole: where they are, and what they are.

What cannot be read, or goes on in what was not read, makes the sentence unreadable: a part of a
value is never taken for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from memory.identity.answers.collection import closing
from memory.identity.answers.cursor import GREEK
from memory.identity.answers.equation import is_symbol
from memory.identity.answers.exact import Calculator, UnreadableError
from memory.identity.answers.lexer import Token
from memory.identity.answers.moment import MONTHS, date
from memory.identity.answers.number_words import NUMBER_WORDS, begins_number, goes_back
from memory.identity.answers.primary import is_accountants
from memory.identity.answers.relation import Side
from memory.identity.answers.units import CODES, SIGNS, unit_name
from memory.identity.answers.value import ValueParser
from memory.identity.answers.verbs import STATING
from memory.identity.answers.words import words

_QUOTES = frozenset("\"'«»„(")
_OR_SO = frozenset({"or", "ish", "perhaps", "maybe"})
_LABELS = frozenset(
    words(
        """step question problem part option case example figure table chapter page equation
        method verse round level grade section note exercise line room type no number"""
    )
)
_ORDINALS = frozenset({"st", "nd", "rd", "th"})
_FUNCTIONS = frozenset(words("sin cos tan log ln"))
_BEGINNINGS = frozenset(
    words(r"\frac \sqrt \binom \pi \{ \pm \ln \log \sin \cos \tan \begin \infty")
)
_JOINING = frozenset([r"+", r"*", r"/", r"^", r"<", r"<=", r">=", r"!=", r"\cdot", r"\times"])
_OPERATORS = frozenset(["+", "-", "*", "/", "^", "=", "<", ">", "<=", ">=", "!=", r"\in"])
_SCALES_ABROAD = frozenset("十百千万萬亿億兆만억천백")
MAX_FAILURES = 4
MAX_STEPS = 150
"""In one sentence, for all that may be a value in it."""


@dataclass(frozen=True)
class Span:
    """A value in a sentence, and the tokens it takes."""

    side: Side
    start: int
    end: int
    text: str

    @property
    def key(self) -> str:
        """Its key."""
        return self.side.named.key


def spans(tokens: Sequence[Token], text: str) -> list[Span]:
    """Every value of a sentence; raises UnreadableError where one cannot be read whole."""
    found: list[Span] = []
    calculator = Calculator(MAX_STEPS)
    at = steps = failed = 0
    while at < len(tokens):
        steps += 1
        if skipped := _function_of_words(tokens, at):
            at = skipped
            continue
        if _is_label(tokens, at) or not _may_begin(tokens, at):
            at += 1
            continue
        parser = ValueParser(tokens, in_prose=True)
        parser.at, parser.calculator = at, calculator
        parser.leads = at > 1 and tokens[at - 1].text == "="
        try:
            side = parser.value()
        except (UnreadableError, RecursionError, ValueError, OverflowError, ZeroDivisionError):
            is_sign = tokens[at].text in (*SIGNS, "-") or tokens[at].text in _FUNCTIONS
            if is_sign or tokens[at].kind in ("number", "command"):
                raise UnreadableError("a value that cannot be read") from None
            failed += 1
            if failed > MAX_FAILURES or calculator.is_spent:
                raise UnreadableError("too much that is no value") from None
            at += 1
            continue
        if _is_compound_word(tokens, parser.at):
            at = parser.at + 1
            continue
        _check_beginning(tokens, at)
        _check_end(tokens, parser.at)
        last = tokens[parser.at - 1]
        found.append(Span(side, at, parser.at, text[tokens[at].start : last.end].strip()))
        at = parser.at
        if steps > 200:
            raise UnreadableError("too many values")
    return found


def _function_of_words(tokens: Sequence[Token], at: int) -> int:
    """The place after `gcd(12, 18)` or `apple(s)`, which begin no value; 0 elsewhere."""
    token, after = tokens[at], tokens[at + 1] if at + 1 < len(tokens) else None
    if token.kind != "word" or len(token.text) < 3 or token.text in _FUNCTIONS:
        return 0
    is_reference = token.text.lower() in _LABELS  # equation (5)
    if after is None or after.text != "(" or (after.spaced and not is_reference):
        return 0
    end = closing(tokens, at + 1)
    return end + 1 if end is not None else 0


def _is_label(tokens: Sequence[Token], at: int) -> bool:
    """Whether a number only numbers something: `Step 3`, `#3`, `the 3rd`."""
    if tokens[at].kind != "number":
        return False
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    if after and after.text in _ORDINALS and not after.spaced:
        return date(tokens, at) is None  # the 1st of May
    before = tokens[at - 1] if at else None
    return before is not None and (before.text == "#" or before.text.lower() in _LABELS) and (
        at < 2 or tokens[at - 2].text.lower() not in ("the", "a", "total")
    )  # fmt: skip


def _may_begin(tokens: Sequence[Token], at: int) -> bool:
    token = tokens[at]
    after = tokens[at + 1] if at + 1 < len(tokens) else None
    if token.kind == "number":
        return True
    if token.kind == "command":
        is_greek = (
            token.text[1:] in GREEK and after is not None and after.text in (*_OPERATORS, "_")
        )
        return token.text in _BEGINNINGS or is_greek
    if token.text.lower() in MONTHS:
        return after is not None and after.kind == "number"
    if token.text in SIGNS or token.text in CODES:
        return after is not None and (after.kind == "number" or after.text == "-")
    if token.text == "{":
        return after is not None and after.kind == "number"
    if token.text == "-" and after is not None and after.spaced and _is_dash(tokens, at):
        return False
    if token.text == "-" and after is not None and after.text.lower() in NUMBER_WORDS:
        return True
    if token.text in ("-", "≈"):
        return after is not None and (after.kind in ("number", "command") or after.text in SIGNS)
    if token.text in ("(", "[", "|"):
        return (after is not None and after.kind != "word") or _opens_formula(tokens, at)
    if token.kind != "word":
        return False
    if token.text.lower() in NUMBER_WORDS or token.text == "a":
        words = [each.text for each in tokens[at : at + 4]]
        if begins_number(words) or token.text != "a":
            return begins_number(words)
    if after is not None and token.text in _FUNCTIONS:
        is_applied = after.kind in ("number", "command") and token.text != "log"  # `log 5 hours`
        return is_applied or after.text in ("(", "_", "^")
    if len(token.text) > 1 or after is None:
        return False
    if token.text in ("I", "a", "A"):
        return after.text in (*_OPERATORS, "_") and after.text != "-"
    return after.text in (*_OPERATORS, "_") or (after.text == "(" and not after.spaced)


def _is_dash(tokens: Sequence[Token], at: int) -> bool:
    """Whether a dash between spaces only separates: `Answer - 5`, but not `it is - 5`."""
    return at > 0 and tokens[at - 1].kind == "word" and tokens[at - 1].text.lower() not in STATING


def _opens_formula(tokens: Sequence[Token], at: int) -> bool:
    texts = [token.text for token in tokens[at + 1 : at + 3]]
    return len(texts) == 2 and len(texts[0]) == 1 and texts[1] in (*_OPERATORS, ",", "!")


def _is_compound_word(tokens: Sequence[Token], end: int) -> bool:
    """Whether what was read begins an adjective: `14-year-old`."""
    rest = tokens[end : end + 2]
    return len(rest) == 2 and rest[0].text == "-" and not rest[0].spaced and rest[1].kind == "word"


def _check_beginning(tokens: Sequence[Token], start: int) -> None:
    """Raise UnreadableError where a value begins in what was not read."""
    before = tokens[start - 1] if start else None
    is_word = tokens[start].text.lower() in NUMBER_WORDS
    if is_word and goes_back([token.text for token in tokens[:start][-2:]]):
        raise UnreadableError("a number that begins earlier")
    if tokens[start].text == "a" and before and before.text in ("and", "half", "quarter"):
        raise UnreadableError("half a dozen, or an hour and a half")
    if before and before.text == "and" and _is_one_unit(tokens[max(0, start - 3) : start - 1]):
        raise UnreadableError("an hour and thirty minutes")
    if before is not None and is_accountants(tokens, start - 1):
        raise UnreadableError("a loss")
    if before is not None and (before.text in _JOINING or _is_greater(tokens, start - 1)):
        raise UnreadableError("a value that begins earlier")
    if before is not None and before.text == "log" and not _has_unit(tokens, start):
        raise UnreadableError("a logarithm, unless hours are logged")
    if before is not None and not tokens[start].spaced:
        is_joined = before.kind in ("word", "number", "other") and before.text not in _QUOTES
        if is_joined or before.text in ("/", "_", "^", ".", "*"):
            raise UnreadableError("a value that begins earlier")
    if before is not None and before.text == "=" and _is_unknown(tokens, start - 2):
        raise UnreadableError("an equation that says more than its right side")


def _has_unit(tokens: Sequence[Token], at: int) -> bool:
    return at + 1 < len(tokens) and unit_name(tokens[at + 1].text) is not None


def _is_greater(tokens: Sequence[Token], at: int) -> bool:
    """Whether a `>` bounds what follows, and is neither a quotation's mark nor of an arrow."""
    if tokens[at].text != ">":
        return False
    before = tokens[at - 1].text if at else ""
    return before not in ("-", "=", ">") if before else not tokens[at + 1].spaced


def _check_end(tokens: Sequence[Token], end: int) -> None:
    """Raise UnreadableError where a value goes on in what was not read."""
    if end == len(tokens):
        return
    after = tokens[end]
    follows = tokens[end + 1] if end + 1 < len(tokens) else None
    goes_on = after.text in (*_OPERATORS, "_", "!", "&", "%") or after.kind in ("number", "command")
    if after.text == "!" and (follows is None or follows.kind in ("word", "other")):
        goes_on = False
    if after.text == "-" and after.spaced and follows is not None and follows.kind == "word":
        goes_on = False
    if after.text in _BEGINNINGS or goes_on:
        raise UnreadableError("a value that goes on")
    if after.text in _OR_SO and follows is not None and follows.text == "so":
        raise UnreadableError("about a value")
    if not after.spaced and (after.kind == "word" or after.text in _SCALES_ABROAD):
        raise UnreadableError("a word joined to a value")


def _is_one_unit(tokens: Sequence[Token]) -> bool:
    """Whether it is a unit with an article: `an hour`, `one hour`."""
    texts = [token.text for token in tokens]
    return texts[:1] in (["a"], ["an"], ["one"]) and unit_name(texts[-1]) is not None


def _is_unknown(tokens: Sequence[Token], at: int) -> bool:
    """Whether what is left of `=` is a product or a function, and no word: `xy = 5`."""
    if at < 0:
        return False
    if tokens[at].text == ")":  # of gcd(12, 18), P(A) and f(2), but not of f(x)
        opens = next((place for place in range(at, 0, -1) if tokens[place].text == "("), 0)
        name = tokens[opens - 1].text if opens and tokens[opens - 1].kind == "word" else ""
        return not (len(name) > 2 or name in ("P", "Pr") or _is_at_number(tokens[opens:at], name))
    if tokens[at].kind != "word":
        return True
    is_named = at > 0 and tokens[at - 1].kind == "word" and tokens[at].spaced
    return is_symbol(tokens[at].text) and not is_named


def _is_at_number(argument: Sequence[Token], name: str) -> bool:
    """Whether a function is taken at a number: `f(2)`."""
    return bool(name) and {token.kind for token in argument[1:]} == {"number"}
