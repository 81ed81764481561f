"""What a strategy may do for one request: recall, sample, vote, adapt, check, on one account.

A strategy sees nothing but its session. Every wait goes through here and ends at the request's
deadline; whatever is generated or trained is on the account (`SamplePool`), cancelled work
included, and whatever still runs is cancelled when the session ends.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from adaptation.evidence import Known
from adaptation.learning.adapting import adapted
from adaptation.learning.overlap import Overlap
from adaptation.options import Options, Strategy
from adaptation.policy import Policy
from adaptation.recall import Recalled, recall
from adaptation.report import Baseline, StopReason
from adaptation.rewards.reward_model import Scores
from adaptation.services import Services
from adaptation.stopwatch import Stopwatch
from adaptation.tries import Tries
from adaptation.types import Adapter, Given, Query, Sample
from adaptation.verify import Checked, Checks, Verified, best_group, verify
from adaptation.voting.pool import SamplePool
from adaptation.voting.tally import Group
from adaptation.voting.voting import Voting
from memory.identity.answers import agree
from memory.types import Message

logger = logging.getLogger(__name__)

ENDS = frozenset({StopReason.DEADLINE, StopReason.BUDGET})


class Session:
    """One request under way. Leaving it as a context manager ends all that still runs for it."""

    def __init__(self, query: Query, services: Services) -> None:
        self.query = query
        self.clock = Stopwatch(query.watch)
        self.pool = SamplePool(
            services.engine,
            query,
            query.options.budget.tokens,
            services.crowd,
            services.policy.straggler_factor,
        )
        self.tries = Tries(self.pool, self.clock)
        """What was tried, for the case that something else answers."""
        self.recalled = Recalled()
        """What `recall` found last."""
        self.ended: StopReason | None = None
        """Why nothing more can be drawn: time or tokens are up."""
        self._services = services
        self._checks = Checks(query, services.gradings)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Session:
        await self._stack.enter_async_context(self.pool)
        return self

    async def __aexit__(self, *raised: Any) -> None:
        await self._stack.__aexit__(*raised)

    @property
    def options(self) -> Options:
        """What the request asks for."""
        return self.query.options

    @property
    def policy(self) -> Policy:
        """What the operator decides for all requests."""
        return self._services.policy

    @property
    def samples_left(self) -> int:
        """How many samples may still be drawn."""
        return 0 if self.ended else max(0, self.options.max_samples - self.pool.launched)

    async def recall(self, *, as_examples: bool = False) -> Recalled:
        """Find records whose questions are like this one; none, and why, where memory fails.

        `as_examples` asks for enough of them to learn from.
        """
        with self.clock.measure("retrieve"):
            self.recalled = await recall(self.query, self._services, as_examples=as_examples)
        return self.recalled

    async def voting(
        self,
        *,
        trained: bool = False,
        messages: Sequence[Message] | None = None,
        rule: str | None = None,
    ) -> Voting:
        """Return a vote that has not begun.

        `trained` says that it is drawn through an adapter made for this request, `messages` what
        is asked instead of the request's own conversation, `rule` what ends it instead of the
        server's rule. Raises `EngineError` where the messages cannot be rendered or are too long.
        """
        with self.clock.measure("retrieve"):
            return await self._services.voting(
                self.query, self.recalled.close, trained=trained, messages=messages, rule=rule
            )

    async def poll(
        self, voting: Voting, most: int | None = None, adapter: Adapter | None = None
    ) -> StopReason:
        """Draw votes until they are decided or `most` are counted; by default all that is left.

        They are drawn through `adapter`, else as the tenant is served.
        """
        if self.ended is not None:
            return self.ended
        left = voting.tally.total + self.samples_left
        most = left if most is None else min(most, left)
        with self.clock.measure("sample"):
            stop = await voting.poll(self.pool, most, adapter or self.query.base)
        self.ended = stop if stop in ENDS else self.ended
        return stop

    async def replies(self, *conversations: Sequence[Message]) -> list[Sample | None]:
        """Ask other conversations, all at once, and return the replies in their order.

        They are candidates for the answer, in the form that the request demands. None stands for
        one that failed, was not given time, or cannot be rendered.
        """
        return await self._asked(conversations, is_aside=False)

    async def aside(self, *conversations: Sequence[Message]) -> list[Sample | None]:
        """Ask the model what nobody will be shown: like `replies`, but free of any form.

        Half of a budget of tokens is kept for the answer, and half of the time that is left.
        """
        return await self._asked(conversations, is_aside=True)

    async def _asked(
        self, conversations: Sequence[Sequence[Message]], *, is_aside: bool
    ) -> list[Sample | None]:
        places: dict[int, int] = {}
        found: list[Sample | None] = [None] * len(conversations)
        with self.clock.measure("sample"):
            for place, messages in enumerate(conversations):
                if not self.samples_left or (is_aside and not self.pool.has_tokens_aside):
                    break
                draw = self._services.drawer(self.query).another(
                    self.pool.launched, messages, self.query.base, is_aside=is_aside
                )
                if draw is not None:
                    places[draw.index] = place
                    self.pool.launch(draw)
            left_s = self.query.seconds_left
            try:
                async with asyncio.timeout(left_s / 2 if left_s and is_aside else None):
                    async for sample in self._arriving():
                        found[places[sample.index]] = sample
            except TimeoutError:
                logger.info("request %s: a reply besides the votes was late", self.query.id)
            finally:
                await self.pool.cancel()
        return found

    async def _arriving(self) -> AsyncIterator[Sample]:
        """Yield samples as they finish, until none is left or all has ended."""
        while not isinstance(arrived := await self.pool.next(), StopReason):
            if isinstance(arrived, Sample):
                yield arrived
        self.ended = arrived if arrived in ENDS else self.ended

    def overlap(self) -> Overlap:
        """Return the training of an adapter on what was recalled, which may begin at any time.

        Its adapter stays loaded until the session ends.
        """
        train = partial(
            adapted, self.query, self.recalled.neighbours, self._services, self.clock, self.pool
        )
        overlap = Overlap(train)
        self._stack.push_async_exit(overlap)
        return overlap

    async def check(self, sample: Sample, answer: str | None) -> Checked:
        """Put the request's verifiers to a sample; each is asked once about the same text."""
        with self.clock.measure("verify"):
            return await self._checks.of(sample, answer)

    async def score(self, samples: Sequence[Sample]) -> Scores:
        """Return what the reward model thinks of samples, or how sure of themselves they are."""
        with self.clock.measure("score"):
            return await self._services.scores(self.query, samples)

    @property
    def given(self) -> Given:
        """Return which needs of strategies the request meets."""
        return Given(bool(self.query.verifiers), self.query.can_be_reworded, self.query.choices)

    @property
    def tokens_per_sample(self) -> float:
        """Return the mean tokens of this request's samples; 0 where none was drawn."""
        return self.pool.generated_tokens / max(1, self.pool.launched)

    @property
    def explores(self) -> bool:
        """Return whether another strategy is tried beside a vote that needs none, to see its worth.

        It is tried only where verifiers will tell which of the two was right and the result may be
        noted. The same request always gets the same decision.
        """
        can_tell = self.query.verifiers and self.options.memory.write and not self.ended
        share = self.policy.shadow_share if can_tell else 0.0
        return random.Random(self.query.id).random() < share

    async def evidence(self) -> Known:
        """Return what strategies were worth to the tenant, and on questions like this one."""
        with self.clock.measure("retrieve"):
            return await self._services.evidence.of(self.query, self.recalled.close)

    async def obstacle_to_showing(self) -> str | None:
        """Return why what was recalled would not help as demonstrations; None where it does.

        Neighbours are asked what they teach each other (see `LeaveOneOut`), for half of the time
        that is left; None as well where that does not do.
        """
        seen = (await self.evidence()).near_of(Strategy.DEMONSTRATIONS)
        query, found, bill = self.query, self.recalled.neighbours, self.pool.bill_examination
        left_s, one_out = query.seconds_left, self._services.leave_one_out
        with self.clock.measure("judge"):
            try:
                async with asyncio.timeout(None if left_s is None else left_s / 2):
                    return (await one_out.effect(query, found, seen, bill)).obstacle
            except TimeoutError:
                logger.info("request %s: demonstrations were not examined in time", self.query.id)
                return None

    def showing_helps(self, known: Known) -> bool:
        """Whether earlier requests have seen that demonstrations help on what was recalled."""
        seen, one_out = known.near_of(Strategy.DEMONSTRATIONS), self._services.leave_one_out
        return one_out.known(self.query, self.recalled.neighbours, seen).helps

    async def passes(self, voting: Voting) -> bool | None:
        """Whether a vote has an answer that passes every verifier; None: not known."""
        return (await self._best(voting))[1]

    async def _best(self, voting: Voting) -> tuple[Group | None, bool | None]:
        """Return what a vote comes to (see `verify`), and what the verifiers say of it."""
        groups = voting.tally.groups
        if not groups or not self.query.verifiers:
            return next(iter(groups), None), None
        return await best_group(groups, self.check)

    async def compared(self, voting: Voting | None, verified: Verified) -> Baseline | None:
        """Return what another vote came to, beside the answer that is returned."""
        best, passed = await self._best(voting) if voting else (None, None)
        if best is None:
            return None
        answer, won = best.answer, verified.vote.winner.answer
        return Baseline(
            answer=answer.text if answer else None,
            same=answer is not None and won is not None and agree(answer.key, won.key),
            passed=passed,
        )

    async def notes(self) -> tuple[str, ...]:
        """Return what earlier requests of the same task learned from tries that failed."""
        with self.clock.measure("retrieve"):
            return await self._services.short_term.notes(self.query)

    async def note(self, notes: Sequence[str]) -> None:
        """Keep notes for the requests of the same task that follow."""
        with self.clock.measure("remember"):
            await self._services.short_term.note(self.query, notes)

    async def conclude(self, voting: Voting, stop: StopReason) -> Verified:
        """Return the outcome of a vote with what the verifiers say; see `Voting.conclude`."""
        vote = await voting.conclude(self.pool, stop)
        with self.clock.measure("verify"):
            return await verify(self.query, vote, self._checks)
