"""Putting the request's verifiers to the answers, in the order of their votes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from adaptation.errors import VerifierError
from adaptation.report import VerifierReport
from adaptation.types import Query, Sample, Vote
from adaptation.verifiers.gradings import Gradings
from adaptation.voting.ballots import leader_probability
from adaptation.voting.tally import Group
from memory.types import Tier


@dataclass(frozen=True)
class Checked:
    """What the verifiers said of one answer."""

    reports: tuple[VerifierReport, ...] = ()
    tier: Tier | None = None
    """The strongest tier that it earned; None where no verifier vouched for it."""
    is_late: bool = False
    """Whether time ended before they had spoken."""
    is_open: bool = False
    """Whether nobody spoke against it, but not all could speak: one was late, or cannot run."""

    @property
    def failed(self) -> bool:
        """Whether a verifier spoke against it, or did not vouch for it as it was asked to."""
        return any(not report.passed for report in self.reports)

    @property
    def passed(self) -> bool | None:
        """What the verifiers found; None where that is not known."""
        return None if self.is_open or not self.reports else not self.failed


@dataclass(frozen=True)
class Verified:
    """A vote with what the verifiers said of its winner."""

    vote: Vote
    checked: Checked = Checked()

    @property
    def reports(self) -> tuple[VerifierReport, ...]:
        """One of each verifier."""
        return self.checked.reports

    @property
    def tier(self) -> Tier | None:
        """See `Checked`."""
        return self.checked.tier

    @property
    def failed(self) -> bool:
        """Whether a verifier spoke against the answer that is returned all the same."""
        return self.checked.failed


class Checks:
    """The verifiers of one query; of the same text and answer they are asked once."""

    def __init__(self, query: Query, gradings: Gradings) -> None:
        self._query, self._gradings = query, gradings
        self._known: dict[tuple[str, str | None], Checked] = {}

    async def of(self, sample: Sample, answer: str | None) -> Checked:
        """Return what they say of a sample, out of which `answer` was read."""
        text = sample.said.text or answer or ""
        if (known := self._known.get((text, answer))) is not None:
            return known
        try:
            async with asyncio.timeout(self._query.seconds_left):
                found = await self._check(text, answer)
        except TimeoutError:
            late = VerifierReport(type="deadline", passed=False, detail="not verified in time")
            return Checked((late,), is_late=True, is_open=True)
        self._known[text, answer] = found
        return found

    async def _check(self, text: str, answer: str | None) -> Checked:
        reports: list[VerifierReport] = []
        tiers: list[Tier] = []
        unable = 0
        for verifier in self._query.verifiers:
            try:
                async with self._gradings.place(self._query.tenant, verifier):
                    report = await verifier.verify(
                        question=self._query.question, text=text, answer=answer
                    )
            except VerifierError as error:
                report = VerifierReport(type=verifier.type, passed=False, detail=str(error))
                unable += 1
            reports.append(report)
            if report.passed and verifier.tier is not None:
                tiers.append(verifier.tier)
        against = sum(not report.passed for report in reports)
        best = None if against else max(tiers, key=lambda tier: tier.strength, default=None)
        return Checked(tuple(reports), best, is_open=0 < against == unable)


async def verify(query: Query, vote: Vote, checks: Checks) -> Verified:
    """Return the most-voted answer that passes every verifier, or the winner with its failures.

    A verifier is external evidence, so it may overrule the vote; without one the vote stands.
    """
    if not query.verifiers:
        return Verified(vote)
    verdicts: list[Verified] = []
    for candidate in _candidates(vote):
        checked = await checks.of(candidate.winner, candidate.answer)
        verdicts.append(Verified(candidate, checked))
        if not checked.failed:
            return verdicts[-1]
        if checked.is_late:
            break
    return verdicts[0]


async def best_group(
    groups: Sequence[Group], check: Callable[[Sample, str | None], Awaitable[Checked]]
) -> tuple[Group, bool | None]:
    """Return the answer that `verify` would, before a vote ends, and what the verifiers say."""
    found: list[bool | None] = []
    for group in groups:
        answer = group.answer.text if group.answer else None
        checked = await check(group.example, answer)
        if checked.passed or checked.is_late:
            return (group if checked.passed else groups[0]), checked.passed
        found.append(checked.passed)
    return groups[0], found[0]


def _candidates(vote: Vote) -> list[Vote]:
    """One vote for each distinct answer, as if that answer had won."""
    answers = len(vote.counts) or 1
    return [_with_winner(vote, sample) for sample in vote.ranked[:answers]]


def _with_winner(vote: Vote, sample: Sample) -> Vote:
    if sample is vote.winner:
        return vote
    answer = sample.answer
    text = answer.text if answer else None
    total = sum(entry.count for entry in vote.counts)
    count = next((entry.count for entry in vote.counts if entry.answer == text), 1)
    rival = max((entry.count for entry in vote.counts if entry.answer != text), default=0)
    others = tuple(other for other in vote.ranked if other is not sample)
    return replace(
        vote,
        winner=sample,
        answer=text,
        agreement=count / total,
        confidence=leader_probability(count, rival),
        readable=answer is not None and answer.structured,
        ranked=(sample, *others),
    )
