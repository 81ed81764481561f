"""Two runs against each other: the same arm, the same questions, another model, adapter or code.

Pure. Questions are the same where case and text are; the others are counted, never compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import MutableMapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from adaptation.evaluation.contrast import Contrast, contrast, match
from adaptation.evaluation.results import Header, Results
from adaptation.evaluation.suites.suite import Group
from adaptation.evaluation.trial import Trial
from adaptation.statistics import without_nan

Place = tuple[str, str]
"""Suite or group, and arm."""
Pairings = MutableMapping[Place, tuple[list[Trial], list[Trial]]]


@dataclass(frozen=True)
class HeaderDifference:
    """A field in which two runs differ; one of a suite is named such as `levels.units`."""

    field: str
    first: Any
    second: Any


@dataclass(frozen=True)
class Change:
    """What became of one arm on a suite, or on all suites of a group that both runs have."""

    name: str
    group: Group
    arm: str
    contrast: Contrast
    """The second run against the first, on the questions that are the same."""
    reworded: int
    """Questions with the same place and another text: not compared."""
    only_first: int
    """Questions that the first run alone was asked."""
    only_second: int


@dataclass(frozen=True)
class Comparison:
    """What the second run does otherwise than the first."""

    headers: tuple[HeaderDifference, ...]
    other_data: tuple[str, ...]
    """Suites whose questions or answers are of another version: beware of their differences."""
    suites: tuple[Change, ...]
    groups: tuple[Change, ...]
    missing_in_second: tuple[Place, ...]
    """Suite and arm of what the first run alone measured."""
    missing_in_first: tuple[Place, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it as a program reads it: null where there is no number."""
        whole: dict[str, Any] = without_nan(asdict(self))
        return whole


def compare(first: Results, second: Results) -> Comparison:
    """Hold the second run against the first, arm by arm."""
    headers = header_differences(first.header, second.header)
    ours, theirs = _measured(first), _measured(second)
    suites = {key: (ours[key], theirs[key]) for key in ours if key in theirs}
    groups: Pairings = defaultdict(lambda: ([], []))
    for (_, arm), (before, after) in suites.items():
        pooled = groups[before[0].group, arm]
        pooled[0].extend(before)
        pooled[1].extend(after)
    return Comparison(
        headers=headers,
        other_data=_suites_with_other_data(headers),
        suites=_changes(suites, first.header.seed),
        groups=_changes(groups, first.header.seed),
        missing_in_second=tuple(key for key in ours if key not in theirs),
        missing_in_first=tuple(key for key in theirs if key not in ours),
    )


def header_differences(first: Header, second: Header) -> tuple[HeaderDifference, ...]:
    """Return what was not equal; suites that only one run has are no difference."""
    ours, theirs = _flat(first), _flat(second)
    return tuple(
        HeaderDifference(name, value, theirs[name])
        for name, value in ours.items()
        if name in theirs and theirs[name] != value
    )


def _flat(header: Header) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in header.model_dump(mode="json").items():
        parts = value.items() if isinstance(value, dict) else [(None, value)]
        fields |= {f"{name}.{key}" if key else name: part for key, part in parts}
    return fields


def _suites_with_other_data(headers: Sequence[HeaderDifference]) -> tuple[str, ...]:
    prefix = "data_version."
    return tuple(h.field.removeprefix(prefix) for h in headers if h.field.startswith(prefix))


def _measured(results: Results) -> dict[Place, list[Trial]]:
    found: defaultdict[Place, list[Trial]] = defaultdict(list)
    for trial in results.trials:
        found[trial.case.suite, trial.case.arm].append(trial)
    return found


def _changes(pairings: Pairings, seed: int) -> tuple[Change, ...]:
    """Return them by group and name, the arms of one next to each other."""
    changes = [_change(*place, *trials, seed) for place, trials in pairings.items()]
    names, groups = [name for name, _ in pairings], list(Group)
    return tuple(sorted(changes, key=lambda c: (groups.index(c.group), names.index(c.name))))


def _change(
    name: str, arm: str, first: Sequence[Trial], second: Sequence[Trial], seed: int
) -> Change:
    placed = match(first, second)
    same = [(old, new) for old, new in placed if old.question == new.question]
    return Change(
        name=name,
        group=first[0].group,
        arm=arm,
        contrast=contrast(same, seed),
        reworded=len(placed) - len(same),
        only_first=len(first) - len(placed),
        only_second=len(second) - len(placed),
    )
