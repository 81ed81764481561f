"""The votes a stopping rule decides on: who agrees with whom, whatever the answers are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from math import comb


@dataclass(frozen=True)
class Ballots:
    """Votes in the order of their arrival."""

    order: tuple[int, ...] = ()
    """Which answer each vote was for; answers are numbered by their first vote."""

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Votes of each answer, most first."""
        return tuple(sorted(Counter(self.order).values(), reverse=True))

    @property
    def total(self) -> int:
        """Votes cast."""
        return len(self.order)

    @property
    def top_two(self) -> tuple[int, int]:
        """The votes of the leader and of the runner-up, 0 where there is none."""
        first, second, *_ = *self.counts, 0, 0
        return first, second

    def and_for_the_leader(self, more: int) -> Ballots:
        """Return these votes with `more` added for the leading answer.

        Without any vote the added ones are for a first answer.
        """
        ranked = Counter(self.order).most_common(1)
        leader = ranked[0][0] if ranked else 0
        return Ballots((*self.order, *[leader] * more))


def leader_probability(leader: int, runner_up: int) -> float:
    """Return P(p > ½) for the leader's share p of the two's votes, from a uniform prior.

    That is 1 − I_½(a + 1, b + 1), which for whole a and b is a binomial tail,
    P(Binomial(a + b + 1, ½) ≤ a), exact in integers.
    """
    trials = leader + runner_up + 1
    return float(sum(comb(trials, k) for k in range(leader + 1)) / 2**trials)
