"""Whether a family of reasoning-gym can be relied on: asked of the family itself, before its use.

Some draw other questions each time, so that a run can be neither resumed nor compared; some know no
right answer; some give wrong answers the full score. Each of these would make a table untrue.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from adaptation.evaluation.suites.errors import ScorerError, UnreliableSuiteError
from adaptation.evaluation.suites.scorer import Drawn, Scorer, Source

PROBED = 6
"""Entries. Families fail at nearly all or at none of theirs."""
LEAST_PROBED = 2
ENOUGH_S = 20.0
"""After so long no further entry is drawn: one may take ten seconds."""
NO_ANSWERS = ("", "I do not know.")


def probe(scorer: Scorer, source: Source) -> str | None:
    """What an evaluation should say of the family, None where there is nothing to say.

    Raises `UnreliableSuiteError` where no evaluation should use it.
    """
    try:
        entries = _drawn_twice(scorer, source)
        _check_own_answers(scorer, source, entries)
        _check_no_answers(scorer, source, len(entries))
        return _caveat(entries, _foreign(scorer, source, entries), source.family)
    except ScorerError as error:
        raise _refused(source.family, f"its own code fails: {error}") from error


def _drawn_twice(scorer: Scorer, source: Source) -> list[Drawn]:
    entries: list[Drawn] = []
    began = time.monotonic()
    for number in range(PROBED):
        entries.append(scorer.draw(source, number))
        if scorer.draw(source, number, again=True) != entries[-1]:
            raise _refused(
                source.family,
                f"entry {number} is another each time it is drawn, whatever the seed, so that no "
                "run could be resumed or compared",
            )
        if len(entries) >= LEAST_PROBED and time.monotonic() - began > ENOUGH_S:
            break
    return entries


def _check_own_answers(scorer: Scorer, source: Source, entries: Sequence[Drawn]) -> None:
    for number, entry in enumerate(entries):
        if not entry.answer:
            raise _refused(source.family, "its entries tell no right answer to check it with")
        score = scorer.score(source, number, entry.answer)
        if score < 1.0:
            raise _refused(
                source.family, f"it gives the answer of its own entry {number} {score:g}, not 1"
            )


def _check_no_answers(scorer: Scorer, source: Source, entries: int) -> None:
    for number in range(entries):
        for text in NO_ANSWERS:
            if _is_right(scorer, source, number, text):
                raise _refused(source.family, f"it gives the text {text!r} the full score")


def _foreign(scorer: Scorer, source: Source, entries: Sequence[Drawn]) -> list[bool]:
    """Whether each entry's scorer takes the answer of the next entry that has another."""
    verdicts = []
    for number, entry in enumerate(entries):
        later = [*entries[number + 1 :], *entries[:number]]
        other = next((each.answer for each in later if each.answer != entry.answer), None)
        if other is not None:
            verdicts.append(_is_right(scorer, source, number, other))
    return verdicts


def _caveat(entries: Sequence[Drawn], foreign: Sequence[bool], family: str) -> str | None:
    """A few of another entry's answers may be right as well, most of them cannot."""
    accepted = f"{sum(foreign)} of {len(foreign)} answers of other entries the full score"
    if 2 * sum(foreign) > len(foreign):
        raise _refused(family, f"it gives {accepted}")
    notes = []
    if not all(entry.is_own for entry in entries):
        notes.append("its entries have no answer of their own, only an example of one")
    if any(foreign):
        notes.append(f"it gives {accepted}, which may be right as well")
    return "; ".join(notes) or None


def _is_right(scorer: Scorer, source: Source, number: int, answer: str) -> bool:
    try:
        return scorer.score(source, number, answer) >= 1.0
    except ScorerError:  # an answer may be no answer at all
        return False


def _refused(family: str, reason: str) -> UnreliableSuiteError:
    return UnreliableSuiteError(
        f"reasoning-gym's {family} cannot be relied on: {reason}; choose another family"
    )
