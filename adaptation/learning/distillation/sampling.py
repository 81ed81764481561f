"""Guards that are sampled: what a greedy reply cannot show.

A model that was trained to one way of answering may still be right, and have lost all others: what
sixteen samples find that one does not (pass@k), and how different they are. So some far guards and
some of the held-out questions are asked sixteen times over, of what is served and of the candidate.
The candidate's replies to the far ones also tell how far it went from the base:
KL(candidate ‖ base) = E[log p(y) − log q(y)], y drawn from the candidate, nats a token, which
foretells what is forgotten (arXiv 2509.04259).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, chain
from statistics import fmean, median

from adaptation.conversation import Conversation
from adaptation.learning.distillation.at_once import at_once
from adaptation.learning.distillation.counts import Counts, all_kept, counted
from adaptation.learning.distillation.far import TOOLS
from adaptation.learning.distillation.guarding import Guard
from adaptation.learning.distillation.judging import Grade
from adaptation.learning.distillation.report import Sampled
from adaptation.learning.neighbours import plain
from adaptation.learning.training.trainer import Foreseen
from memory.types import Message, Record

WAVES = (4, 4, 8)
"""Replies to a held-out question that are drawn at a time. None is drawn after one that is right:
whether there is one is all that is asked of it."""
K = sum(WAVES)
FAR, HELD_OUT = 8, 8
"""How many of each are asked, K times over at most."""
OF_FAR, OF_HELD_OUT = "far guards", "held-out questions"
"""What is gained of the ones makes up for nothing that is lost of the others: the latter are what
the candidate has learned."""
MAX_LOST = 0.1
"""Share that may be lost of the questions that what is served found; one always may, and what
chance makes of what is gained beside."""
LEAST_DIFFERENT = 0.5
"""Of the different replies to a far guard that there were; what is served says fewer, too, where it
is surer."""
MEASURED = 4
"""Replies to each far guard by which the divergence is told."""
Sample = Callable[[str, Sequence[Conversation], str | None, int], Awaitable[list[str]]]
"""(phase, prompts, folder of an adapter, replies to each that were drawn before) → replies."""
Measure = Callable[[Sequence[Conversation], str | None], Awaitable[list[Foreseen]]]


@dataclass(frozen=True)
class Asking:
    """A question, and what is right."""

    conversation: Conversation
    right: Callable[[str], bool]
    family: str | None = None
    """Family of a far guard; None for a held-out question."""

    @property
    def is_far(self) -> bool:
        """Whether it is a far guard."""
        return self.family is not None


@dataclass(frozen=True)
class Drawn:
    """Up to K replies to each of some questions."""

    asked: tuple[Asking, ...]
    replies: tuple[tuple[str, ...], ...]
    right: tuple[tuple[bool, ...], ...]

    @property
    def far(self) -> list[int]:
        """Places of far guards."""
        return [place for place, each in enumerate(self.asked) if each.is_far]

    @property
    def held_out(self) -> list[int]:
        """Places of held-out questions."""
        return [place for place, each in enumerate(self.asked) if not each.is_far]

    @property
    def passed(self) -> int:
        """Questions to which one reply at least is right."""
        return sum(map(any, self.right))

    def different(self, places: Sequence[int], *, right: bool = False) -> float:
        """Return the different replies, or right replies, to a question, in the mean."""
        kept = (
            {text for text, good in zip(self.replies[i], self.right[i], strict=True) if good}
            if right
            else set(self.replies[i])
            for i in places
        )
        return fmean(map(len, kept)) if places else 0.0

    def length(self, places: Sequence[int]) -> float:
        """Return the length of replies in characters, in the median."""
        return median([len(text) for i in places for text in self.replies[i]] or [0])


@dataclass(frozen=True)
class Sampling:
    """Draws from what is served and from a candidate, with the same seed."""

    sample: Sample
    measure: Measure
    grade: Grade

    async def before(
        self, probes: Sequence[Guard], holdout: Sequence[Record], served: str | None
    ) -> Drawn:
        """Draw K samples of each from what is served."""
        return await self._drawn("sampled guards", self._asked(probes, holdout), served)

    async def after(
        self, probes: Sequence[Guard], holdout: Sequence[Record], candidate: str
    ) -> Drawn:
        """Draw as many from a candidate."""
        asked = self._asked(probes, holdout)
        return await self._drawn("sampled guards candidate", asked, candidate)

    async def compared(self, before: Drawn, after: Drawn, candidate: str) -> Sampled:
        """Hold what was drawn from a candidate against what was drawn before."""
        far = before.far
        found = {
            OF_FAR: _counts(before, after, far),
            OF_HELD_OUT: _counts(before, after, before.held_out),
        }
        return Sampled(
            k=K,
            asked=len(before.asked),
            passed=(before.passed, after.passed),
            lost=sum(each.lost for each in found.values()),
            families={kind: (each.lost, each.known) for kind, each in found.items()},
            gained={kind: each.gained for kind, each in found.items()},
            different=(before.different(far), after.different(far)),
            different_right=(before.different(far, right=True), after.different(far, right=True)),
            length=(before.length(far), after.length(far)),
            divergence=await self._divergence(after, candidate),
        )

    def _asked(self, probes: Sequence[Guard], holdout: Sequence[Record]) -> list[Asking]:
        """Choose far guards of all families alike, then held-out questions."""
        step = max(1, len(probes) // FAR)
        far = [Asking(each.conversation, each.right, each.family) for each in probes[::step][:FAR]]
        few = holdout[:HELD_OUT]
        prompts = [conversation.until(-1) for conversation in plain(few)]
        return far + [
            Asking(prompt, partial(self._gives, record))
            for prompt, record in zip(prompts, few, strict=True)
        ]

    def _gives(self, record: Record, text: str) -> bool:
        return self.grade(text, record)

    async def _drawn(self, phase: str, asked: Sequence[Asking], adapter: str | None) -> Drawn:
        """Draw all of a far guard at once, and of a held-out question until a reply is right."""
        far = [each for each in asked if each.is_far]
        held_out = [each for each in asked if not each.is_far]
        kinds = (far, (K,)), (held_out, WAVES)
        found = await at_once(self._in_waves(phase, some, adapter, waves) for some, waves in kinds)
        drawn = [*chain.from_iterable(found)]
        replies = tuple(tuple(text for text, _ in each) for each in drawn)
        right = tuple(tuple(is_right for _, is_right in each) for each in drawn)
        return Drawn((*far, *held_out), replies, right)

    async def _in_waves(
        self, phase: str, asked: Sequence[Asking], adapter: str | None, waves: Sequence[int]
    ) -> list[list[tuple[str, bool]]]:
        """Return the replies to each question, and whether they are right."""
        found: list[list[tuple[str, bool]]] = [[] for _ in asked]
        for first, more in zip(accumulate(waves, initial=0), waves, strict=False):
            left = [i for i, each in enumerate(found) if not any(right for _, right in each)]
            wave = [i for i in left for _ in range(more)]
            prompts = [asked[i].conversation for i in wave]
            texts = await self.sample(phase, prompts, adapter, first) if prompts else []
            for i, text in zip(wave, texts, strict=True):
                found[i].append((text, asked[i].right(text)))
        return found

    async def _divergence(self, after: Drawn, candidate: str) -> float | None:
        """Estimate KL(candidate ‖ base) on far prompts, nats a token.

        Calls of tools are left out: their marks are no text that could be read again.
        """
        said = [
            each.conversation.of((*each.conversation.messages, _turn(reply)))
            for each, replies in zip(after.asked, after.replies, strict=True)
            if each.is_far and each.family != TOOLS
            for reply in replies[:MEASURED]
            if reply.strip()
        ]
        if not said:
            return None
        ours, base = await self.measure(said, candidate), await self.measure(said, None)
        tokens = sum(each.tokens for each in ours)
        gained = sum(b.loss - o.loss for o, b in zip(ours, base, strict=True))
        return gained / tokens if tokens else None


def sampled_objections(found: Sampled | None) -> tuple[str, ...]:
    """Return what sampled guards say against a candidate."""
    if found is None:
        return ()
    against, (before, after) = [], found.different
    counts = counted(found.families, found.gained)
    if not all_kept(counts.values(), MAX_LOST):
        lost = ", ".join(each.of(kind) for kind, each in counts.items() if each.lost)
        against.append(f"{found.k} samples no longer find an answer to {lost}")
    if after < LEAST_DIFFERENT * before:
        against.append(
            f"{found.k} replies to a far guard are {after:.1f} different ones, not {before:.1f}"
        )
    return tuple(against)


def _counts(before: Drawn, after: Drawn, places: Sequence[int]) -> Counts:
    """Return how many of some questions no reply answers any more, and how many one does now."""
    pairs = [(any(before.right[place]), any(after.right[place])) for place in places]
    return Counts(
        lost=sum(then and not now for then, now in pairs),
        known=sum(then for then, _ in pairs),
        gained=sum(now and not then for then, now in pairs),
    )


def _turn(reply: str) -> Message:
    return Message(role="assistant", content=reply)
