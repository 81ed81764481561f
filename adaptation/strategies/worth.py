"""What going on is worth where a vote is in doubt: expected gain less cost, from what was seen.

Pure. A trial helped, hurt or neither; the expected net gain of a strategy is

    (helped + a) / (n + w) - (hurt + b) / (n + w)

with a documented prior of w trials, of which a helped and b hurt. A tenant's own trials stand
beside the prior, those on questions like this one beside the tenant's. Cost is in samples of this
question, each at the price in accuracy that the server's stopping rule puts on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adaptation.evidence import Known
from adaptation.options import Strategy
from memory.history.ledger import Seen

TRAINED = 0.25
"""What training on a token costs beside generating one: it is computed in parallel."""
STRENGTH = 10.0
"""Trials that a prior counts for beside what was seen."""
SURE = 0.5
"""Share of the trials near a question that a strategy helped, above which no vote goes before."""
ENOUGH = 5
"""Helped or hurt trials of which a majority that hurt pauses a strategy."""


@dataclass(frozen=True)
class Worth:
    """What is expected of a strategy on a question whose vote is in doubt."""

    helps: float
    """Probability that it turns a wrong answer into a right one; likewise below."""
    hurts: float
    samples: float
    """What an answer costs: so many samples of the question have as many tokens."""
    is_paused: bool = False
    """Whether it has hurt more than it helped here."""

    @property
    def gain(self) -> float:
        """Expected change of the accuracy."""
        return self.helps - self.hurts

    def seen(self, trials: Seen, per_sample: float) -> Worth:
        """Return what is expected after these trials; samples now have `per_sample` tokens."""
        n, samples = trials.paired, self.samples
        if trials.asked and per_sample:
            spent = (trials.tokens + TRAINED * trials.trained_tokens) / per_sample
            samples = (STRENGTH * samples + spent) / (STRENGTH + trials.asked)
        decided = trials.helped + trials.hurt
        return Worth(
            helps=(STRENGTH * self.helps + trials.helped) / (STRENGTH + n),
            hurts=(STRENGTH * self.hurts + trials.hurt) / (STRENGTH + n),
            samples=samples,
            is_paused=trials.hurt > trials.helped if decided >= ENOUGH else self.is_paused,
        )

    def value(self, price: float) -> float:
        """Return the expected gain less the cost of so many samples, in accuracy."""
        return self.gain - price * self.samples


PRIOR: Mapping[Strategy, Worth] = {
    Strategy.TTT: Worth(helps=0.40, hurts=0.02, samples=40.0),
    Strategy.DEMONSTRATIONS: Worth(helps=0.10, hurts=0.05, samples=10.0),
}
"""Measured on unseen worlds with both models (docs/measured/claims.md), on questions like those in
memory: training turned 40 to 90 % of the answers that votes had wrong, the same neighbours as
demonstrations 0 to 20 %. The gate and the doubt keep small what they hurt in distribution."""


def expected(
    ways: Iterable[Strategy], known: Known, per_sample: float = 0.0
) -> dict[Strategy, Worth]:
    """Return what is expected of ways to go on; samples have `per_sample` tokens, 0: not known."""
    return {
        way: PRIOR[way]
        .seen(known.of_tenant.get(way, Seen()), per_sample)
        .seen(known.near.get(way, Seen()), per_sample)
        for way in ways
    }


def proven(ways: Iterable[Strategy], known: Known) -> Strategy | None:
    """Return the way that surely helps on questions like this one, None where none does.

    It turned more than half of them right, of `ENOUGH` at least, that a vote had wrong. What is
    done at once stands beside no vote: so most of all that were judged have to be right, too.
    """
    gains = {way: known.near.get(way, Seen()) for way in ways}
    sure = [
        way
        for way, seen in gains.items()
        if seen.paired >= ENOUGH
        and seen.helped - seen.hurt > SURE * seen.paired
        and seen.right >= SURE * seen.judged
    ]
    return max(sure, key=lambda way: gains[way].helped / gains[way].paired, default=None)


def least_tried(ways: Iterable[Strategy], known: Known) -> Strategy:
    """Return the way of whose worth to the tenant least is known, of equals the first."""
    return min(ways, key=lambda way: known.of_tenant.get(way, Seen()).paired)


def best(worths: Mapping[Strategy, Worth], price: float = 0.0) -> list[Strategy]:
    """Return the ways that are worth their cost, the best first; paused ones are out.

    `price` is what a sample costs, in accuracy.
    """
    values = {way: worth.value(price) for way, worth in worths.items() if not worth.is_paused}
    ranked = sorted(values, key=lambda way: values[way], reverse=True)
    return [way for way in ranked if values[way] > 0]
