"""What generations without anybody's hand came to, held against the targets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import Literal

from adaptation.statistics import Interval, Resamples
from loadtests.measure.claims import Claim
from memory.types import Frozen

VOTES = 16
TOKENS, KEPT, GUARD_LOSS, FEWER_VOTES = 1 / 8, 0.98, 0.01, 0.7
TINY = 1e-9
BASE = "base"
Value = Callable[["Tried"], float]


class Tried(Frozen):
    """One question, answered sixteen times over."""

    suite: str
    right: tuple[bool, ...]
    """Of each sample, in the order they were drawn."""
    tokens: tuple[int, ...]
    voted: bool
    """Whether the answer that most of them give is right."""
    drawn: int
    """Votes after which the default rule stops."""
    early: bool
    """Whether the answer that leads then is right."""
    distinct: int
    """Different answers among them."""
    near: float
    """Cosine of the question to the nearest record."""

    @property
    def one(self) -> float:
        """Share of the samples that are right: what one of them is right with."""
        return fmean(self.right)


class Asked(Frozen):
    """What a version says to the questions of a target, and to everyday ones."""

    target: str
    version: str
    """Its id; `base`."""
    questions: tuple[Tried, ...]
    everyday: tuple[Tried, ...]


class Generation(Frozen):
    """What became of one generation."""

    target: str
    number: int
    decision: Literal["base", "promoted", "rejected", "halted"]
    reasons: tuple[str, ...]
    served: str
    """The version that is served after it."""
    records: int
    """In memory, those that are held for review among them."""
    held: int = 0
    """Of them, held for review by this generation."""
    train: int = 0
    seconds: float = 0.0
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Run:
    """The generations of one target, the base first, with what the served version says."""

    target: str
    generations: tuple[Generation, ...]
    asked: tuple[Asked, ...]
    """After each of them."""

    @property
    def base(self) -> Asked:
        """Generation 0."""
        return self.asked[0]

    @property
    def last(self) -> Asked:
        """What is served in the end."""
        return self.asked[-1]


def runs_of(generations: Sequence[Generation], asked: Sequence[Asked]) -> list[Run]:
    """Put together what belongs together; a generation whose version was not asked yet waits."""
    known = {(each.target, each.version): each for each in asked}
    found = []
    for target in dict.fromkeys(each.target for each in generations):
        mine = [g for g in generations if g.target == target and (target, g.served) in known]
        if mine:
            found.append(Run(target, tuple(mine), tuple(known[target, g.served] for g in mine)))
    return found


def mean(tried: Sequence[Tried], value: Value) -> Interval:
    """Return the mean over questions, with a bootstrap interval."""
    return _resamples(tried).mean([value(each) for each in tried])


def difference(before: Sequence[Tried], after: Sequence[Tried], b: Value, a: Value) -> Interval:
    """Return by how much the mean rises over the same questions."""
    changes = [a(then) - b(now) for now, then in zip(before, after, strict=True)]
    return _resamples(before).mean(changes)


def ratio(after: Sequence[Tried], before: Sequence[Tried], a: Value, b: Value) -> Interval:
    """Return the ratio of the sums over the same questions."""
    return _resamples(before).ratio([a(t) for t in after], [b(t) for t in before])


def as_served(asked: Asked, base: Asked, least: float) -> tuple[Tried, ...]:
    """Return everyday answers as a server gives them: the base's, where no record is near."""
    pairs = zip(asked.everyday, base.everyday, strict=True)
    return tuple(mine if mine.near >= least else theirs for mine, theirs in pairs)


def shares(run: Run, least: float) -> list[dict[str, dict[str, float]]]:
    """Return what was right after each generation, and the votes it took, with intervals."""
    return [
        {
            "one": vars(mean(asked.questions, lambda t: t.one)),
            "voted": vars(mean(asked.questions, lambda t: t.voted)),
            "early": vars(mean(asked.questions, lambda t: t.early)),
            "pass": vars(mean(asked.questions, lambda t: any(t.right))),
            "drawn": vars(mean(asked.questions, lambda t: t.drawn)),
            "distinct": vars(mean(asked.questions, lambda t: t.distinct)),
            "tokens": vars(mean(asked.questions, lambda t: sum(t.tokens) / VOTES)),
            "everyday": vars(mean(asked.everyday, lambda t: t.one)),
            "everyday pass": vars(mean(asked.everyday, lambda t: any(t.right))),
            "as served": vars(mean(as_served(asked, run.base, least), lambda t: t.one)),
        }
        for asked in run.asked
    ]


def claims(runs: Sequence[Run], least: float) -> list[Claim]:
    """Hold all runs against the targets; `least` is the scope's cosine."""
    told = [claim(run) for run in runs for claim in (_one_sample, _target, _votes)]
    return told + [claim(run, least) for run in runs for claim in (_passes, _guards)]


def _one_sample(run: Run) -> Claim:
    before, after = run.base.questions, run.last.questions
    gain = difference(before, after, lambda t: t.voted, lambda t: t.one)
    tokens = ratio(after, before, lambda t: sum(t.tokens) / VOTES, lambda t: sum(t.tokens))
    found = (
        f"base's {VOTES} votes {_share(mean(before, lambda t: t.voted))}, one sample after "
        f"{_share(mean(after, lambda t: t.one))}: {_points(gain)}; tokens {_share(tokens)}"
    )
    is_learned = run.last.version != BASE
    return Claim(
        f"{run.target}: one sample for {VOTES} votes",
        f"one sample after ≥ {VOTES} votes of the base, at ≤ 1/8 of the tokens",
        (found if is_learned else f"{found}; nothing was promoted",),
        is_learned and gain.value >= 0 and tokens.value <= TOKENS,
    )


def _target(run: Run) -> Claim:
    shares = [mean(asked.questions, lambda t: t.one).value for asked in run.asked]
    falls = [now - then for then, now in pairwise(shares)]
    found = " → ".join(f"{100 * share:.1f}" for share in shares)
    return Claim(
        f"{run.target}: the target over generations",
        "one sample rises or holds (within a point) in every generation",
        (f"{found} % right",),
        min(falls, default=0.0) >= -GUARD_LOSS - TINY,
    )


def _votes(run: Run) -> Claim:
    before, after = run.base.questions, run.last.questions
    fewer = ratio(after, before, lambda t: t.drawn, lambda t: t.drawn)
    right = difference(before, after, lambda t: t.early, lambda t: t.early)
    drawn = [mean(tried, lambda t: t.drawn).show(".1f") for tried in (before, after)]
    return Claim(
        f"{run.target}: votes a question",
        "the default rule takes ≥ 30 % fewer votes, and is as right",
        (f"{drawn[0]} → {drawn[1]}, ratio {_share(fewer)}; right {_points(right)}",),
        fewer.value <= FEWER_VOTES and right.value >= 0,
    )


def _passes(run: Run, least: float) -> Claim:
    found, met = [], True
    for name, versions in (
        ("target", [asked.questions for asked in run.asked]),
        ("everyday, adapter alone", [asked.everyday for asked in run.asked]),
        ("everyday, as served", [as_served(asked, run.base, least) for asked in run.asked]),
    ):
        shares = [mean(tried, lambda t: any(t.right)) for tried in versions]
        worst = min(share.value for share in shares)
        met = met and worst >= KEPT * shares[0].value - TINY
        found.append(f"{name} {_share(shares[0])}, least {worst:.1%}, last {_share(shares[-1])}")
    return Claim(
        f"{run.target}: pass@{VOTES}",
        f"in no generation below 98 % of generation 0's (n = {len(run.base.questions)} and "
        f"{len(run.base.everyday)})",
        tuple(found),
        met,
    )


def _guards(run: Run, least: float) -> Claim:
    served = [as_served(asked, run.base, least) for asked in run.asked]
    alone = [asked.everyday for asked in run.asked]
    found, met = [], True
    for name, versions in (("as served", served), ("adapter alone", alone)):
        falls = [
            difference(versions[0], each, lambda t: t.one, lambda t: t.one) for each in versions
        ]
        worst = min(falls, key=lambda fall: fall.value)
        suites = _worst_suite(versions)
        found.append(f"{name}: all {_points(worst)} at the least; {suites}")
        met = met and (name != "as served" or worst.value >= -GUARD_LOSS)
    return Claim(
        f"{run.target}: everyday questions",
        "one sample on everyday questions, as served, never falls by a point",
        tuple(found),
        met,
    )


def _worst_suite(versions: Sequence[Sequence[Tried]]) -> str:
    """Name the suite that fell most in any generation."""
    falls = {}
    for suite in dict.fromkeys(tried.suite for tried in versions[0]):
        before, *after = ([t for t in tried if t.suite == suite] for tried in versions)
        each = [difference(before, then, lambda t: t.one, lambda t: t.one) for then in after]
        falls[suite] = min(each, key=lambda fall: fall.value, default=Interval(0, 0, 0))
    name = min(falls, key=lambda suite: falls[suite].value)
    return f"of suites {name} {_points(falls[name])}"


def _resamples(tried: Sequence[Tried]) -> Resamples:
    return Resamples([(each.suite, place) for place, each in enumerate(tried)], seed=0)


def _share(found: Interval) -> str:
    return f"{found.value:.1%} ({found.low:.1%} to {found.high:.1%})"


def _points(found: Interval) -> str:
    return f"{100 * found.value:+.1f} points ({100 * found.low:+.1f} to {100 * found.high:+.1f})"
