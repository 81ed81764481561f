"""Whet's claims, each held against its target on the results of `whet eval`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

from adaptation.evaluation.contrast import Contrast, contrast, match
from adaptation.evaluation.results import Results
from adaptation.evaluation.suites.suite import Group
from adaptation.evaluation.trial import Trial

ALPHA = 0.01
VOTING_GAIN, ROOM, IN_CONTEXT_GAIN, TRAINING_GAIN = 0.08, 0.10, 0.20, 0.20
DISTILLATION_LOSS, GUARD_LOSS = 0.03, 0.01
DISTILLATION = "plain after whet distill ≥ ttt before it − 3 points; guards within 1 point"
DEMONSTRATIONS = ("demos-4", "demos-8", "demos-16", "demos-16+vote")
SAME_NEIGHBOURS = ("demos-16", "demos-16+vote")


@dataclass(frozen=True)
class Claim:
    """A claim, what it demands, what was found, and whether that meets it."""

    name: str
    target: str
    found: tuple[str, ...]
    met: bool


def voting(results: Results) -> Claim:
    """A fixed vote against one sample, on the suites in distribution."""
    gains = {suite: _pair(results, suite, "one", "vote") for suite in _suites(results)}
    good = [s for s, gain in gains.items() if _gained(gain, VOTING_GAIN)]
    return Claim(
        "voting",
        "vote ≥ one sample + 8 points, p < .01, on two suites",
        tuple(f"{suite}: {_words(gain)}" for suite, gain in gains.items()),
        len(good) >= 2,
    )


def room(results: Results, suite: str = "countdown") -> Claim:
    """What a perfect verifier could still find among the samples of a vote."""
    trials = results.of_arm(suite, "vote")
    passed = mean(bool(trial.any_right) for trial in trials)
    voted = _share(trials)
    found = f"{suite}: pass@k {passed:.1%}, vote {voted:.1%}, {100 * (passed - voted):+.1f} points"
    target = "pass@16 − vote@16 ≥ 10 points on a verifiable suite"
    return Claim("room to learn", target, (found,), passed - voted >= ROOM)


def in_context(results: Results) -> Claim:
    """Demonstrations against none, on the shifted suites."""
    found, best = [], 0.0
    for suite in _suites(results, Group.SHIFTED):
        gains = {arm: _pair(results, suite, "one", arm) for arm in DEMONSTRATIONS}
        shown = ", ".join(f"{arm} {gain.second:.1%}" for arm, gain in gains.items())
        found.append(f"{suite}: none {_share(results.of_arm(suite, 'one')):.1%}, {shown}")
        best = max(best, *(gain.difference.value for gain in gains.values()))
    target = "demonstrations ≥ zero-shot + 20 points on one shifted suite"
    return Claim("in-context learning", target, tuple(found), best >= IN_CONTEXT_GAIN)


def training(results: Results) -> Claim:
    """Test-time training against voting, and against the same neighbours in context."""
    found, good = [], 0
    for suite in _suites(results, Group.SHIFTED):
        gain = _pair(results, suite, "consistency", "ttt")
        rivals = {arm: _pair(results, suite, arm, "ttt") for arm in SAME_NEIGHBOURS}
        beaten = all(rival.difference.value >= 0 for rival in rivals.values())
        good += _gained(gain, TRAINING_GAIN) and beaten
        shown = "; ".join(f"− {arm} {_points(rival)}" for arm, rival in rivals.items())
        found.append(f"{suite}: {_words(gain)}; {shown}")
    target = (
        "ttt ≥ consistency + 20 points, p < .01, and ≥ the same neighbours as demonstrations, "
        "on two shifted suites"
    )
    return Claim("test-time training", target, tuple(found), good >= 2)


def no_harm(results: Results) -> Claim:
    """Training where nothing needs to be learned: judged on all questions, pooled over suites."""
    pooled = contrast(
        [
            pair
            for suite in _suites(results)
            for pair in match(results.of_arm(suite, "consistency"), results.of_arm(suite, "ttt"))
        ],
        results.header.seed,
    )
    each = [f"{s}: {_words(_pair(results, s, 'consistency', 'ttt'))}" for s in _suites(results)]
    target = "ttt no worse than consistency by more than 1 point (lower bound), in distribution"
    bound = f"score bound {100 * pooled.score.low:+.2f}"
    return Claim("no harm", target, (f"all: {_words(pooled)}, {bound}", *each), pooled.no_harm)


def distillation(before: Results, after: Results, suite: str, plain: str = "greedy") -> Claim:
    """One sample through the distilled adapter against training before it; guards beside it."""
    seed = before.header.seed
    learned = contrast(match(before.of_arm(suite, "ttt"), after.of_arm(suite, plain)), seed)
    guards = {
        name: contrast(match(before.of_arm(name, plain), after.of_arm(name, plain)), seed)
        for name in _suites(before, Group.GUARD)
    }
    kept = all(guard.difference.value >= -GUARD_LOSS for guard in guards.values())
    sampled = _share(after.of_arm(suite, "one"))
    return Claim(
        "distillation",
        DISTILLATION,
        (
            f"{suite}, {plain}: {_words(learned)}; one sample {sampled:.1%}",
            *(f"{name}: {_words(guard)}" for name, guard in guards.items()),
        ),
        learned.difference.value >= -DISTILLATION_LOSS and kept,
    )


def _suites(results: Results, group: Group = Group.IN_DISTRIBUTION) -> list[str]:
    groups = {trial.case.suite: trial.group for trial in results.trials}
    return [suite for suite in results.suites() if groups[suite] is group]


def _pair(results: Results, suite: str, first: str, second: str) -> Contrast:
    pairs = match(results.of_arm(suite, first), results.of_arm(suite, second))
    return contrast(pairs, results.header.seed)


def _gained(found: Contrast, least: float) -> bool:
    return found.difference.value >= least and found.p_value < ALPHA


def _share(trials: Sequence[Trial]) -> float:
    return mean(trial.right for trial in trials)


def _points(found: Contrast) -> str:
    d = found.difference
    return f"{100 * d.value:+.1f} ({100 * d.low:+.1f} to {100 * d.high:+.1f})"


def _words(found: Contrast) -> str:
    return (
        f"{found.first:.1%} → {found.second:.1%}, {_points(found)}, "
        f"{found.helped} helped, {found.hurt} hurt, p = {found.p_value:.2g}"
    )
