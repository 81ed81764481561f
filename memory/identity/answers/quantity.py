"""Numbers with their units, exactly.

`0.5`, `1/2`, `\\frac12`, `5e-1` and `50%` are one number: a percentage equals its decimal, because
the sign says so. The price: where a question asks "how many percent", `50` and `50%` stay apart.
What may be an expression is never read as a number with a unit: `5x` and `5m` are products, `5 m`
and `5km` are lengths. `3,5` and `1 234` are ambiguous and stay text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from memory.identity.answers.fold import MAX_VALUE_CHARS, fold_expression

MAX_EXPONENT = 300
"""`1e999999999` would be a number that fills the memory; beyond this it is text."""

_DECIMAL = r"(?:[0-9]{1,3}(?:[,_][0-9]{3})+|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+"
_SIGNS = "$€£¥₹"
_CURRENCY = rf"US\$|[{_SIGNS}]|(?:USD|EUR|GBP|JPY|INR|CNY|CHF)[ ]|Rs\.?[ ]?"
_QUANTITY = re.compile(
    rf"""(?:≈|~|(?:about|approximately|roughly)[ ])?
    (?:[A-Za-z][ ]?=)?                                  # x = 5
    (?P<sign>[-+]?)(?P<currency>{_CURRENCY})?(?P<sign2>[-+]?)
    (?:(?P<whole>[0-9]+)[ ](?P<part>[0-9]+)/(?P<parts>[0-9]+)
      |(?P<above>{_DECIMAL})/(?P<below>{_DECIMAL})
      |(?:(?P<base>{_DECIMAL})[ ]?[*x][ ]?)?10\^\(?(?P<power>[-+]?[0-9]+)\)?
      |(?P<mantissa>{_DECIMAL})[eE](?P<exponent>[-+]?[0-9]+)
      |(?P<plain>{_DECIMAL})(?:\.$)?
    )(?P<rest>(?![0-9.,^*+/=-]).*)?""",
    re.VERBOSE,
)
_UNIT_WORDS = re.compile(rf"[{_SIGNS}]|(?:[A-Za-zµΩ°]++(?:\^-?[0-9])?[ /*]?){{1,6}}")
_SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9} | {
    "trillion": 10**12,
    "dozen": 12,
}
_MONEY_SCALES = {"k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "bn": 10**9, "T": 10**12}
_PERCENT = re.compile(r" ?(?:%|percent\b|per cent\b)")
_ATTACHED = """km cm mm nm kg mg ml mL dl cl kL hz Hz kHz MHz GHz kW MW kWh mph kph hr hrs min mins
sec secs ms lb lbs oz ft yd mi kJ MJ kN Pa kPa mol eV GB MB KB TB kB dB rpm"""
_ATTACHED_UNITS = frozenset(_ATTACHED.split())
_SINGLE_LETTER_UNITS = frozenset("mgshlLKNJWVACFTdt°Ω" + _SIGNS)
_CHANGES_THE_NUMBER = """a an and or half halves third thirds quarter quarters fourth fourths fifth
fifths eighth tenth tenths to plus minus times over by point squared cubed factorial pi e i am pm ad
bc bce ce sqrt sin cos tan log ln mod than not if through more less either else nor but infty choose
remainder r st nd rd th percentage percentages negative unless except cent cents"""
_DIRECTIONS = """increase increases increased decrease decreases decreased rise fall profit profits
loss losses gain gains win wins up down above below under higher lower fewer late later early
earlier before after ago ahead behind north south east west right"""
"""They turn a number into its opposite. Without `left`, as `14 apples left` is 14: one of two
opposites is enough to keep them apart."""
_NOT_UNITS = frozenset((*_CHANGES_THE_NUMBER.split(), *_DIRECTIONS.split()))
_UNIT_ALIASES = {"$": "dollar", "us$": "dollar", "usd": "dollar", "€": "euro", "eur": "euro"} | {
    "£": "pound sterling", "gbp": "pound sterling", "¥": "yen", "jpy": "yen", "₹": "rupee",
    "inr": "rupee", "rs": "rupee", "kilometer": "km", "kilometre": "km", "meter": "m",
    "metre": "m", "centimeter": "cm", "centimetre": "cm", "millimeter": "mm", "kilogram": "kg",
    "gram": "g", "hour": "h", "hr": "h", "minute": "min", "second": "s", "sec": "s", "liter": "l",
    "litre": "l", "°": "degree",
}  # fmt: skip


@dataclass(frozen=True)
class Quantity:
    """A number and what it counts."""

    value: Fraction
    unit: str
    """Singular, in lower case where that is safe; empty for a pure number."""

    def agrees(self, other: Quantity) -> bool:
        """Equal numbers whose units agree; a missing unit agrees with any."""
        return self.value == other.value and (
            self.unit == other.unit or not self.unit or not other.unit
        )


def parse_quantity(text: str, max_unit_words: int = 4) -> Quantity | None:
    """Read the whole of `text` as one quantity, or return None; never raises."""
    if len(text) > MAX_VALUE_CHARS:
        return None
    match = _QUANTITY.fullmatch(fold_expression(text))
    if match is None:
        return None
    value = _value(match)
    return None if value is None else _with_unit(value, match, max_unit_words)


def _value(match: re.Match[str]) -> Fraction | None:
    """The number itself; None for a zero denominator or an exponent out of reason."""
    if match["parts"]:
        value = _quotient(match["part"], match["parts"])
        value = None if value is None else value + int(match["whole"])
    elif match["below"]:
        value = _quotient(match["above"], match["below"])
    else:
        value = _scientific(match)
    if value is not None and (match["sign"] + match["sign2"]).count("-") == 1:
        value = -value
    return value


def _scientific(match: re.Match[str]) -> Fraction | None:
    digits = match["plain"] or match["mantissa"] or match["base"] or "1"
    power = match["power"] or match["exponent"] or "0"
    if len(power) > 5 or abs(int(power)) > MAX_EXPONENT:
        return None
    return _exact(digits) * Fraction(10) ** int(power)


def _quotient(above: str, below: str) -> Fraction | None:
    divisor = _exact(below)
    return _exact(above) / divisor if divisor else None


def _exact(digits: str) -> Fraction:
    return Fraction(digits.replace(",", "").replace("_", ""))


def _with_unit(value: Fraction, match: re.Match[str], max_words: int) -> Quantity | None:
    rest, currency = match["rest"] or "", (match["currency"] or "").strip(" .")
    if currency and rest in _MONEY_SCALES:
        return Quantity(value * _MONEY_SCALES[rest], _unit_name(currency))
    percent = _PERCENT.match(rest)
    if percent:
        value, rest = value / 100, rest[percent.end() :]
    attached = bool(rest) and not rest.startswith(" ") and not percent
    words = rest.split()
    while words and words[0].lower() in _SCALES and not attached:
        value, words = value * _SCALES[words[0].lower()], words[1:]
    if not _may_be_unit(words, attached, max_words):
        return None
    return Quantity(value, _unit_name(currency or " ".join(words)))


def _may_be_unit(words: list[str], attached: bool, max_words: int) -> bool:
    if not words:
        return True
    unit = " ".join(words)
    if len(words) > max_words or _UNIT_WORDS.fullmatch(unit) is None:
        return False
    parts = re.split(r"[ /*^]|-?[0-9]", unit)
    if any(part.lower() in _NOT_UNITS for part in parts):
        return False
    if any(len(part) == 1 and part not in _SINGLE_LETTER_UNITS for part in parts):
        return False
    return not attached or parts[0] in _ATTACHED_UNITS or parts[0].startswith(("°", *_SIGNS))


def _unit_name(unit: str) -> str:
    name = unit if len(unit) == 1 else unit.casefold()
    if len(name) > 3 and name.endswith("s") and not name.endswith("ss"):
        name = name[:-1]
    return _UNIT_ALIASES.get(name, name)
