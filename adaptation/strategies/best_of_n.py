"""Best of N, weighted: every sample is scored, and an answer has the scores of all who gave it.

Stiennon et al. 2020 (arXiv 2009.01325); weighted by Li et al. 2023 (DiVeRSe, arXiv 2206.02336).
Verifiers come first: where one sample passes them, those that fail have no say. What is left is
scored by a reward model, else by how sure a sample was of its own tokens. Free texts, of which no
two agree, are chosen by their scores alone. Its baseline is the vote over as many samples; its
limit is the judge: a model's confidence favours the fluent, and a reward model what resembles its
training.
"""

from __future__ import annotations

from collections.abc import Sequence

from adaptation.options import Strategy
from adaptation.report import Step
from adaptation.session import Session
from adaptation.strategies.strategy import Decision, Plainly
from adaptation.types import Sample

LEAST = 1e-6
"""What a sample weighs that has a say, however low its score: more than one that has none."""


class BestOfN(Plainly):
    """Draws every sample it may, and takes the answer with the highest score."""

    is_experimental = True

    async def answer(self, session: Session) -> Decision:
        """See `Answering.answer`."""
        await session.recall()
        voting = await session.voting(rule="fixed")
        voting.is_judged = True
        stop = await session.poll(voting)
        samples = voting.tally.samples
        passed = await _passed(session, samples)
        judged = passed or samples
        scores = await session.score(judged)
        weights = _weights(judged, scores.values)
        voting.tally.reweigh(lambda sample: weights.get(sample.index, 0.0))
        told = f"{_first(session, passed)}scored by {scores.by}"
        step = Step(kind="score", text=told)
        return Decision(Strategy.BEST_OF_N, voting, stop, scores.reason, steps=(step,))


async def _passed(session: Session, samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples that pass the request's verifiers, as far as there is time."""
    passed: list[Sample] = []
    if not session.query.verifiers:
        return passed
    for sample in samples:
        checked = await session.check(sample, sample.answer.text if sample.answer else None)
        if checked.is_late:
            break
        if not checked.failed:
            passed.append(sample)
    return passed


def _weights(samples: Sequence[Sample], scores: Sequence[float]) -> dict[int, float]:
    """Return what each sample weighs, by its draw; where no score tells them apart, one each."""
    if not any(scores):
        return dict.fromkeys((sample.index for sample in samples), 1.0)
    pairs = zip(samples, scores, strict=True)
    return {sample.index: max(score, LEAST) for sample, score in pairs}


def _first(session: Session, passed: Sequence[Sample]) -> str:
    """Say what the verifiers came to, where there are any."""
    if not session.query.verifiers:
        return ""
    return "verified first, then " if passed else "no sample was verified; "
