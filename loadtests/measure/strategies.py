"""Each strategy beside a vote of as many tokens, and `auto` beside the best of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np

from adaptation.evaluation.contrast import contrast, match
from adaptation.evaluation.results import Results
from adaptation.evaluation.trial import Trial
from adaptation.statistics import Interval
from adaptation.strategies.worth import TRAINED

VOTES = ("one", "vote-2", "vote-4", "vote-8", "vote")
"""Fixed votes, from which one of any number of tokens is estimated."""
SINGLE = (
    "consistency", "demonstrations", "ttt", "best_of_n", "refine", "debate", "decompose",
)  # fmt: skip
CHECKED = ("reflexion", "retry")
"""Those that a verifier tells the truth: only comparable with each other."""
BASELINES = ("consistency", "retry")
"""Of the strategies, and of those that are `CHECKED`."""
NEAR, SHARE = 0.02, 0.60
"""How near `auto` has to come to the best, and at which part of its tokens and seconds."""


@dataclass(frozen=True)
class Row:
    """One strategy on one suite."""

    suite: str
    arm: str
    asked: int
    right: float
    tokens: float
    """Generated, and a part of those trained on; a mean."""
    seconds: float
    equal_votes: float | None
    """Accuracy of a fixed vote of as many tokens, by interpolation; None for `CHECKED`."""
    against: Interval
    """Accuracy less that of `consistency` (of `retry` for `reflexion`), paired."""
    helped: int
    hurt: int

    @property
    def is_baseline(self) -> bool:
        """Whether others are measured by it."""
        return self.arm in BASELINES

    @property
    def wins(self) -> bool:
        """Whether it surely beats its baseline, and a vote of as many tokens."""
        beats_votes = self.equal_votes is None or self.right > self.equal_votes
        return self.against.low > 0 and beats_votes


@dataclass(frozen=True)
class AutoAgainstBest:
    """`auto` and the best single strategy of each suite, over all of them."""

    right: float
    best: float
    tokens: float
    """Of `auto`, as a share of the best's; likewise below."""
    seconds: float
    chosen: tuple[str, ...]
    """The best of each suite."""

    @property
    def met(self) -> bool:
        """Whether `auto` is near the best at a part of its cost."""
        return self.right >= self.best - NEAR and max(self.tokens, self.seconds) <= SHARE


def rows(results: Results) -> list[Row]:
    """Return a row for every suite and strategy that was asked."""
    arms = [*SINGLE, "auto", *CHECKED]
    pairs = [(suite, arm) for suite in results.suites() for arm in arms]
    return [_row(results, suite, arm) for suite, arm in pairs if results.of_arm(suite, arm)]


def auto_against_best(results: Results) -> AutoAgainstBest | None:
    """Compare on the questions that both were asked, over all suites together.

    None where there are none.
    """
    auto: list[Trial] = []
    best: list[Trial] = []
    chosen: list[str] = []
    for suite in results.suites():
        mine = results.of_arm(suite, "auto")
        pairs = {arm: match(mine, results.of_arm(suite, arm)) for arm in SINGLE}
        worth = {arm: _worth([other for _, other in some]) for arm, some in pairs.items() if some}
        if not worth:
            continue
        arm = max(worth, key=lambda arm: worth[arm])
        auto += [trial for trial, _ in pairs[arm]]
        best += [other for _, other in pairs[arm]]
        chosen.append(f"{suite}: {arm}")
    if not auto:
        return None
    return AutoAgainstBest(
        right=_right(auto),
        best=_right(best),
        tokens=mean(map(spent, auto)) / mean(map(spent, best)),
        seconds=mean(t.seconds for t in auto) / mean(t.seconds for t in best),
        chosen=tuple(chosen),
    )


def spent(trial: Trial) -> float:
    """Return what a trial cost, in generated tokens."""
    return trial.generated_tokens + TRAINED * trial.training_tokens


def votes_of(results: Results, suite: str, tokens: float) -> float | None:
    """Return the accuracy of a fixed vote of so many tokens; None without votes to go by."""
    votes = [found for arm in VOTES if (found := results.of_arm(suite, arm))]
    if not votes:
        return None
    points = sorted((mean(map(spent, trials)), _right(trials)) for trials in votes)
    return float(np.interp(tokens, *zip(*points, strict=True)))


def _row(results: Results, suite: str, arm: str) -> Row:
    trials = results.of_arm(suite, arm)
    baseline = BASELINES[arm in CHECKED]
    pairs = match(results.of_arm(suite, baseline), trials)
    compared = contrast(pairs, results.header.seed)
    tokens = mean(map(spent, trials))
    return Row(
        suite=suite,
        arm=arm,
        asked=len(trials),
        right=_right(trials),
        tokens=tokens,
        seconds=mean(trial.seconds for trial in trials),
        equal_votes=None if arm in CHECKED else votes_of(results, suite, tokens),
        against=compared.difference,
        helped=compared.helped,
        hurt=compared.hurt,
    )


def _right(trials: Sequence[Trial]) -> float:
    return mean(trial.right for trial in trials)


def _worth(trials: Sequence[Trial]) -> tuple[float, float]:
    """Return what sorts strategies: the most right first, then the cheapest."""
    return _right(trials), -mean(map(spent, trials))
