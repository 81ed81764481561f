"""Units: one name for each, however it is written; `km/h` and `kilometers per hour` are one.

What measures is a unit and part of an answer: 5 km are no 5 m, $5 no €5. What is merely counted
(14 apples, 14 students) is the question's matter and no unit; nor are units converted: 60 minutes
and 1 hour stay apart, as do the answers of two samples that were asked for either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from memory.identity.answers.words import words

_EXACT = """m cm mm km nm µm dm ; g kg mg µg ; s ms ns min h ; L mL dL cL kL ; Hz kHz MHz GHz ;
W kW MW GW mW kWh Wh ; J kJ MJ cal kcal eV keV MeV ; N kN mN Pa kPa MPa atm bar mmHg ; K C V mV kV A
mA F T Ω kΩ ; mol mmol ; B KB kB MB GB TB PB b kb Mb Gb KiB MiB GiB ; dB rpm ; lb lbs oz ft yd mi
in ; mph kph mpg ; °C °F ° ; $ € £ ¥ ₹ ₽ ₩ ₺ ₫ ₱ ₦ ฿ ₪ ₴ ₿ ; rad sr ;
hr hrs mins sec secs wk yr yrs bps Mbps Gbps px ; M ha ;
ppm ppb psi lx lm Bq Sv nmi mcg cc Nm kn ; kgs Kg KG Km KM"""
"""Symbols, whose case counts; `MB` is no `Mb`."""
_WORDS = {
    "m": "meter metre", "cm": "centimeter centimetre", "mm": "millimeter millimetre",
    "km": "kilometer kilometre", "µm": "micrometer micrometre", "nm": "nanometer nanometre",
    "g": "gram gramme", "kg": "kilogram kilo", "mg": "milligram", "t": "tonne", "ton": "ton",
    "s": "second sec", "ms": "millisecond", "min": "minute min", "h": "hour hr", "day": "day",
    "week": "week wk", "month": "month", "year": "year yr", "decade": "decade",
    "century": "century centurie", "L": "liter litre l", "mL": "milliliter millilitre ml",
    "in": "inch inche", "ft": "foot feet", "yd": "yard", "mi": "mile", "acre": "acre",
    "ha": "hectare", "lb": "pound lb", "oz": "ounce", "gal": "gallon", "pint": "pint",
    "quart": "quart", "cup": "cup", "tbsp": "tablespoon tbsp", "tsp": "teaspoon tsp",
    "mi/h": "mph", "km/h": "kph kmh kmph", "N": "newton", "J": "joule", "kJ": "kilojoule",
    "W": "watt", "kW": "kilowatt", "Wh": "watthour", "kWh": "kilowatthour",
    "V": "volt", "A": "ampere amp",
    "Ω": "ohm", "Pa": "pascal", "kPa": "kilopascal", "Hz": "hertz", "K": "kelvin", "C": "coulomb",
    "mol": "mole", "cal": "calorie", "kcal": "kilocalorie", "B": "byte", "b": "bit",
    "KB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte", "rad": "radian",
    "degree": "degree deg", "USD": "dollar usd buck", "EUR": "euro eur", "GBP": "gbp",
    "JPY": "yen jpy", "INR": "rupee inr", "CNY": "yuan cny rmb", "CHF": "chf franc",
    "RUB": "ruble rouble", "KRW": "won krw", "MXN": "peso mxn", "cent": "cent penny pennie pence",
    "CAD": "cad", "AUD": "aud", "knot": "knot",
    "F": "farad", "H": "henry henrie", "T": "tesla", "eV": "electronvolt", "lx": "lux",
    "lm": "lumen", "Bq": "becquerel", "Sv": "sievert", "dB": "decibel", "px": "pixel",
    "pc": "parsec", "rev": "revolution", "nmi": "nmi", "millennium": "millennium millennia",
} | {
    name: name for name in words(
        """furlong fathom torr gauss carat arcminute arcsecond horsepower btu fortnight bushel peck
        nickel dime krona zloty lira baht dong rand dirham dinar shekel bitcoin rupiah ringgit riyal
        naira shilling guilder"""
    )
}  # fmt: skip
"""Long names, singular."""
_PHRASES = {
    ("light", "year"): "ly", ("nautical", "mile"): "nmi", ("fluid", "ounce"): "floz",
    ("fl", "oz"): "floz", ("metric", "ton"): "t", ("astronomical", "unit"): "AU",
    ("watt", "hour"): "Wh", ("kilowatt", "hour"): "kWh",
}  # fmt: skip
"""Two words that are one unit: a `light year` is no year."""
_PREFIXES = {
    "pico": "p", "nano": "n", "micro": "µ", "milli": "m", "centi": "c", "deci": "d", "kilo": "k",
    "mega": "M", "giga": "G", "tera": "T",
}  # fmt: skip
_PREFIXED = words(
    """meter metre gram gramme second liter litre watt volt ampere amp ohm hertz joule newton
    pascal byte bit calorie electronvolt mole farad henry tesla coulomb parsec watthour becquerel
    sievert"""
)
_SAME = {"lbs": "lb", "hr": "h", "hrs": "h", "mins": "min", "sec": "s", "secs": "s"} | {
    "wk": "week", "yr": "year", "yrs": "year", "mph": "mi/h", "kph": "km/h", "kB": "KB",
    "mcg": "µg", "cc": "cm^3", "Nm": "N*m", "psi": "lb/in^2", "rpm": "rev/min", "kn": "knot",
    "kgs": "kg", "Kg": "kg", "KG": "kg", "Km": "km", "KM": "km",
    "°": "degree", "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR",
    "₽": "RUB", "₩": "KRW", "₺": "TRY", "₫": "VND", "₱": "PHP", "₦": "NGN", "฿": "THB", "₪": "ILS",
    "₴": "UAH", "₿": "bitcoin",
}  # fmt: skip
SIGNS: Mapping[str, str] = MappingProxyType({sign: _SAME[sign] for sign in "$€£¥₹₽₩₺₫₱₦฿₪₴₿"})
CODES = frozenset(
    words(
        """USD EUR GBP JPY INR CNY CHF CAD AUD RUB KRW MXN NZD HKD SGD BRL ZAR SEK NOK DKK PLN TRY
        THB TWD VND PHP NGN ILS UAH"""
    )
)
_SYMBOLS = {name: _SAME.get(name, name) for name in _EXACT.replace(";", " ").split()}
_NAMES = {word: unit for unit, names in _WORDS.items() for word in names.split()}
_NAMES = {
    prefix + name: _SAME.get(sign + _NAMES[name], sign + _NAMES[name])
    for prefix, sign in _PREFIXES.items()
    for name in _PREFIXED
} | _NAMES
_POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_AFTER = {"squared": 2, "cubed": 3}
_DEGREES = {"celsius": "°C", "centigrade": "°C", "fahrenheit": "°F", "kelvin": "K", "c": "°C"} | {
    "f": "°F"
}
AMBIGUOUS = frozenset("mgshLlKNJWVACFTtBbMΩ")
"""Letters that are units after a space (5 m) and symbols without one (5m)."""
_EXPONENT = re.compile(r"\{(-?[0-9]{1,2})\}|(-?[0-9]{1,2})(?![0-9])")


def unit_name(word: str) -> str | None:
    """The unit a single word names, if it does."""
    if word in _SYMBOLS:
        return _SYMBOLS[word]
    if word in CODES:
        return word
    name = word.lower()
    if len(word) <= 2 and name not in ("ft", "hr", "yr", "lb", "l", "ml"):
        return None
    found = _NAMES.get(name)
    return found or (_NAMES.get(name[:-1]) if name.endswith("s") else None)


def read_unit(words: Sequence[str]) -> tuple[str, int]:
    """The unit that `words` begin with, and how many of them it takes; empty and 0 without one.

    Words are names, `/`, `*`, `per`, `^` and whole numbers.
    """
    powers: dict[str, int] = {}
    taken, direction = 0, 1
    place = 0
    while place < len(words):
        found = _factor(words, place)
        if found is None:
            break
        name, power, place = found
        powers[name] = powers.get(name, 0) + direction * power
        taken, direction = place, 1
        if place < len(words) and words[place] in ("/", "per", "*", "a"):
            direction = 1 if words[place] == "*" else -1
            place += 1
            if place < len(words) and words[place - 1] == "per" and words[place] in ("a", "an"):
                place += 1
        elif not (place < len(words) and powers and _is_symbol(words[place])):
            break
    return _written(powers), taken


def _is_symbol(word: str) -> bool:
    return word in ("N", "m", "kW", "h", "s", "A", "V", "K", "mol") or word == "hours"


def _phrase(words: Sequence[str], place: int) -> tuple[str, int] | None:
    """The unit of two words that begins here, hyphenated or not, and the place after it."""
    after = place + 1 + (words[place + 1 : place + 2] == ["-"])
    if after >= len(words):
        return None
    unit = _PHRASES.get((words[place].lower(), words[after].lower().removesuffix("s")))
    return (unit, after + 1) if unit else None


def _factor(words: Sequence[str], place: int) -> tuple[str, int, int] | None:
    power = _POWERS.get(words[place].lower(), 0)
    at = place + bool(power)
    name, at = _phrase(words, at) or (unit_name(words[at]) if at < len(words) else None, at + 1)
    if name is None:
        return None
    if name == "lb" and at < len(words) and words[at].lower() == "sterling":
        name, at = "GBP", at + 1
    if name == "degree" and at < len(words) and words[at].lower() in _DEGREES:
        name, at = _DEGREES[words[at].lower()], at + 1
    if at < len(words) and words[at].lower() in _AFTER:
        power, at = _AFTER[words[at].lower()], at + 1
    elif at + 1 < len(words) and words[at] == "^":
        found = _EXPONENT.match("".join(words[at + 1 : at + 5]))
        if found:
            power = int(found[1] or found[2])
            at += 1 + (3 if found[1] else 1) + found[0].count("-")
    return name, power or 1, at


def _written(powers: Mapping[str, int]) -> str:
    above = sorted(_raised(name, power) for name, power in powers.items() if power > 0)
    below = sorted(_raised(name, -power) for name, power in powers.items() if power < 0)
    return "*".join(above) + "".join(f"/{name}" for name in below)


def _raised(name: str, power: int) -> str:
    return name if power == 1 else f"{name}^{power}"
