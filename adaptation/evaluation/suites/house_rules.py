"""House rules: a surcharge and a rounding, in an order, that every tenant has for himself.

The question is an ordinary bill; what the house does with it stands only in solved examples. A
level is one more line of the bill.
"""

from random import Random

from adaptation.evaluation.suites.orders import running_sums
from adaptation.evaluation.suites.solved import Solved, solved
from adaptation.evaluation.suites.words import ITEMS
from adaptation.evaluation.suites.world import Shifted


class HouseRules:
    """Add a fee and round, one before the other."""

    SMALLEST_FEE, LARGEST_FEE = 2, 19
    STEPS = (5, 10)

    def __init__(self, seed: int) -> None:
        rng = Random(f"house rules {seed}")
        self.task = f"house_rules/{seed}"
        self.fee = rng.randint(self.SMALLEST_FEE, self.LARGEST_FEE)
        self.step = rng.choice(self.STEPS)
        self.up = rng.random() < 0.5
        self.fee_first = rng.random() < 0.5

    @property
    def rule(self) -> str:
        """The rule in words, as worked solutions state it."""
        fee, rounding = f"add {self.fee}", f"round {self._direction} to {self.step}"
        first, second = (fee, rounding) if self.fee_first else (rounding, fee)
        return f"Here {first}, then {second}"

    def charge(self, bill: int) -> tuple[int, str]:
        """What a bill becomes, and the work."""
        if self.fee_first:
            rounded = self._rounded(bill + self.fee)
            return rounded, f"{bill}+{self.fee}={bill + self.fee}, {self._direction} {rounded}"
        rounded = self._rounded(bill)
        total = rounded + self.fee
        return total, f"{self._direction} {rounded}, {rounded}+{self.fee}={total}"

    @property
    def _direction(self) -> str:
        return "up" if self.up else "down"

    def _rounded(self, amount: int) -> int:
        below = amount // self.step * self.step
        return below if below == amount or not self.up else below + self.step

    def draw(self, rng: Random, level: int) -> Solved:
        """A bill of `level` lines."""
        lines = [(rng.randint(2, 9), rng.randint(2, 9), rng.choice(ITEMS)[1]) for _ in range(level)]
        amounts = [n * price for n, price, _ in lines]
        work = [*(f"{n}*{price}={n * price}" for n, price, _ in lines), *running_sums(amounts)]
        total, closing = self.charge(sum(amounts))
        asked = " and ".join(f"{n} {things} at {price} dollars" for n, price, things in lines)
        return solved(
            f"What is the bill for {asked}?",
            f"{'. '.join(work)}. {self.rule}: {closing}.",
            total,
            self.task,
        )


SUITE = Shifted("house_rules", HouseRules, range(1, 4), 1)
