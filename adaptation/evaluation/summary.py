"""What came of a run: every arm of every suite with its spread, its price and its rivals.

Pure. A question that could not be judged counts as wrong, and is counted among the errors too.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from adaptation.evaluation.contrast import Contrast, contrast, match
from adaptation.evaluation.errors import EvaluationError
from adaptation.evaluation.results import Header, Results
from adaptation.evaluation.suites.suite import Group
from adaptation.evaluation.trial import Trial
from adaptation.statistics import Interval, quartiles, wilson, without_nan

BASELINES = ("consistency", "one")
"""The arm that the others are held against: the first of these that was measured."""

ErrorKind = Literal["verifier", "request"]
ByArm = Mapping[str, Sequence[Trial]]
_FIGURE = re.compile(r"[-+]?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class ArmSummary:
    """An arm on one suite, or on all suites of a group."""

    arm: str
    n: int
    right: Interval
    """Share with Wilson's 95 % interval."""
    verifier_errors: int
    """Replies that the suite's verifier raised at."""
    request_errors: int
    """Questions that the server refused."""
    sampled: int
    """Questions of which several samples were seen; the next two are theirs."""
    any_right: Interval | None
    """pass@k: some sample was right; with Wilson's 95 % interval."""
    share_right: float | None
    """Accuracy of one of the samples."""
    generated_tokens: float
    """Mean of a question, the lost votes included."""
    generated_total: int
    training_total: int
    """Tokens trained on; in no other figure."""
    seconds: Interval
    """Median of a question between the quartiles."""
    fallbacks: dict[str, int]
    """How often the server used a lighter strategy, by its reason."""
    against: Contrast | None
    """This arm against the baseline; None for the baseline, and where that was not measured."""

    @property
    def errors(self) -> int:
        """Questions that were not judged."""
        return self.verifier_errors + self.request_errors


@dataclass(frozen=True)
class Section:
    """The arms on one suite, or on all suites of a group."""

    name: str
    group: Group
    suites: tuple[str, ...]
    arms: tuple[ArmSummary, ...]


@dataclass(frozen=True)
class ErrorCount:
    """A distinct error, and how often it was met."""

    suite: str
    kind: ErrorKind
    text: str
    arms: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class FallbackCount:
    """A distinct reason for a lighter strategy, and how often it was given."""

    arm: str
    reason: str
    count: int


@dataclass(frozen=True)
class Summary:
    """What came of a run."""

    header: Header
    baseline: str
    suites: tuple[Section, ...]
    groups: tuple[Section, ...]
    errors: tuple[ErrorCount, ...]
    fallbacks: tuple[FallbackCount, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as a program reads it: null where there is no number."""
        fields = asdict(self) | {"header": self.header.model_dump(mode="json")}
        whole: dict[str, Any] = without_nan(fields)
        return whole


def summarise(results: Results, baseline: str | None = None) -> Summary:
    """Summarise a run, held against `baseline`; raises `EvaluationError` where that is no arm."""
    against = _baseline(results.arms(), baseline)
    suites = _sections(results, {name: (name,) for name in results.suites()}, against)
    of_group: defaultdict[str, list[str]] = defaultdict(list)
    for section in suites:
        of_group[section.group].append(section.name)
    return Summary(
        header=results.header,
        baseline=against,
        suites=suites,
        groups=_sections(results, of_group, against),
        errors=count_errors(results.trials),
        fallbacks=count_fallbacks(results.trials),
    )


def _baseline(arms: Sequence[str], wanted: str | None) -> str:
    if not arms:
        raise EvaluationError("nothing is measured yet: there is nothing to show")
    if wanted is None:
        return next((name for name in BASELINES if name in arms), arms[0])
    if wanted not in arms:
        raise EvaluationError(f"arm {wanted!r} was not measured, but {', '.join(arms)}")
    return wanted


def _sections(
    results: Results, members: Mapping[str, Sequence[str]], baseline: str
) -> tuple[Section, ...]:
    """Return a section for each name with the suites it pools, in the order of their groups."""
    trials: defaultdict[str, defaultdict[str, list[Trial]]]
    trials = defaultdict(lambda: defaultdict(list))
    section_of = {suite: name for name, suites in members.items() for suite in suites}
    for trial in results.trials:
        trials[section_of[trial.case.suite]][trial.case.arm].append(trial)
    seed, order = results.header.seed, results.arms()
    found = [
        Section(
            name=name,
            group=next(iter(by_arm.values()))[0].group,
            suites=tuple(members[name]),
            arms=tuple(_arm(a, by_arm, baseline, seed) for a in order if a in by_arm),
        )
        for name, by_arm in trials.items()
    ]
    return tuple(sorted(found, key=lambda section: list(Group).index(section.group)))


def _arm(arm: str, by_arm: ByArm, baseline: str, seed: int) -> ArmSummary:
    trials = by_arm[arm]
    answered = [trial for trial in trials if not trial.refused]  # the others have no cost
    sampled = [trial for trial in trials if trial.any_right is not None]
    shares = [trial.share_right for trial in trials if trial.share_right is not None]
    kinds = Counter(_kind(trial) for trial in trials if trial.error)
    rival = by_arm.get(baseline) if arm != baseline else None
    generated = sum(trial.generated_tokens for trial in trials)
    return ArmSummary(
        arm=arm,
        n=len(trials),
        right=wilson(sum(trial.right for trial in trials), len(trials)),
        verifier_errors=kinds["verifier"],
        request_errors=kinds["request"],
        sampled=len(sampled),
        any_right=wilson(sum(bool(t.any_right) for t in sampled), len(sampled))
        if sampled
        else None,
        share_right=math.fsum(shares) / len(shares) if shares else None,
        generated_tokens=generated / len(answered) if answered else math.nan,
        generated_total=generated,
        training_total=sum(trial.training_tokens for trial in trials),
        seconds=quartiles([trial.seconds for trial in answered]),
        fallbacks=dict(Counter(_reason(t.fallback) for t in trials if t.fallback).most_common()),
        against=contrast(match(rival, trials), seed) if rival else None,
    )


def count_errors(trials: Iterable[Trial]) -> tuple[ErrorCount, ...]:
    """Return each distinct error of a suite with its count, the most frequent first."""
    arms: defaultdict[tuple[str, ErrorKind, str], Counter[str]] = defaultdict(Counter)
    for trial in trials:
        if trial.error:
            arms[trial.case.suite, _kind(trial), trial.error][trial.case.arm] += 1
    found = [ErrorCount(*key, tuple(by_arm), by_arm.total()) for key, by_arm in arms.items()]
    return tuple(sorted(found, key=lambda error: -error.count))


def count_fallbacks(trials: Iterable[Trial]) -> tuple[FallbackCount, ...]:
    """Return each kind of reason of an arm with its count, the most frequent first."""
    counts = Counter((t.case.arm, _reason(t.fallback)) for t in trials if t.fallback)
    return tuple(FallbackCount(arm, why, count) for (arm, why), count in counts.most_common())


def _reason(fallback: str) -> str:
    """The kind of a reason: its first figure is that one question's own."""
    return _FIGURE.sub("…", fallback, count=1)


def _kind(trial: Trial) -> ErrorKind:
    return "request" if trial.refused else "verifier"
