"""Self-consistency: draw samples, count their answers, stop as soon as another cannot matter.

Wang et al. 2022 (arXiv 2203.11171), with an adaptive stopping rule. Every sample is its own
engine request, so that a loser can be cancelled the moment the vote is decided.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from adaptation.errors import DeadlineError
from adaptation.report import StopReason
from adaptation.types import Adapter, Query, Sample, Vote
from adaptation.voting.ballots import Ballots, leader_probability
from adaptation.voting.draws import Drawer
from adaptation.voting.failure import Failure
from adaptation.voting.pool import SamplePool
from adaptation.voting.reader import Reader
from adaptation.voting.representative import Representative
from adaptation.voting.stopping import StoppingRule, next_wave
from adaptation.voting.tally import Tally
from adaptation.voting.weights import count, group_confidence
from memory.identity.answers import Answer

IN_FLIGHT = 2
"""Samples kept running once the votes disagree. Waiting for the last of the smallest wave that
could decide costs a whole sample's time; more than two would only be cancelled more often."""
FREE_TEXT_WAVE = 4
"""Samples after which a question whose answers are all free text is settled by the medoid."""


class Voting:
    """One vote on one query: what has been counted, and the rule that ends it."""

    def __init__(
        self,
        query: Query,
        rule: StoppingRule,
        drawer: Drawer,
        representative: Representative,
        reader: Reader,
        weigh: Callable[[Sample], float] = count,
        bar: float | None = None,
        first: int = 0,
    ) -> None:
        """`bar` is the group confidence from which the first sample is not voted on; `first` are
        drawn before all others, 0: as many as could decide the vote, and one in a crowd.
        """
        self.tally = Tally(weigh)
        self._query = query
        self._rule = rule
        self._drawer = drawer
        self._representative = representative
        self._reader = reader
        self._bar = bar
        self._first = 1 if bar is not None else first  # one may be all there is to draw
        self.doubted: Callable[[], None] | None = None
        """Called when there is more than one answer, after every sample."""
        self.is_judged = False
        """Whether scores will choose among all samples, free texts too: no text is then chosen for
        being most like the others, and no wave of them is enough."""
        self._failed = 0
        """How many samples the engine did not finish."""

    @property
    def confidence(self) -> float:
        """P(the answer in front is the mode | the votes)."""
        if self.tally.leads_by_count:
            return self._rule.leader_probability(self.tally.ballots)
        first, *others = (len(group.samples) for group in self.tally.groups)
        return leader_probability(first, max(others))

    async def poll(self, pool: SamplePool, most: int, adapter: Adapter | None) -> StopReason:
        """Draw and count until the rule stops, `most` are counted, or time or tokens end.

        A sample that fails is replaced, at the price of one of `most`, as long as more have come
        than have failed, or where it was the first and alone. When it returns, nothing runs in the
        engine any more.
        """
        most += self._failed  # in an earlier poll: `most` is what is left beside them
        try:
            while (stop := self._verdict(most)) is None:
                self._launch_wave(pool, most, adapter)
                arrived = await pool.next()
                if isinstance(arrived, StopReason):
                    return arrived
                if isinstance(arrived, Failure):
                    self._failed += 1
                else:
                    await self.count(arrived)
            return stop
        finally:
            # Whatever ends the poll: its adapter is about to be unloaded.
            await pool.cancel()

    async def count(self, sample: Sample) -> Answer | None:
        """Count a sample, whoever drew it, and return the answer in it."""
        answer = await self._reader.read(sample, self.tally.answers)
        self.tally.add(sample, answer)
        if self.doubted is not None and len(self.tally.groups) > 1:
            self.doubted()
        if self._query.notify is not None:
            self._query.notify(replace(sample, answer=answer), self.tally.report)
        return answer

    def _launch_wave(self, pool: SamplePool, most: int, adapter: Adapter | None) -> None:
        """Keep as many samples in flight as the quickest decision needs, and some more in doubt."""
        ballots = self.tally.ballots
        was_alone = self._failed == 1 and not pool.in_flight  # the first, with none beside it
        if self._failed > ballots.total and not was_alone:
            return  # what is in flight may still come: an engine that fails is asked for no more
        remaining = most - ballots.total - self._failed
        wave = next_wave(self._rule, ballots, remaining, self._query.options.confidence)
        if len(ballots.counts) > 1:  # in doubt: rather a few tokens too many than one wave more
            wave = max(wave, IN_FLIGHT)
        first = self._first or int(pool.first_is_alone)
        if first and not ballots.total:
            wave = min(wave, first)
        if self._needs_representative:  # no more votes will settle it: see `_verdict`
            wave = max(0, FREE_TEXT_WAVE - ballots.total)
        wave = min(max(wave, self._query.choices - ballots.total), remaining)
        for _ in range(wave - pool.in_flight):
            pool.launch(self._drawer.draw(pool.launched, adapter))

    def _verdict(self, most: int) -> StopReason | None:
        tally, remaining = self.tally, most - self.tally.total - self._failed
        if tally.total < max(1, min(self._query.choices, most)):
            return None
        if self._needs_representative and tally.total >= FREE_TEXT_WAVE:
            return StopReason.EXHAUSTED
        if most == 1 or self._is_sure_of_the_first():
            return StopReason.SINGLE
        if tally.leads_by_count:
            stop = self._rule.stop(tally.ballots, remaining, self._query.options.confidence)
            # The rule is certain of the count; by weight, the lead may be smaller: go on.
            is_open = stop is StopReason.CERTAIN and tally.lead <= remaining
            return None if is_open else stop
        # What a rule is sure of is the answer with most votes; another one weighs more: go on.
        return None if remaining else StopReason.EXHAUSTED

    @property
    def _needs_representative(self) -> bool:
        return self.tally.is_free_text and not self.is_judged

    def _is_sure_of_the_first(self) -> bool:
        if self._bar is None or self.tally.total != 1:
            return False
        (group,) = self.tally.groups
        is_answer = group.answer is not None and group.answer.structured
        return is_answer and group_confidence(group.samples[0]) >= self._bar

    async def conclude(self, pool: SamplePool, stop: StopReason) -> Vote:
        """Return the outcome, after the last poll.

        Raises `DeadlineError` where not one token was generated in time, and the first failure's
        error where all samples failed.
        """
        tally = self.tally
        ranked = await self._ranked(pool, stop)
        groups = tally.groups
        answer = groups[0].answer if groups and not tally.is_free_text else None
        return Vote(
            winner=ranked[0],
            answer=answer.text if answer else None,
            agreement=len(groups[0].samples) / tally.total if groups else 0.0,
            confidence=self.confidence if groups else 0.0,
            counts=tally.report(),
            stop_reason=stop,
            readable=answer is not None and answer.structured,
            ranked=tuple(ranked),
            ballots=Ballots() if tally.is_free_text else tally.ballots,
        )

    async def _ranked(self, pool: SamplePool, stop: StopReason) -> list[Sample]:
        """Return one sample for each answer, the best first, then all the others."""
        tally = self.tally
        if tally.total == 0:
            return [_longest(pool, stop)]
        best = [group.example for group in tally.groups]
        if self._needs_representative:
            try:
                whole = [sample for sample in best if sample.answer]
                has_room = pool.launched < self._query.options.max_samples
                may_ask = has_room and stop is StopReason.EXHAUSTED and bool(whole)
                central = await self._representative.of(whole or best, pool, may_ask=may_ask)
            finally:
                await pool.cancel()
            best = [central, *(sample for sample in best if sample is not central)]
        return [*best, *(sample for sample in tally.samples if sample not in best)]


def _longest(pool: SamplePool, stop: StopReason) -> Sample:
    cut = pool.cut_short()
    if pool.failures and (stop is StopReason.FAILED or not cut):
        raise pool.failures[0].error
    if not cut:
        if stop is StopReason.BUDGET:
            raise DeadlineError(
                "the budget of tokens was spent before an answer: allow more tokens"
            )
        raise DeadlineError("the deadline passed before the first token: allow more wall_s")
    return cut[0]
