"""Purchases at stated prices; a level is one more kind of thing."""

from random import Random

from adaptation.evaluation.suites.solved import Solved, solved
from adaptation.evaluation.suites.suite import Generated, Group
from adaptation.evaluation.suites.words import ITEMS


def draw(rng: Random, level: int) -> Solved:
    """An order of `level` + 1 kinds of things."""
    things = rng.sample(ITEMS, level + 1)
    counts = [rng.randint(2, 9) for _ in things]
    prices = [rng.randint(2, 19) for _ in things]
    stated = " and ".join(
        f"one {one} costs {price} dollars" for (one, _), price in zip(things, prices, strict=True)
    )
    wanted = " and ".join(f"{n} {many}" for n, (_, many) in zip(counts, things, strict=True))
    amounts = [n * price for n, price in zip(counts, prices, strict=True)]
    work = [f"{n}*{p}={n * p}" for n, p in zip(counts, prices, strict=True)]
    return solved(
        f"{stated[0].upper()}{stated[1:]}. How much are {wanted}?",
        f"{'. '.join([*work, *running_sums(amounts)])}.",
        sum(amounts),
        "orders",
    )


def running_sums(amounts: list[int]) -> list[str]:
    """``12+9=21``, ``21+4=25``, ...: the sums on the way to the total."""
    total, work = amounts[0], []
    for amount in amounts[1:]:
        work.append(f"{total}+{amount}={total + amount}")
        total += amount
    return work


SUITE = Generated("orders", Group.IN_DISTRIBUTION, draw, range(1, 4), 3)
