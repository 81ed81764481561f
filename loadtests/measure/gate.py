"""How often the gate errs: exact marks of an adapter, held out in many other ways. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from statistics import mean

from adaptation.learning.examination import WAVE
from adaptation.learning.training.gate import judge_answers
from adaptation.statistics import Interval, mcnemar_one_sided, wilson

DRAWS = 400
"""Ways to hold out, of each adapter."""
ALPHA = 0.05
"""Of McNemar's one-sided test: what is no luck counts as a gain, or as harm."""
USELESS, GAINS, HARMS, NEITHER = "answers nothing right", "gains", "harms", "neither"


@dataclass(frozen=True)
class Judged:
    """One adapter: what it is worth, and how often the gate lets it answer."""

    task: str
    recipe: str
    base: int
    """Right of the questions that the gate never sees."""
    adapted: int
    helped: int
    hurt: int
    asked: int
    accepted: float
    """Share of the ways to hold out in which it is accepted."""
    accepted_by_losses: bool

    @property
    def kind(self) -> str:
        """What the gate should see of it."""
        if self.adapted == 0:
            return USELESS
        if mcnemar_one_sided(self.helped, self.hurt) < ALPHA:
            return GAINS
        return HARMS if mcnemar_one_sided(self.hurt, self.helped) < ALPHA else NEITHER


def acceptance(base: Sequence[bool], adapted: Sequence[bool], held_out: int, rng: Random) -> float:
    """Return how often an adapter with these marks is accepted, whichever neighbours are asked."""
    places = list(range(len(base)))
    verdicts = []
    for _ in range(DRAWS):
        rng.shuffle(places)
        verdicts.append(_is_accepted(base, adapted, places, held_out))
    return mean(verdicts)


def _is_accepted(
    base: Sequence[bool], adapted: Sequence[bool], places: Sequence[int], held_out: int
) -> bool:
    """Ask as an examination does: those held out, then waves where neither has any right."""
    asked = held_out
    while True:
        seen = places[:asked]
        is_last = asked >= len(places) or any(base[place] for place in seen)
        without, with_it = _marks(base, seen), _marks(adapted, seen)
        verdict = judge_answers(without, with_it, is_over=is_last)
        if verdict is not None:
            return verdict.accepted
        asked += WAVE


def _marks(marks: Sequence[bool], places: Sequence[int]) -> Mapping[int, bool]:
    return {place: marks[place] for place in places}


def of_kind(judged: Sequence[Judged], kind: str) -> tuple[float, Interval] | None:
    """Return the share of a kind's adapters that are accepted; None where there is none.

    The interval is Wilson's over adapters, not over draws: those of one adapter are no news.
    """
    mine = [each.accepted for each in judged if each.kind == kind]
    return (mean(mine), wilson(round(sum(mine)), len(mine))) if mine else None
