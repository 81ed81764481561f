"""The tables of `whet eval` as words, and the lines below them; drawing them is another's work.

Pure: figures are written here, and come about in `adaptation.evaluation`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from adaptation.evaluation.compare import Change, Comparison
from adaptation.evaluation.contrast import NO_HARM_MARGIN, Contrast
from adaptation.evaluation.suites.suite import Group
from adaptation.evaluation.summary import ArmSummary, Section, Summary
from adaptation.statistics import Interval
from server.terminal import plain

JUDGED_FOR_HARM = (Group.IN_DISTRIBUTION, Group.GUARD)
NOTHING = "–"
NOTE_LIMIT = 160
"""Characters shown of an error or reason."""
SPREAD = (
    "Intervals of differences resample a suite's worlds, then the questions of each; where that "
    "has no width they are Tango's score intervals. p and Wilson's intervals take questions to be "
    "independent, those of one world too."
)


@dataclass(frozen=True)
class Grid:
    """A table before it is drawn; the first `texts` columns are words, the others figures."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    texts: int = 1


def section_grid(section: Section, baseline: str) -> Grid:
    """Return a row for each arm; columns that would be empty are left out."""
    most = max(arm.n for arm in section.arms)
    columns = {
        "arm": [a.arm if a.n == most else f"{a.arm} (n = {a.n})" for a in section.arms],
        "right, %": [_percent(a.right) for a in section.arms],
        f"− {baseline}": [_against(a.against) for a in section.arms],
        "+/−": [_flips(a.against) for a in section.arms],
        "p": [_p(a.against.p_value) if a.against else NOTHING for a in section.arms],
        "pass@k": [f"{100 * a.any_right.value:.1f}" if a.any_right else "" for a in section.arms],
        "1 of k": [_of_samples(a) for a in section.arms],
        "tokens": [_number(a.generated_tokens, ".0f") for a in section.arms],
        "×": [_number(a.against.tokens.value) if a.against else "" for a in section.arms],
        "s": [_number(a.seconds.value) for a in section.arms],
        "errors": [str(a.errors or "") for a in section.arms],
    }
    kept = {name: cells for name, cells in columns.items() if any(cells)}
    return Grid(tuple(kept), tuple(zip(*kept.values(), strict=True)))


def group_notes(group: Section, baseline: str) -> list[str]:
    """Say which arms are shown to do no harm, where that is asked of them, and by what."""
    rivals = [arm for arm in group.arms if arm.against]
    if group.group not in JUDGED_FOR_HARM or not rivals:
        return []
    safe = [arm.arm for arm in rivals if arm.against and arm.against.no_harm]
    points = f"{100 * NO_HARM_MARGIN:g} point"
    whom = ", ".join(safe) or "no arm"
    return [
        f"A loss of more than {points} against {baseline} is ruled out for: {whom}. "
        "Both the interval shown and Tango's score interval must rule it out."
    ]


def matrix(summary: Summary) -> Grid:
    """Return a row for each suite and a column for each arm."""
    arms = list(dict.fromkeys(arm.arm for group in summary.groups for arm in group.arms))
    rows = []
    for suite in summary.suites:
        found = {arm.arm: f"{100 * arm.right.value:.0f}" for arm in suite.arms}
        rows.append((suite.name, *(found.get(arm, NOTHING) for arm in arms)))
    return Grid(("suite", *arms), tuple(rows))


def notes(summary: Summary) -> list[str]:
    """Say what a reader of the figures must know: pairs, errors, fallbacks, training."""
    return [
        "right: 95 % Wilson intervals; "
        f"− {summary.baseline}: points, paired 95 % bootstrap intervals; "
        "+/−: questions helped and hurt; p: exact McNemar; "
        "pass@k: one of k samples at least is right; 1 of k: a single one of them; "
        f"tokens: generated, mean; ×: times {summary.baseline}'s; s: seconds, median.",
        SPREAD,
        *_unpaired(summary),
        *_errors(summary),
        *_fallbacks(summary),
        *_training(summary),
    ]


def _unpaired(summary: Summary) -> Iterator[str]:
    for section in summary.suites:
        for arm in section.arms:
            if arm.against and arm.against.pairs < arm.n:
                yield (
                    f"{section.name}, {arm.arm}: only {arm.against.pairs} of {arm.n} questions "
                    f"were asked under {summary.baseline} too."
                )


def _errors(summary: Summary) -> Iterator[str]:
    """A raising verifier is the suite's fault, not the arm's: it must be seen."""
    for error in summary.errors:
        text = plain(error.text, NOTE_LIMIT)
        yield f"{error.count} × error in {error.suite} ({', '.join(error.arms)}): {text}"


def _fallbacks(summary: Summary) -> Iterator[str]:
    for fallback in summary.fallbacks:
        reason = plain(fallback.reason, NOTE_LIMIT)
        yield f"{fallback.count} × {fallback.arm} fell back: {reason}"


def _training(summary: Summary) -> Iterator[str]:
    totals: dict[str, int] = {}
    for group in summary.groups:
        for arm in group.arms:
            totals[arm.arm] = totals.get(arm.arm, 0) + arm.training_total
    if trained := [f"{arm} {total:,}" for arm, total in totals.items() if total]:
        yield f"tokens trained on, in no other figure: {', '.join(trained)}"


def comparison_grid(comparison: Comparison) -> Grid:
    """Return a row for each arm of each suite, and of each group that has several."""
    members: dict[tuple[Group, str], set[str]] = {}
    for change in comparison.suites:
        members.setdefault((change.group, change.arm), set()).add(change.name)
    rows = []
    for group in dict.fromkeys(change.group for change in comparison.suites):
        rows += [_change(c, c.name) for c in comparison.suites if c.group is group]
        rows += [
            _change(c, f"all {c.name}")
            for c in comparison.groups
            if c.group is group and len(members[c.group, c.arm]) > 1
        ]
    columns = ("suite", "arm", "n", "first", "second", "difference", "+/−", "p", "× tokens")
    named = [("", *row[1:]) if row[0] == last[0] else row for last, row in pairwise([("",), *rows])]
    return Grid(columns, tuple(named), texts=2)


def comparison_notes(comparison: Comparison, first: str, second: str) -> list[str]:
    """Say how spread is judged, and what was not compared, or should not be."""
    found = []
    if comparison.suites:
        found.append(f"difference: points, paired 95 % bootstrap; p: exact McNemar. {SPREAD}")
    if comparison.other_data:
        suites = ", ".join(comparison.other_data)
        found.append(f"The questions or answers of {suites} are of another version.")
    found += [_unmatched(change) for change in comparison.suites if _odd(change)]
    sides = ((first, comparison.missing_in_second), (second, comparison.missing_in_first))
    for name, places in sides:
        if places:
            listed = ", ".join(f"{suite} under {arm}" for suite, arm in places)
            found.append(f"Measured by {name} alone: {listed}")
    if not comparison.suites:
        found.append("The two runs have no suite and arm in common.")
    return found


def _change(change: Change, name: str) -> tuple[str, ...]:
    c = change.contrast
    shares = _number(100 * c.first, ".1f"), _number(100 * c.second, ".1f")
    p_value = _p(c.p_value) if c.pairs else NOTHING
    tokens = _number(c.tokens.value)
    return (name, change.arm, str(c.pairs), *shares, _against(c), _flips(c), p_value, tokens)


def _odd(change: Change) -> bool:
    return bool(change.reworded or change.only_first or change.only_second)


def _unmatched(change: Change) -> str:
    return (
        f"{change.name}, {change.arm}: not compared were {change.reworded} questions with another "
        f"text, {change.only_first} of the first run alone and {change.only_second} of the second."
    )


def title(section: Section) -> str:
    """Return what stands above a table."""
    questions = f"{max(arm.n for arm in section.arms)} questions"
    if section.suites == (section.name,):
        return f"{section.name}: {questions}"
    return f"{section.name}, {len(section.suites)} suites: {questions}"


def _percent(share: Interval) -> str:
    return f"{100 * share.value:.1f} ({100 * share.low:.1f}–{100 * share.high:.1f})"


def _against(found: Contrast | None) -> str:
    """Return points with their interval."""
    if found is None or math.isnan(found.difference.value):
        return NOTHING
    value, low, high = (_points(x) for x in vars(found.difference).values())
    return f"{value} ({low} to {high})"


def _points(share: float) -> str:
    shown = f"{100 * share:+.1f}"
    return "0.0" if shown in ("+0.0", "-0.0") else shown.replace("-", "−")


def _flips(found: Contrast | None) -> str:
    return f"{found.helped}/{found.hurt}" if found else NOTHING


def _p(p_value: float) -> str:
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _of_samples(arm: ArmSummary) -> str:
    return "" if arm.share_right is None else f"{100 * arm.share_right:.1f}"


def _number(value: float, form: str = ".2f") -> str:
    return NOTHING if math.isnan(value) else f"{value:{form}}"


def shown_value(value: object) -> str:
    """Return a header's field on one line."""
    if value is None:
        return NOTHING
    text = ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return plain(text, NOTE_LIMIT)
