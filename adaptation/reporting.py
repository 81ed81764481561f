"""From what happened to the `adaptation` object of the response."""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.options import Strategy
from adaptation.report import Baseline, FirstSample, MemoryReport, NeighbourReport, Report
from adaptation.session import Session
from adaptation.strategies.strategy import Decision
from adaptation.tracing import traced_of
from adaptation.types import Outcome, Query, Sample, Vote
from adaptation.verify import Verified
from adaptation.voting.novelty import mean_novelty
from adaptation.voting.pool import SamplePool
from adaptation.voting.stopping.shapes import Pattern
from adaptation.voting.weights import group_confidence
from memory.types import Neighbour, PastVote, Trial


def make_outcome(
    session: Session,
    decision: Decision,
    verified: Verified,
    baseline: Baseline | None,
    saved: MemoryReport,
) -> Outcome:
    """Return what is served and the account of how it came about."""
    query, pool, vote = session.query, session.pool, verified.vote
    returned = _choices(query, vote, pool)
    indices = {sample.index for sample in returned}
    report = Report(
        strategy=decision.strategy,
        requested=query.options.strategy,
        effort=query.effort,
        stop_reason=vote.stop_reason,
        answer=vote.answer,
        agreement=vote.agreement,
        confidence=vote.confidence,
        votes=vote.counts,
        first_sample=_first_sample(vote) if decision.is_usual else None,
        samples=pool.sample_counts(),
        tokens=pool.token_counts(indices.__contains__),
        neighbours=_neighbours(decision),
        nearest=next(iter(_told(session.recalled.neighbours[:1])), None),
        adapter=decision.adapted.report,
        verification=verified.reports or None,
        steps=decision.steps or None,
        baseline=baseline,
        novelty=_novelty(vote),
        memory=saved,
        seconds={name: round(seconds, 4) for name, seconds in session.clock.seconds.items()},
        reason=_reason(decision.reason, session.recalled.note, _failures(pool)),
    )
    past = _past_vote(vote, session, decision) if decision.is_usual else None
    traced = traced_of(session, vote, indices, decision.adapted.losses)
    own, tried = session.tries.split(_trial(session, verified, report))
    return Outcome(returned, report, past, own, tried, traced)


def _trial(session: Session, verified: Verified, report: Report) -> Trial:
    """Return what all took; that an answer is right is for verifiers of truth to say."""
    right = verified.checked.passed
    if right and verified.tier is None:
        right = None
    beside = report.baseline
    return Trial(
        strategy=report.strategy,
        near=session.recalled.nearest,
        right=right,
        baseline=beside.passed if beside else None,
        same=beside.same if beside else None,
        tokens=report.tokens.generated,
        trained_tokens=report.tokens.training,
        seconds=session.clock.since_start_s,
    )


def _novelty(vote: Vote) -> float | None:
    share = mean_novelty(vote.ranked)
    return None if share is None else round(share, 4)


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


def _past_vote(vote: Vote, session: Session, decision: Decision) -> PastVote | None:
    """How the votes fell; a single sample says nothing of that."""
    if vote.ballots.total < 2:
        return None
    return PastVote(
        **Pattern.of(vote.ballots.counts)._asdict(),
        trained=decision.strategy is Strategy.TTT,
        near=session.recalled.nearest,
    )


def _neighbours(decision: Decision) -> tuple[NeighbourReport, ...] | None:
    """Return the neighbours that were trained on, shown or held out."""
    found = decision.neighbours or decision.adapted.neighbours
    if not found:
        return None
    return _told(found)


def _told(found: Sequence[Neighbour]) -> tuple[NeighbourReport, ...]:
    return tuple(NeighbourReport(id=n.record.id, similarity=round(n.similarity, 4)) for n in found)
