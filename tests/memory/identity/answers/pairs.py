"""Pairs of answer texts, equal and unequal by construction: a grammar, not a list.

Every pair is built from values whose equality is known before they are spelled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import islice
from random import Random

Pair = tuple[str, str]
Spell = Callable[[Random], str]


def equal_pairs(count: int, seed: int = 0) -> list[Pair]:
    """Different spellings of one value."""
    return list(islice(_pairs(Random(seed), equal=True), count))


def unequal_pairs(count: int, seed: int = 1) -> list[Pair]:
    """Spellings of two values that are close to each other."""
    return list(islice(_pairs(Random(seed), equal=False), count))


def _pairs(rng: Random, *, equal: bool) -> Iterator[Pair]:
    while True:
        one, other, neighbour = rng.choice(KINDS)(rng)
        pair = one(rng), (other if equal else neighbour)(rng)
        if pair[0] != pair[1]:
            yield pair


def number(value: Fraction, rng: Random) -> str:
    """One of the spellings of a rational number."""
    above, below = value.numerator, value.denominator
    sign = "-" if above < 0 else ""
    size = abs(above)
    times = rng.randint(2, 5)
    forms = [
        f"{above}/{below}",
        f"{sign}\\frac{{{size}}}{{{below}}}",
        f"\\frac{{{above * times}}}{{{below * times}}}",
        f"{sign}\\dfrac{{{size}}}{{{below}}}",
        f"${sign}\\frac{{{size}}}{{{below}}}$",
    ]
    if size > below > 1:
        forms.append(f"{sign}{size // below} {size % below}/{below}")
        forms.append(f"{sign}{size // below}\\frac{{{size % below}}}{{{below}}}")
    if below == 1:
        forms += [f"{above}", f"{above:,}", f"{above}.0", f"{above:,}".replace(",", "{,}")]
        forms += [f"**{above}**", f"{above}.", f"\\({above}\\)", sign.replace("-", "−") + f"{size}"]
    if 10**6 % below == 0:
        decimal = _decimal(value)
        forms += [decimal, decimal + "0" if "." in decimal else decimal]
        forms += [_decimal(value * 100) + "%", _decimal(value * 100) + r"\%"]
        forms.append(f"{_decimal(value / 1000)} \\times 10^{{3}}")
        forms.append(f"{_decimal(value * 10)}e-1")
    return rng.choice(forms)


def _decimal(value: Fraction) -> str:
    digits = 12
    scaled = value * 10**digits
    assert scaled.denominator == 1
    text = f"{abs(scaled.numerator):0{digits + 1}d}"
    part = text[-digits:].rstrip("0")
    return ("-" if value < 0 else "") + text[:-digits] + ("." + part if part else "")


def _rational(rng: Random) -> Fraction:
    return Fraction(rng.randint(-2000, 2000), rng.choice((1, 1, 1, 2, 3, 4, 5, 7, 8, 12, 25)))


def _near(value: Fraction, rng: Random) -> Fraction:
    steps = (1, -1, 10, Fraction(1, 10), Fraction(1, 3), Fraction(1, 10**4))
    others = [value + step for step in steps] + [-value, value * 10, value / 100]
    return rng.choice([other for other in others if other != value])


def rationals(rng: Random) -> tuple[Spell, Spell, Spell]:
    value = _rational(rng)
    near = _near(value, rng)
    return (
        lambda rng: number(value, rng),
        lambda rng: number(value, rng),
        lambda rng: number(near, rng),
    )


UNITS = (
    ("km", "kilometers", "km"),
    ("m", "meters", r"\text{ m}"),
    ("cm", "centimetres", "cm"),
    ("kg", "kilograms", r"\text{ kg}"),
    ("g", "grams", "g"),
    ("h", "hours", "hr"),
    ("min", "minutes", "mins"),
    ("s", "seconds", "sec"),
    ("dollars", "USD", "dollars"),
    ("euros", "EUR", "€"),
    ("MB", "MB", "MB"),
    ("Mb", "Mb", "Mb"),
    ("degrees", "°", r"^\circ"),
    ("m/s", "meters per second", r"\text{ m/s}"),
    ("km/h", "kilometers per hour", r"\text{ km/h}"),
    ("m^2", "square meters", r"\text{ m}^2"),
)


def quantities(rng: Random) -> tuple[Spell, Spell, Spell]:
    value = rng.randint(2, 900)
    unit, other = rng.sample(UNITS, 2)

    def spell(unit: tuple[str, str, str]) -> Spell:
        def spelled(rng: Random) -> str:
            name = rng.choice(unit)
            gap = "" if name[0] in "\\°€^" else " "
            return f"{value}{gap}{name}"

        return spelled

    return spell(unit), spell(unit), spell(other)


def _members(rng: Random, size: int) -> list[Fraction]:
    found: set[Fraction] = set()
    while len(found) < size:
        found.add(Fraction(rng.randint(-40, 40), rng.choice((1, 1, 2, 5))))
    return list(found)


def _listed(members: list[Fraction], rng: Random) -> str:
    gap = rng.choice((", ", ",", r",\,"))
    return gap.join(rng.choice((_decimal(m), str(m), _latex(m))) for m in members)


def _latex(value: Fraction) -> str:
    if value.denominator == 1:
        return str(value)
    sign = "-" if value < 0 else ""
    return f"{sign}\\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def sets(rng: Random) -> tuple[Spell, Spell, Spell]:
    members = _members(rng, rng.randint(2, 4))
    changed = [*members[1:], members[0] + rng.choice((1, -1, Fraction(1, 2), Fraction(1, 10)))]
    if len(set(changed)) < len(members):
        changed = members[1:]

    def spell(of: list[Fraction]) -> Spell:
        def spelled(rng: Random) -> str:
            opens, closes = rng.choice(((r"\{", r"\}"), ("{", "}"), (r"\left\{", r"\right\}")))
            return opens + _listed(rng.sample(of, len(of)), rng) + closes

        return spelled

    return spell(members), spell(members), spell(changed)


def tuples(rng: Random) -> tuple[Spell, Spell, Spell]:
    members = _members(rng, rng.randint(2, 3))
    opens, closes = rng.choice(("()", "[]", "[)", "(]")) if len(members) == 2 else "()"
    swapped = members[::-1]

    def spell(of: list[Fraction]) -> Spell:
        def spelled(rng: Random) -> str:
            left, right = rng.choice((("", ""), (r"\left", r"\right")))
            return f"{left}{opens}{_listed(of, rng)}{right}{closes}"

        return spelled

    return spell(members), spell(members), spell(swapped)


def surds(rng: Random) -> tuple[Spell, Spell, Spell]:
    factor, root = rng.randint(2, 9), rng.choice((2, 3, 5, 6, 7, 10))
    near = factor + rng.choice((-1, 1, 2))

    def spell(factor: int) -> Spell:
        forms = (
            f"{factor}\\sqrt{{{root}}}",
            f"{factor}√{root}",
            f"\\sqrt{{{factor * factor * root}}}",
            f"{factor}\\sqrt {root}" if root < 10 else f"{factor} \\sqrt{{{root}}}",
            f"{factor}*sqrt({root})",
            f"\\frac{{{factor * root}}}{{\\sqrt{{{root}}}}}",
            f"\\sqrt{{{root}}} \\cdot {factor}",
        )
        return lambda rng: rng.choice(forms)

    return spell(factor), spell(factor), spell(near)


def powers(rng: Random) -> tuple[Spell, Spell, Spell]:
    base, exponent = rng.choice((2, 3, 5, 10)), rng.randint(15, 90)
    sign = rng.choice(("", "-"))

    def spell(exponent: int) -> Spell:
        forms = [
            f"{base}^{{{sign}{exponent}}}",
            f"{base}^{{{sign}{exponent}}}.",
            f"{base} \\cdot {base}^{{{sign}{exponent - 1 if not sign else exponent + 1}}}",
        ]
        if sign:
            forms += [f"1/{base}^{{{exponent}}}", f"\\frac{{1}}{{{base}^{{{exponent}}}}}"]
        else:
            forms.append(str(base**exponent))
        return lambda rng: rng.choice(forms)  # fmt: skip

    return spell(exponent), spell(exponent), spell(exponent + 1)


def polynomials(rng: Random) -> tuple[Spell, Spell, Spell]:
    symbol = rng.choice("xyntRr")
    a, b, c = rng.randint(2, 9), rng.randint(1, 9), rng.randint(1, 9)
    other = rng.choice((symbol.swapcase(), "z"))

    def spell(symbol: str, c: int) -> Spell:
        forms = (
            f"{a}{symbol}^2 + {b}{symbol} + {c}",
            f"{c}+{b}{symbol}+{a}{symbol}^{{2}}",
            f"{symbol}({a}{symbol}+{b})+{c}",
            f"{a}{symbol}² + {b} \\cdot {symbol} + {c}",
        )
        return lambda rng: rng.choice(forms)

    return spell(symbol, c), spell(symbol, c), rng.choice((spell(other, c), spell(symbol, c + 1)))


def ratios(rng: Random) -> tuple[Spell, Spell, Spell]:
    one, other = rng.sample("abdmRrTtVv", 2)

    def spell(top: str, bottom: str) -> Spell:
        forms = (f"\\frac{{{top}}}{{{bottom}}}", f"{top}/{bottom}", f"\\dfrac{{{top}}}{{{bottom}}}")
        return lambda rng: rng.choice(forms)

    return spell(one, other), spell(one, other), spell(other, one)


def bounds(rng: Random) -> tuple[Spell, Spell, Spell]:
    value, symbol = rng.randint(-20, 20), rng.choice("xyt")

    def spell(value: int, sign: str, flipped: str) -> Spell:
        forms = (
            f"{symbol} {sign} {value}",
            f"${symbol}{sign}{value}$",
            f"{value} {flipped} {symbol}",
        )
        return lambda rng: rng.choice(forms)

    sign, flipped = rng.choice(((">", "<"), (r"\le", r"\ge"), ("<", ">"), (r"\geq ", r"\leq ")))
    right = spell(value, sign, flipped)
    return right, right, spell(value, flipped, sign)


def _json_value(rng: Random, depth: int = 2) -> object:
    leaves = (rng.randint(-9, 99), rng.choice(("a", "B", "yes", "")), rng.random() < 0.5, None)
    if not depth or rng.random() < 0.4:
        return rng.choice(leaves)
    if rng.random() < 0.5:
        return [_json_value(rng, depth - 1) for _ in range(rng.randint(0, 3))]
    return {key: _json_value(rng, depth - 1) for key in rng.sample("abcdef", rng.randint(1, 3))}


def documents(rng: Random) -> tuple[Spell, Spell, Spell]:
    value = {"k": _json_value(rng), "n": rng.randint(0, 9)}
    other = value | {"n": rng.choice((str(value["n"]), rng.randint(10, 19), None))}

    def spell(value: dict[str, object]) -> Spell:
        def spelled(rng: Random) -> str:
            items = list(value.items())
            rng.shuffle(items)
            return json.dumps(dict(items), indent=rng.choice((None, 2)))

        return spelled

    return spell(value), spell(value), spell(other)


def words(rng: Random) -> tuple[Spell, Spell, Spell]:
    one, other = rng.sample(("Paris", "London", "Tuesday", "Blue", "photosynthesis", "New York"), 2)

    def spell(word: str) -> Spell:
        forms = (word, word.lower(), f"**{word}**", f"{word}.", f"\\text{{{word}}}", f'"{word}"')
        return lambda rng: rng.choice(forms)

    return spell(one), spell(one), spell(other)


def durations(rng: Random) -> tuple[Spell, Spell, Spell]:
    hours, minutes = rng.randint(1, 9), rng.randint(1, 59)

    def spell(minutes: int) -> Spell:
        forms = (
            f"{hours} hours {minutes} minutes",
            f"{hours} h {minutes} min",
            f"{hours} hours and {minutes} minutes",
            f"{60 * hours + minutes} minutes",
        )
        return lambda rng: rng.choice(forms)

    return spell(minutes), spell(minutes), spell(minutes % 59 + 1)


def shares(rng: Random) -> tuple[Spell, Spell, Spell]:
    names = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 8: "eighth", 10: "tenth"}
    counts = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    below = rng.choice((3, 4, 5, 8, 10))
    above = rng.randint(1, below - 1)

    def spell(above: int, below: int) -> Spell:
        name = names[below] + ("s" if above > 1 else "")
        forms = (
            f"{counts[above - 1]} {name}",
            f"{counts[above - 1]}-{name}",
            f"{above} out of {below}",
            f"{above}/{below}",
            f"\\frac{{{above}}}{{{below}}}",
        )
        return lambda rng: rng.choice(forms)

    return spell(above, below), spell(above, below), spell(above, 10 if below < 10 else 8)


def substances(rng: Random) -> tuple[Spell, Spell, Spell]:
    parts = [(element, rng.randint(2, 9)) for element in rng.sample(("C", "H", "O", "Na", "S"), 2)]

    def spell(parts: list[tuple[str, int]]) -> Spell:
        low = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
        forms = (
            "".join(f"{element}{count}" for element, count in parts),
            "".join(f"{element}_{count}" for element, count in parts),
            "".join(f"{element}{str(count).translate(low)}" for element, count in parts),
            "".join(f"\\text{{{element}}}_{{{count}}}" for element, count in parts),
        )
        return lambda rng: rng.choice(forms)

    other = [(parts[0][0], parts[0][1] % 9 + 1), parts[1]]
    return spell(parts), spell(parts), spell(other)


def cased(rng: Random) -> tuple[Spell, Spell, Spell]:
    one, other = rng.choice(
        (("R-r", "r-R"), ("T-t", "t-T"), ("2R", "2r"), ("V=2v+1", "v=2v+1"), ("CO", "Co"),
         ("aBc", "AbC"), ("5 MB", "5 Mb"), ("X+x", "2x"), ("NO_2", "No_2"), ("mV", "MV"),
         ("A+2a", "a+2A"), ("3T/t", "3t/T"), ("n=Nk", "N=nk"), ("PbS", "pBs"))
    )  # fmt: skip

    def spell(text: str) -> Spell:
        forms = (text, f"${text}$", f"\\({text}\\)", f" {text} ", f"**{text}**")
        return lambda rng: rng.choice(forms)

    return spell(one), spell(one), spell(other)


KINDS = (
    *(rationals, rationals, rationals, quantities, quantities, sets, tuples, surds, powers),
    *(polynomials, ratios, bounds, documents, words, cased, durations, shares, substances),
)
