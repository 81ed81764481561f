"""What a number counts: words after it that are no part of the value, and those that change it.

`14 apples left` is 14; `5 squared`, `5 and a half`, `20% increase` are no 5 and no 20%.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from memory.identity.answers.exact import UnreadableError
from memory.identity.answers.number_words import NUMBER_WORDS, SCALE_WORDS
from memory.identity.answers.units import SIGNS
from memory.identity.answers.words import words

if TYPE_CHECKING:
    from memory.identity.answers.quantity import QuantityParser

_SCALES_ABROAD = words(
    """mil mila mille bln mlrd mio mrd tausend hundert dutzend million millionen milliarde
    milliarden millón millones milliard milliards milliers milhões bilhões milioni miliardi miljoen
    miljard docenas tens myriad googol"""
)
"""Of other languages, or short: what `5 mil` is, is not told by it."""
_PARTS = words(
    """sevenths ninths elevenths twelfths thirteenths fourteenths fifteenths sixteenths
    seventeenths eighteenths nineteenths twentieths thirtieths fortieths fiftieths"""
)
_OF_A_THOUSAND = words("permille permil percentile percentiles ths")
_CHANGES_THE_NUMBER = """half halves third thirds quarter quarters fourth fourths fifth
fifths eighth eighths tenth tenths hundredths score plus minus times over by point squared cubed
factorial pi e i mod than not if
hundredth thousandth thousandths millionth millionths twelfths sixteenths twentieths sixtieths lakh
lakhs crore crores gross fold something binary hexadecimal hex octal
through more less either else nor but choose remainder r st nd rd th
percentage percentages negative unless except am pm ad bc bce ce to sqrt infty sin cos tan log ln
squares a an as because since so which out off"""
_DIRECTIONS = """increase increases increased decrease decreases decreased rise fall profit profits
loss losses gain gains win wins up down above below under higher lower fewer younger shorter lighter
slower cheaper smaller late later early
earlier before after ago ahead behind backward
backwards downward downwards inward decline deficit colder
counterclockwise anticlockwise north south east west right"""
"""They turn a number into its opposite. Without `left`, as `14 apples left` is 14: one of two
opposites is enough to keep them apart."""
_NUMBERS_BESIDE = frozenset((*_SCALES_ABROAD, *_PARTS, *_OF_A_THOUSAND))
CHANGES = _NUMBERS_BESIDE.union(_CHANGES_THE_NUMBER.split(), _DIRECTIONS.split())
_IN_PROSE = frozenset(
    words(
        """half halves third thirds quarters fourth fourths fifth fifths eighth eighths tenth
        tenths hundredth hundredths thousandth thousandths millionth millionths twelfths sixteenths
        twentieths sixtieths squared cubed factorial mod st nd rd th choose percentage plus minus
        point lakh lakhs crore crores gross fold something bc bce"""
    )
)
_STAY = {"up", "down", "before", "after", "right", "win", "wins"}
_OPPOSITES = (frozenset(_DIRECTIONS.split()) - _STAY) | {"off"}
_BASES = frozenset(["binary", "hexadecimal", "hex", "octal"])
_SHORT_WORDS = frozenset(["of", "in", "on", "is", "at", "by", "we", "us", "it", "he"])
_JOINS = frozenset({"or", "and"})
_MULTIPLIES = frozenset(
    {("to", "the")} | {("times", word) for word in ("more", "that", "as", "the")}
)


def counted(parser: QuantityParser, value: Fraction | None) -> bool:
    """Move over what is counted, and say whether there was any.

    Raises UnreadableError where it changes the number.
    """
    if parser.in_prose:
        _check_prose(parser)
        return False
    words, capitals = 0, 0
    while parser.next.kind == "word" and parser.next.text not in _JOINS:
        word = parser.next.text
        is_letter = len(word) == 1 or word.lower() in SCALE_WORDS  # 5 per thousand
        if parser.begins_rate():
            break
        if word.lower() in CHANGES or is_letter or words >= parser.max_words:
            raise UnreadableError(f"{word} may change the number")
        if not words and not parser.next.spaced:
            raise UnreadableError("a word that is joined to a number")
        if not words and _is_code(word):
            raise UnreadableError("it may be a unit that is not known")
        words += 1
        capitals += word[0].isupper()
        parser.at += 1
    if capitals > 1:
        raise UnreadableError("a title: 12 Angry Men")
    _move_over_remark(parser, value)
    return words > 0


def _is_code(word: str) -> bool:
    """Whether a word is rather an abbreviation: `5 Nm` is no 5."""
    is_short = len(word) < 3 and word.lower() not in _SHORT_WORDS
    return is_short or not (word.islower() or word.istitle())


def _check_prose(parser: QuantityParser) -> None:
    token, after = parser.next, parser.peek(1).text.lower()
    for ahead in range(3):
        word = parser.peek(ahead)
        if word.kind != "word":
            break
        if word.text.lower() in _OPPOSITES | _BASES:
            raise UnreadableError("a word that makes another number of it")
    if token.kind == "word" and token.text.lower() in _IN_PROSE | _NUMBERS_BESIDE:
        raise UnreadableError("a word that changes the number")
    if token.text.lower() in ("to", "or", "through") and (after[:1].isdigit() or after in SIGNS):
        raise UnreadableError("a range")
    if (token.text, after) in _MULTIPLIES or (token.text == "times" and after in NUMBER_WORDS):
        raise UnreadableError("it is multiplied, or raised")
    if token.text == "of" and parser.peek(2).text in SCALE_WORDS:
        raise UnreadableError("a share of a million")
    if (
        token.text == "and"
        and after in ("a", "one", "two", "three")
        and _is_part(parser.peek(2).text)
    ):
        raise UnreadableError("a number and its part")
    if not token.spaced and token.kind in ("word", "number"):
        raise UnreadableError("a word that is joined to a number")


def _is_part(word: str) -> bool:
    return word.lower() in _IN_PROSE or word in ("half", "quarter", "third")


def _move_over_remark(parser: QuantityParser, value: Fraction | None) -> None:
    """`3 (three)`, `1/2 (0.5)`, `72, in total`: words that repeat what was said."""
    start = parser.at
    if parser.next.text == "(" and parser.peek(1).kind == "number" and value is not None:
        parser.at += 1
        if parser.side().number != value:
            raise UnreadableError("another value in brackets")
        parser.expects(")")
        return
    if parser.takes("("):
        while parser.next.kind == "word" and parser.next.text.lower() not in CHANGES:
            parser.at += 1
            parser.takes("-")
        if parser.at > start + 1 and parser.takes(")"):
            return
        parser.at = start
    if parser.takes(","):
        remark: list[str] = []
        while parser.next.kind == "word" and len(remark) < 4:
            remark.append(parser.next.text.lower())
            parser.at += 1
        ends = parser.next.kind == "end" or parser.next.text == "."
        if ends and " ".join(remark) in _REMARKS:
            return
        parser.at = start


_REMARKS = frozenset(
    {
        "in total",
        "altogether",
        "in all",
        "exactly",
        "precisely",
        "approximately",
        "total",
        "overall",
    }
)
