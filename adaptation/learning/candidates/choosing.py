"""Choosing what a generation learns from, by a policy that the bandit draws."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from adaptation.learning.candidates.bandit import Worth, drawn, propensities, worths
from adaptation.learning.candidates.policies import ALL, EASIEST, HARDEST, Policy, chosen
from memory.types import Frozen, Record
from memory.versions.candidates import Candidate, Scores, Selection, content_of

FEWEST = 64
"""Records below which all are learned from: half of them would be too few."""
Mix = Callable[[Sequence[Record]], Sequence[Record]]
"""Leaves out the practice that is too much."""


class Told(Frozen):
    """Scores of some records in short; None of none."""

    records: int
    frontier: float | None
    """Share of those asked that the base gets right at times."""
    perplexity: float
    """Medians, as those below."""
    novelty: float
    influence: float
    tokens: float


class Choice(Frozen):
    """How a generation chose, fit for its report."""

    policy: str
    propensity: float
    """The chance that this policy had; 1 where nothing was drawn."""
    propensities: dict[str, float]
    chosen: Told
    left_out: Told | None
    """None where nothing was."""
    past: tuple[Worth, ...]
    """What each policy came to before."""

    def logged(
        self, tenant: str, base_model: str, adapter_id: str, *, served: bool, gain: float
    ) -> Selection:
        """Return what the log keeps of it; `served` says whether an adapter had to be beaten."""
        return Selection(
            tenant=tenant,
            base_model=base_model,
            adapter_id=adapter_id,
            policy=self.policy,
            propensity=self.propensity,
            propensities=self.propensities,
            served=served,
            gain=gain,
        )


@dataclass(frozen=True)
class Picked:
    """What was considered, and what was chosen of it."""

    considered: tuple[Record, ...]
    scores: tuple[Scores, ...]
    places: tuple[int, ...]
    """Places of what was chosen, in order."""
    choice: Choice
    served: bool

    @property
    def rates(self) -> dict[str, float]:
        """Pass rates of the base, of the records that it was asked about."""
        pairs = zip(self.considered, self.scores, strict=True)
        return {r.id: each.difficulty for r, each in pairs if each.difficulty is not None}

    def candidates(self, tenant: str, base_model: str, adapter_id: str) -> list[Candidate]:
        """Return what is kept of each record."""
        taken = set(self.places)
        return [
            Candidate(
                tenant=tenant,
                base_model=base_model,
                adapter_id=adapter_id,
                record_id=record.id,
                content=content_of(record),
                chosen=place in taken,
                scores=scores,
            )
            for place, (record, scores) in enumerate(zip(self.considered, self.scores, strict=True))
        ]


def pick(
    records: Sequence[Record],
    scores: Sequence[Scores],
    log: Sequence[Selection],
    *,
    served: bool,
    least: int,
    seed: str,
    policy: Policy | None = None,
    mix: Mix = tuple,
) -> Picked:
    """Choose by `policy`, or by one that is drawn: the same `seed` and log draw the same one."""
    if policy is None and len(records) < FEWEST:
        policy = ALL
    chances = propensities(log, served=served) if policy is None else {policy: 1.0}
    name = policy or drawn(chances, random.Random(f"{seed} {len(log)}").random())
    places = _of_each_kind(name, records, scores, least)
    kept = {record.id for record in mix([records[place] for place in places])}
    places = [place for place in places if records[place].id in kept]
    left = sorted(set(range(len(records))) - set(places))
    choice = Choice(
        policy=name,
        propensity=chances[name],
        propensities={str(name): chance for name, chance in chances.items()},
        chosen=told([scores[place] for place in places]),
        left_out=told([scores[place] for place in left]) if left else None,
        past=worths(log),
    )
    return Picked(tuple(records), tuple(scores), tuple(places), choice, served)


def _of_each_kind(
    policy: Policy, records: Sequence[Record], scores: Sequence[Scores], least: int
) -> list[int]:
    """Return the places of what a policy chooses, in order: of what people asked, of what
    generators drew and of what the model wrote each its part, so that none crowds out another.
    """
    kinds: dict[tuple[bool, bool], list[int]] = defaultdict(list)
    for place, record in enumerate(records):
        kinds[record.source.is_real, record.source.is_written_by_model].append(place)
    found: list[int] = []
    for places in kinds.values():
        part = math.ceil(least * len(places) / len(records))
        found += [places[i] for i in chosen(policy, [scores[place] for place in places], part)]
    return sorted(found)


def told(scores: Sequence[Scores]) -> Told:
    """Return scores in short."""
    rates = [each.difficulty for each in scores if each.difficulty is not None]
    return Told(
        records=len(scores),
        frontier=fmean(HARDEST <= rate <= EASIEST for rate in rates) if rates else None,
        perplexity=median(each.perplexity for each in scores),
        novelty=median(each.novelty for each in scores),
        influence=median(each.influence for each in scores),
        tokens=median(each.tokens for each in scores),
    )
