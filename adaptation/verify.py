"""Putting the request's verifiers to the answers, in the order of their votes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from adaptation.errors import VerifierError
from adaptation.report import VerifierReport
from adaptation.types import Query, Sample, Vote
from adaptation.voting.ballots import leader_probability
from memory.types import Tier


@dataclass(frozen=True)
class Verified:
    """A vote with what the verifiers said of its winner."""

    vote: Vote
    reports: tuple[VerifierReport, ...] = ()
    tier: Tier | None = None
    """The strongest tier the answer earned from verifiers; None where none vouched for it."""

    @property
    def failed(self) -> bool:
        """Whether a verifier spoke against the answer that is returned all the same."""
        return any(not report.passed for report in self.reports)


async def verify(query: Query, vote: Vote) -> Verified:
    """Return the most-voted answer that passes every verifier, or the winner with its failures.

    A verifier is external evidence, so it may overrule the vote; without one the vote stands.
    """
    if not query.verifiers:
        return Verified(vote)
    verdicts: list[Verified] = []
    try:
        async with asyncio.timeout(query.seconds_left):
            for candidate in _candidates(vote):
                verdicts.append(await _check(query, candidate))
                if not verdicts[-1].failed:
                    return verdicts[-1]
    except TimeoutError:
        late = VerifierReport(type="deadline", passed=False, detail="not verified in time")
        verdicts.append(Verified(vote, (late,)))
    return verdicts[0]


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


async def _check(query: Query, vote: Vote) -> Verified:
    reports: list[VerifierReport] = []
    tiers: list[Tier] = []
    for verifier in query.verifiers:
        try:
            report = await verifier.verify(
                question=query.question,
                text=vote.winner.said.text or vote.answer or "",
                answer=vote.answer,
            )
        except VerifierError as error:
            report = VerifierReport(type=verifier.type, passed=False, detail=str(error))
        reports.append(report)
        if report.passed and verifier.tier is not None:
            tiers.append(verifier.tier)
    passed = all(report.passed for report in reports)
    best = max(tiers, key=lambda tier: tier.strength, default=None) if passed else None
    return Verified(vote, tuple(reports), best)
