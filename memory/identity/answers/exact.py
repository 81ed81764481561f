"""Exact sums of products: what an expression is worth, without a rounding.

A value is a sum of terms, each a rational coefficient times powers of atoms. Atoms are symbols, the
primes under a root (√8 is 2·2^½) and whatever cannot be taken apart, by its own spelling. The form
is unique for what it covers, since roots of different primes are independent of each other; what it
does not cover keeps two forms of one value apart, and never brings two values together.

Nothing here may grow: sizes and steps are bounded, and `UnreadableError` says that one was reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import factorial, floor, isqrt

Atom = int | str
"""A prime, or a name."""
Power = Fraction | int
"""A whole one is an int: it is equal to the Fraction, and hashed in a tenth of the time."""
Product = tuple[tuple[Atom, Power], ...]
"""Atoms and their powers, in one order."""
Terms = Mapping[Product, Fraction]

MAX_BITS = 4096
"""Most bits of a coefficient. 2^100000 keeps its exponent instead."""
MAX_STEPS = 300
"""Multiplications for one value that stands alone."""
MAX_FACTORIAL = 300
_ONE = Fraction(1)
_TRIAL_DIVISORS = (2, *range(3, 1000, 2))


class UnreadableError(Exception):
    """A text is no value that can be told exactly."""


def constant(value: Fraction | int) -> Terms:
    """A rational number."""
    return {(): Fraction(value)} if value else {}


def atom(name: str) -> Terms:
    """Something that is only equal to itself."""
    return {((name, 1),): _ONE}


def rational(terms: Terms) -> Fraction | None:
    """The number, where it is a rational one."""
    if not terms:
        return Fraction(0)
    return terms.get(()) if len(terms) == 1 else None


def spelled(terms: Terms) -> str:
    """The one spelling of a value; of a rational number the one of `Fraction`."""
    number = rational(terms)
    if number is not None:
        return str(number)
    return "+".join(sorted(_term(product, factor) for product, factor in terms.items()))


def _term(product: Product, factor: Fraction) -> str:
    parts = [_power(name, power) for name, power in product]
    return "*".join(parts if factor == 1 and parts else [str(factor), *parts])


def _power(name: Atom, power: Power) -> str:
    if power == 1:
        return str(name)
    return f"{name}^{power}" if power.denominator == 1 and power > 0 else f"{name}^({power})"


class Calculator:
    """Combines values for one text, within its bounds."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._left = steps

    @property
    def is_spent(self) -> bool:
        """Whether its steps are used up."""
        return self._left < 0

    def _step(self, count: int = 1) -> None:
        self._left -= count
        if self._left < 0:
            raise UnreadableError("it takes too long")

    def add(self, one: Terms, other: Terms) -> Terms:
        """Return the sum."""
        self._step(1 + len(other))
        total = dict(one)
        for product, factor in other.items():
            _add_to(total, product, factor)
        return total

    def negate(self, terms: Terms) -> Terms:
        """Return the negative."""
        return {product: -factor for product, factor in terms.items()}

    def multiply(self, one: Terms, other: Terms) -> Terms:
        """Return the product."""
        self._step(1 + len(one) * len(other))
        total: dict[Product, Fraction] = {}
        for left, a in one.items():
            for right, b in other.items():
                product, factor = _joined(left, right)
                value = b if a is _ONE else a if b is _ONE else _bounded(a * b)
                _add_to(total, product, value if factor is _ONE else _bounded(value * factor))
        return total

    def divide(self, one: Terms, other: Terms) -> Terms:
        """Return the quotient."""
        return self.multiply(one, self.power(other, Fraction(-1)))

    def factorial(self, terms: Terms) -> Terms:
        """Return n!, of a whole number that is small; else as it stands."""
        number = rational(terms)
        if number is None or number.denominator > 1 or not 0 <= number <= MAX_FACTORIAL:
            return atom(f"({spelled(terms)})!")
        return constant(factorial(int(number)))

    def power(self, base: Terms, exponent: Fraction) -> Terms:
        """Return a power with a rational exponent; 1/0 is unreadable."""
        self._step(1 if exponent.denominator == 1 else 25)
        if not base:
            if exponent <= 0:
                raise UnreadableError("no power of zero")
            return {}
        if len(base) == 1:
            ((product, factor),) = base.items()
            return self.multiply(_power_of_number(factor, exponent), _power_of(product, exponent))
        if exponent.denominator == 1 and 0 <= exponent <= 8:
            result = constant(1)
            for _ in range(int(exponent)):
                result = self.multiply(result, base)
            return result
        if exponent.denominator > 1:
            return {((f"({spelled(base)})", exponent),): Fraction(1)}
        leading = base[min(base, key=str)]
        monic = {product: factor / leading for product, factor in base.items()}
        return self.multiply(
            _power_of_number(leading, exponent),
            {((f"({spelled(monic)})", exponent),): Fraction(1)},
        )


def _add_to(total: dict[Product, Fraction], product: Product, factor: Fraction) -> None:
    value = total.get(product)
    value = factor if value is None else value + factor
    if value:
        total[product] = value
    else:
        total.pop(product, None)


def _joined(left: Product, right: Product) -> tuple[Product, Fraction]:
    """Multiply two products; whole powers of primes go to the coefficient."""
    if not left or not right:
        return left or right, _ONE
    powers = dict(left)
    for name, power in right:
        powers[name] = powers[name] + power if name in powers else power
    return _normal(powers)


def _normal(powers: Mapping[Atom, Power]) -> tuple[Product, Fraction]:
    factor = _ONE
    kept: list[tuple[Atom, Power]] = []
    for name, power in powers.items():
        whole = floor(power) if isinstance(name, int) else 0
        if whole and isinstance(name, int) and abs(whole) * name.bit_length() <= MAX_BITS:
            factor *= Fraction(name) ** whole
            power -= whole
        if power:
            kept.append((name, power.numerator if power.denominator == 1 else power))
    ordered = tuple(sorted(kept, key=lambda each: (str(each[0]), each[1])))
    return ordered, factor if factor is _ONE else _bounded(factor)


def _power_of(product: Product, exponent: Fraction) -> Terms:
    """A power of atoms; a root of several, or of a square, is not taken apart: √(x²) is |x|."""
    is_alone = len(product) == 1 and product[0][1] == 1
    if exponent.denominator == 1 or not product or is_alone:
        powers: dict[Atom, Power] = {name: power * exponent for name, power in product}
        kept, factor = _normal(powers)
        return {kept: factor}
    return {((f"({spelled({product: Fraction(1)})})", exponent),): Fraction(1)}


def _power_of_number(base: Fraction, exponent: Fraction) -> Terms:
    if exponent.denominator == 1:
        bits = max(base.numerator.bit_length(), base.denominator.bit_length())
        if abs(exponent) * bits <= MAX_BITS:
            return constant(base**exponent.numerator)
        sign = -1 if base < 0 and exponent.numerator % 2 else 1
        return _power_of_primes(abs(base), exponent, sign)
    if base < 0:
        if exponent.denominator % 2 == 0:
            return {((f"({base})", exponent),): Fraction(1)}
        return _power_of_primes(-base, exponent, -1 if exponent.numerator % 2 else 1)
    return _power_of_primes(base, exponent, 1)


def _power_of_primes(base: Fraction, exponent: Fraction, sign: int) -> Terms:
    powers: dict[Atom, Fraction] = {}
    for number, direction in ((base.numerator, 1), (base.denominator, -1)):
        for prime, count in _factors(number):
            powers[prime] = powers.get(prime, Fraction(0)) + direction * count * exponent
    product, factor = _normal(powers)
    return {product: sign * factor}


def _factors(number: int) -> list[tuple[int, int]]:
    """Primes and their powers; what is left of a large number counts as one."""
    if number.bit_length() > 512:
        raise UnreadableError("too large to take apart")
    found: list[tuple[int, int]] = []
    for prime in _TRIAL_DIVISORS:
        count = 0
        while number % prime == 0:
            number //= prime
            count += 1
        if count:
            found.append((prime, count))
        if prime * prime > number:
            break
    if number > 1:
        root = isqrt(number)
        found.append((root, 2) if root * root == number else (number, 1))
    return found


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MAX_BITS:
        raise UnreadableError("too large")
    return value
