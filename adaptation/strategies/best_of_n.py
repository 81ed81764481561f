"""Best of N, weighted: every sample is scored, and an answer has the scores of all who gave it.

Stiennon et al. 2020 (arXiv 2009.01325); weighted by Li et al. 2023 (DiVeRSe, arXiv 2206.02336).
Verifiers come first, then a reward model, then how sure a sample was of its own tokens. Its
baseline is the vote over as many samples; its limit is the judge: a model's confidence favours the
fluent, and a reward model what resembles its training.
"""

from __future__ import annotations

from adaptation.options import Strategy
from adaptation.session import Session
from adaptation.strategies.strategy import Decision, Plainly
from adaptation.types import Sample
from adaptation.voting.voting import Voting


class BestOfN(Plainly):
    """Draws every sample it may, and takes the answer with the highest score."""

    async def answer(self, session: Session) -> Decision:
        """See `Answering.answer`."""
        await session.recall()
        voting = await session.voting(rule="fixed")
        stop = await session.poll(voting)
        samples = voting.tally.samples
        scores, by = await session.score(samples)
        passed = await self._passed(session, voting)
        scored = {
            sample.index: score if not passed or sample.index in passed else 0.0
            for sample, score in zip(samples, scores, strict=True)
        }
        voting.tally.reweigh(lambda sample: scored[sample.index])
        return Decision(Strategy.BEST_OF_N, voting, stop, f"scored by {by}")

    async def _passed(self, session: Session, voting: Voting) -> set[int]:
        """Return the samples whose answers pass the request's verifiers."""
        if not session.query.verifiers:
            return set()
        passed: set[int] = set()
        for group in voting.tally.groups:
            text = group.answer.text if group.answer else None
            checked = await session.check(group.example, text)
            passed |= _indices(group.samples) if not checked.failed else set()
        return passed


def _indices(samples: list[Sample]) -> set[int]:
    return {sample.index for sample in samples}
