"""From what happened to the `adaptation` object of the response."""

from __future__ import annotations

from adaptation.learning.adapted import Adapted
from adaptation.options import Strategy
from adaptation.plan import Plan
from adaptation.recall import Recalled
from adaptation.report import FirstSample, MemoryReport, NeighbourReport, Report
from adaptation.stopwatch import Stopwatch
from adaptation.types import Outcome, Query, Sample, Vote
from adaptation.verify import Verified
from adaptation.voting.pool import SamplePool
from adaptation.voting.stopping.shapes import Pattern
from adaptation.voting.weights import group_confidence
from memory.types import PastVote


def make_outcome(
    query: Query,
    pool: SamplePool,
    recalled: Recalled,
    plan: Plan,
    training: Adapted,
    verified: Verified,
    saved: MemoryReport,
    clock: Stopwatch,
) -> Outcome:
    """Return what is served and the account of how it came about."""
    vote = verified.vote
    returned = _choices(query, vote, pool)
    indices = {sample.index for sample in returned}
    report = Report(
        strategy=Strategy.TTT if training.adapter else Strategy.CONSISTENCY,
        requested=query.options.strategy,
        stop_reason=vote.stop_reason,
        answer=vote.answer,
        agreement=vote.agreement,
        confidence=vote.confidence,
        votes=vote.counts,
        first_sample=_first_sample(vote),
        samples=pool.sample_counts(),
        tokens=pool.token_counts(indices.__contains__),
        neighbours=_neighbours(training),
        adapter=training.report,
        verification=verified.reports or None,
        memory=saved,
        seconds={name: round(seconds, 4) for name, seconds in clock.seconds.items()},
        reason=_reason(
            recalled.obstacle or plan.reason or training.reason, recalled.note, _failures(pool)
        ),
    )
    return Outcome(returned, report, _past_vote(verified, recalled, training))


def _reason(*parts: str | None) -> str | None:
    """Why a lighter strategy answered, and what is missing from its neighbours or its votes."""
    return "; ".join(part for part in parts if part) or None


def _failures(pool: SamplePool) -> str | None:
    if not pool.failures:
        return None
    started = pool.sample_counts().started
    return f"{len(pool.failures)} of {started} samples failed: {pool.failures[0]}"


def _choices(query: Query, vote: Vote, pool: SamplePool) -> tuple[Sample, ...]:
    """The best of the vote; where it ended early, unfinished samples make up the number."""
    ranked = {sample.index for sample in vote.ranked}
    spare = (sample for sample in pool.cut_short() if sample.index not in ranked)
    return (*vote.ranked, *spare)[: query.choices]


def _first_sample(vote: Vote) -> FirstSample | None:
    """How sure the first draw was, and whether the vote came to the same."""
    first = min(vote.ranked, key=lambda sample: sample.index)
    if not vote.ballots.total or not first.logprobs:
        return None
    ours, theirs = first.answer, vote.winner.answer
    won = ours is not None and theirs is not None and ours.key == theirs.key
    return FirstSample(confidence=round(group_confidence(first), 6), won=won)


def _past_vote(verified: Verified, recalled: Recalled, training: Adapted) -> PastVote | None:
    """How the votes fell; a single sample says nothing of that."""
    ballots = verified.vote.ballots
    if ballots.total < 2:
        return None
    return PastVote(
        **Pattern.of(ballots.counts)._asdict(),
        trained=training.adapter is not None,
        near=recalled.close[0].record.id if recalled.close else None,
    )


def _neighbours(training: Adapted) -> tuple[NeighbourReport, ...] | None:
    if not training.neighbours:
        return None
    return tuple(
        NeighbourReport(id=n.record.id, similarity=round(n.similarity, 4))
        for n in training.neighbours
    )
