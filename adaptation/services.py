"""What the pipeline works with, built once and passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from adaptation.allowance import Allowance, Unlimited
from adaptation.background import Background
from adaptation.engine import Engine
from adaptation.evidence import Evidence
from adaptation.learning.adapter_cache import AdapterCache
from adaptation.learning.leases import AdapterLeases
from adaptation.learning.leave_one_out import LeaveOneOut
from adaptation.learning.loaded import LoadedAdapters
from adaptation.learning.training.trainer import Trainer
from adaptation.learning.trainings import Trainings
from adaptation.learning.wanted import Wanted
from adaptation.policy import Policy
from adaptation.rewards.reward_model import CONFIDENCE, REWARDS, RewardError, RewardModel, Scores
from adaptation.short_term import ShortTermMemory
from adaptation.types import Query, Sample
from adaptation.verifiers.gradings import Gradings
from adaptation.voting.crowd import Crowd
from adaptation.voting.draws import Drawer
from adaptation.voting.reader import Reader
from adaptation.voting.representative import Representative
from adaptation.voting.rules import Rules
from adaptation.voting.voting import Voting
from adaptation.voting.weights import group_confidence, weighing
from adaptation.workers.algebra import Algebra
from memory.memory import LongTermMemory
from memory.types import Message, Neighbour


@dataclass(frozen=True)
class Services:
    """The parts a request passes through."""

    engine: Engine
    memory: LongTermMemory
    trainer: Trainer
    leases: AdapterLeases
    loaded: LoadedAdapters
    """Holds leases: there is one for all that ask the engine."""
    policy: Policy
    algebra: Algebra = field(default_factory=Algebra)
    background: Background = field(default_factory=Background)
    trainings: Trainings = field(default_factory=Trainings)
    gradings: Gradings = field(default_factory=Gradings)
    kept: AdapterCache | None = None
    """Adapters of earlier requests."""
    wanted: Wanted | None = None
    """Is told of what had no time to be trained."""
    rewards: RewardModel | None = None
    """Scores replies, where the operator named a model for it."""
    crowd: Crowd = field(default_factory=Crowd)
    allowance: Allowance = field(default_factory=Unlimited)
    """What each tenant may still train and save."""

    @cached_property
    def rules(self) -> Rules:
        """Which rule ends a vote."""
        policy, memory = self.policy, self.memory
        name, price = policy.stopping_rule, policy.sample_price
        return Rules(name, memory.votes, price, read=memory.aside.read)

    @cached_property
    def evidence(self) -> Evidence:
        """What strategies were worth."""
        return Evidence(self.memory)

    @cached_property
    def leave_one_out(self) -> LeaveOneOut:
        """What demonstrations do on neighbours."""
        return LeaveOneOut(self.engine, self.algebra, self.policy)

    @cached_property
    def short_term(self) -> ShortTermMemory:
        """What earlier requests of a task noted."""
        return ShortTermMemory(self.memory, self.background)

    async def voting(
        self,
        query: Query,
        close: Sequence[Neighbour],
        *,
        trained: bool = False,
        messages: Sequence[Message] | None = None,
        rule: str | None = None,
    ) -> Voting:
        """Return a vote on `query` that has not begun; see `Session.voting` and `Rules.of`."""
        policy, engine = self.policy, self.engine
        embed = partial(self.memory.aside.embedding.vectors, query.tenant, is_rough=True)
        drawer = self.drawer(query, policy.instructions)
        is_usual = not trained and messages is None
        return Voting(
            query,
            await self.rules.of(query, close, trained=trained, rule=rule),
            drawer if messages is None else drawer.asking(messages),
            Representative(query, engine, embed, ask=policy.free_text == "ask"),
            Reader(query, self.algebra),
            weighing(policy.vote_weight),
            self._bar(query) if is_usual and rule is None else None,
            policy.first_samples,
        )

    def drawer(self, query: Query, instructions: Sequence[str] = ()) -> Drawer:
        """Return what says how each sample of `query` is drawn."""
        return Drawer(query, self.engine, instructions, self.policy.temperatures)

    async def scores(self, query: Query, samples: Sequence[Sample]) -> Scores:
        """See `Session.score`."""
        own, why = [group_confidence(sample) for sample in samples], None
        if self.rewards is not None:
            try:
                return Scores(await self.rewards.scores(query, samples), REWARDS)
            except RewardError as error:
                why = f"the reward model was left out: {error}"
        return Scores(own, CONFIDENCE, why)

    def _bar(self, query: Query) -> float | None:
        """Return the confidence from which the first sample is all that is drawn.

        It was found on the base: what an adapter is sure of is another matter. And it promises so
        much agreement with a vote, and no more.
        """
        policy = self.policy
        found = policy.calibrations.get(query.tenant, policy.calibration)
        if found is None or query.base or query.options.confidence > found.agreement:
            return None
        return found.bar
