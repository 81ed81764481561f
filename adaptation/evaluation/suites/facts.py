"""Facts: a price list that no question states; a level is one more thing asked for."""

from random import Random

from adaptation.evaluation.suites.orders import running_sums
from adaptation.evaluation.suites.solved import Solved, solved
from adaptation.evaluation.suites.words import ITEMS
from adaptation.evaluation.suites.world import Shifted


class Facts:
    """Five things and what each costs: "How much are 3 pens and 2 cups?"."""

    ITEMS = 5
    CHEAPEST, DEAREST = 2, 9

    def __init__(self, seed: int) -> None:
        rng = Random(f"facts {seed}")
        names = [plural for _, plural in rng.sample(ITEMS, self.ITEMS)]
        self.task = f"facts/{seed}"
        self.price = {name: rng.randint(self.CHEAPEST, self.DEAREST) for name in names}

    def draw(self, rng: Random, level: int) -> Solved:
        """A question about `level` different things."""
        bought = [(rng.randint(2, 9), name) for name in rng.sample(list(self.price), level)]
        prices = [self.price[name] for _, name in bought]
        amounts = [n * p for (n, _), p in zip(bought, prices, strict=True)]
        work = [
            f"{name} cost {p}: {n}*{p}={n * p}."
            for (n, name), p in zip(bought, prices, strict=True)
        ]
        sums = ", ".join(running_sums(amounts))
        return solved(
            f"How much are {' and '.join(f'{n} {name}' for n, name in bought)}?",
            f"Here {' Then '.join(work)}" + (f" In all {sums}." if sums else ""),
            sum(amounts),
            self.task,
        )


SUITE = Shifted("facts", Facts, range(1, 4), 2)
