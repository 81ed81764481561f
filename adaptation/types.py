"""The domain types of adaptation: what is asked, what was sampled, what came of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from adaptation.conversation import Conversation
from adaptation.options import Options, Strategy
from adaptation.report import (
    AnswerCount,
    ReleaseReport,
    Report,
    SampleCounts,
    ScopeReport,
    StopReason,
    TokenCounts,
)
from adaptation.said import Said
from adaptation.stopwatch import Watch
from adaptation.voting.ballots import Ballots
from memory.history.traced import Traced
from memory.identity.answers.answer import Answer
from memory.identity.prompt import Prompt
from memory.types import Message, PastVote, Trial, question_of

if TYPE_CHECKING:
    from adaptation.verifiers import Verifier


@dataclass(frozen=True)
class Adapter:
    """A LoRA on disk, under the name and id the engine knows it by."""

    name: str
    """A name that is leased exclusively: two ids under one name in a batch kill vLLM."""
    id: int
    """An id that is never used again within a server process."""
    path: str
    version: str
    """Id that reports show: of the registry, or of an ephemeral adapter."""
    rank: int
    parent: str | None = None


Notify: TypeAlias = "Callable[[Sample, Callable[[], tuple[AnswerCount, ...]]], None]"
"""Called with a sample that has its answer, and a function that returns the votes so far."""


@dataclass(frozen=True)
class Query:
    """A request as adaptation sees it."""

    id: str
    tenant: str
    messages: tuple[Message, ...]
    engine_request: object
    """The engine's own form of the prompt and its sampling parameters; opaque here."""
    options: Options
    base: Adapter | None = None
    """The distilled adapter this tenant is served with; None is the model as it came."""
    scope: ScopeReport | None = None
    """Why the base is that one, where the question decided."""
    release: ReleaseReport | None = None
    """Why the base is that one, where a trial decided."""
    deadline: float = math.inf
    """Monotonic seconds; sampling ends here with the best answer so far."""
    choices: int = 1
    """OpenAI's `n`: how many alternatives the response carries."""
    seed: int | None = None
    has_tools: bool = False
    json_output: bool = False
    request: Mapping[str, Any] = field(default_factory=dict)
    """What besides the messages makes the prompt, such as tools."""
    terms: str = ""
    """What besides the prompt decides a greedy answer, but for its length: where an output has to
    stop, what it must not say. The same for all requests that ask alike."""
    is_bent: bool = False
    """Whether the request changes how likely tokens are, by penalties or biases: log-probabilities
    do not say then how likely a sample was."""
    verifiers: tuple[Verifier, ...] = ()
    """The verifiers that `options.verifiers` asks for."""
    can_be_reworded: bool = False
    """Whether `messages` are all there is to the prompt, so that others may take their place."""
    effort: str | None = None
    """How hard the request asks to think, where that chose the strategy."""
    end_user: str | None = None
    """The user, among the tenant's own, who asks; kept with what is saved, and decides nothing."""
    metadata: Mapping[str, str] | None = None
    """What the client notes with its request; kept too, and decides nothing."""
    notify: Notify | None = field(default=None, repr=False)
    """Called with every sample that is counted; must not block."""
    abandoned: Abandoned | None = field(default=None, repr=False)
    """Called with what was spent where the request ended without an answer."""
    watch: Watch = field(default=nullcontext, repr=False, compare=False)
    """Called with every step as it begins and as it ends."""

    @property
    def seconds_left(self) -> float | None:
        """Until the deadline, never below 0; None where there is none."""
        if self.deadline == math.inf:
            return None
        return max(0.0, self.deadline - time.monotonic())

    @property
    def question(self) -> str:
        """The last user turn."""
        return question_of(self.messages)

    @property
    def conversation(self) -> Conversation:
        """What is asked, for a chat template to render."""
        return Conversation(messages=self.messages, request=self.request)

    @property
    def prompt(self) -> Prompt:
        """What is asked, for memory to know it again."""
        task = self.options.memory.task
        return Prompt(messages=self.messages, request=self.request, task=task)

    def adapter_of(self, sample: Sample) -> str | None:
        """Return the id of what a sample was drawn through, as reports show it; None: the base."""
        return sample.adapter or (self.base.version if self.base else None)


@dataclass(frozen=True)
class Given:
    """What of a strategy's needs a request brings."""

    has_verifiers: bool
    can_be_reworded: bool
    choices: int


@dataclass(frozen=True)
class Draw:
    """How one sample is to be drawn."""

    index: int
    request_id: str
    temperature: float | None
    """None keeps the request's own temperature."""
    seed: int | None
    adapter: Adapter | None
    prompt: object | None = None
    """The engine's own form of another prompt; None keeps the request's."""
    instruction: int = 0
    """Number of the instruction that the sample was given, from 1; 0 is none."""
    is_aside: bool = False
    """Whether only the strategy reads the reply: it is held to no form and to no stops."""
    foretold_after: int | None = None
    """Tokens after which an earlier sample may foretell the rest; None: none does."""


@dataclass(frozen=True)
class Sample:
    """One generation, finished or cut short."""

    index: int
    text: str
    n_tokens: int
    finish_reason: str | None
    logprobs: Sequence[float] = ()
    """Log-probability of each sampled token, where the engine gives them."""
    chars: Mapping[int, int] = field(default_factory=dict, repr=False)
    """Tokens → characters of the text that they made, as far as the engine looked at them."""
    adapter: str | None = None
    instruction: int = 0
    """See `Draw`."""
    engine_output: object = None
    """The engine's own output, from which its handler builds the response."""
    parsed: Said | None = None
    """The text as the engine's parsers read it; None where it has none for this request."""
    answer: Answer | None = None
    """Answer read out of the text when the sample was counted."""

    @property
    def said(self) -> Said:
        """What the sample says and calls."""
        return Said(self.text) if self.parsed is None else self.parsed


Abandoned: TypeAlias = Callable[[SampleCounts, TokenCounts], None]


@dataclass(frozen=True)
class Vote:
    """The outcome of a vote over samples."""

    winner: Sample
    answer: str | None
    agreement: float
    """Share of the finished samples that gave the winning answer."""
    confidence: float
    """P(the winner is the mode of the answer distribution | the votes)."""
    counts: tuple[AnswerCount, ...]
    stop_reason: StopReason
    readable: bool
    """Whether the answer could be read out of the text, or is only the text itself."""
    ranked: tuple[Sample, ...]
    """Every counted sample: one for each answer first, most votes first, then the others."""
    ballots: Ballots
    """Which votes agreed with which; empty where there is no telling."""


@dataclass(frozen=True)
class Outcome:
    """What the pipeline hands back to the engine's handler."""

    samples: tuple[Sample, ...]
    """The samples that are returned, as many as `Query.choices`, best first."""
    report: Report
    vote: PastVote | None = None
    """How the votes fell, where later votes can learn from it."""
    trial: Trial | None = None
    """What the ledger of strategies is told; likewise below."""
    tried: tuple[Trial, ...] = ()
    """Of other strategies that were tried beside the one that answered."""
    traced: Traced | None = None
    """What the trace shows of how the answer came about."""

    @classmethod
    def plain(cls, query: Query, sample: Sample, traced: Traced) -> Outcome:
        """Return the outcome of a request that was neither voted on nor trained for."""
        return cls(
            (sample,),
            Report(
                strategy=Strategy.PLAIN,
                requested=query.options.strategy,
                effort=query.effort,
                stop_reason=StopReason.SINGLE,
                samples=SampleCounts(started=query.choices, finished=query.choices),
                tokens=TokenCounts(returned=sample.n_tokens),
            ),
            traced=traced,
        )
