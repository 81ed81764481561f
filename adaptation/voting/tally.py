"""Counting votes: which answer leads, and which sample speaks for it. Pure; draws nothing."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from adaptation.report import AnswerCount
from adaptation.types import Sample
from adaptation.voting.ballots import Ballots
from adaptation.voting.weights import count, mean_logprob
from memory.identity.answers import Answer
from memory.identity.answers.keys import Joins


@dataclass(eq=False)
class Group:
    """The samples that gave one answer, in order of arrival."""

    answer: Answer | None
    weight: float = 0.0
    """Weight of all its votes together."""
    samples: list[Sample] = field(default_factory=list)
    heaviest: float = -1.0
    """Weight of its heaviest vote that was not cut off."""
    spokesman: Sample | None = None
    """The sample of that heaviest vote."""
    number: int = 0
    """Counted from 0, in the order of the first votes."""
    surest: float = 0.0
    """The highest mean probability of its samples, each measured once, when it came."""

    @property
    def rank(self) -> tuple[bool, float, bool, float, int]:
        """Sorts groups: heaviest first, readable answers before plain text, surest, first come.

        What has no answer comes after all that has one: it was cut off, or says nothing.
        """
        is_text = not (self.answer and self.answer.structured)
        return self.answer is None, -self.weight, is_text, -self.surest, self.number

    def add(self, sample: Sample, weight: float) -> None:
        """Take one more vote; its log-probabilities are read here, and never again."""
        self.samples.append(sample)
        self.weight += weight
        self.surest = max(self.surest, mean_logprob(sample))
        if sample.finish_reason != "length" and weight > self.heaviest:
            self.heaviest, self.spokesman = weight, sample

    @property
    def example(self) -> Sample:
        """The sample that speaks for the others: the heaviest, the first of these that is whole."""
        return self.spokesman or self.samples[0]

    @property
    def instructions(self) -> tuple[int, ...]:
        """Return the instructions that its samples were given, each once."""
        return tuple(sorted({sample.instruction for sample in self.samples}))


class Tally:
    """The votes so far. Ties go to the surer answer, then to the one that arrived first.

    A vote costs what its own sample and the number of different answers cost: votes are counted on
    the event loop, and a sample can have tens of thousands of tokens.
    """

    def __init__(self, weigh: Callable[[Sample], float] = count) -> None:
        self._weigh = weigh
        self._joins = Joins()
        self._clear()
        self._is_instructed = False

    def _clear(self) -> None:
        self._groups: dict[str, Group] = {}
        self._ranked: list[Group] = []
        self._order: list[int] = []
        self._counted: list[tuple[Sample, Answer | None]] = []

    def add(self, sample: Sample, answer: Answer | None) -> None:
        """Count a sample whose answer was read.

        `5` counts with `5 km` until another names `5 m`: then all are counted anew, which happens
        once for a value at most.
        """
        if answer is not None and self._joins.add(answer.key):
            counted = self._counted
            self._clear()
            for each in counted:
                self._count(*each)
        self._count(sample, answer)

    def reweigh(self, weigh: Callable[[Sample], float]) -> None:
        """Weigh all votes anew."""
        self._weigh, counted = weigh, self._counted
        self._clear()
        for each in counted:
            self._count(*each)

    def _count(self, sample: Sample, answer: Answer | None) -> None:
        self._counted.append((sample, answer))
        # A sample without any answer abstains: it agrees with nobody, itself included.
        key = self._joins.group(answer.key) if answer else f"\0{sample.index}"
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(answer, number=len(self._groups))
        else:
            self._ranked.remove(group)
        group.add(replace(sample, answer=answer), self._weigh(sample))
        insort(self._ranked, group, key=lambda each: each.rank)
        self._order.append(group.number)
        self._is_instructed = self._is_instructed or bool(sample.instruction)

    @property
    def groups(self) -> list[Group]:
        """Groups from most weight to least."""
        return list(self._ranked)

    @property
    def answers(self) -> list[Answer]:
        """The different answers given so far, in order of arrival."""
        return [group.answer for group in self._groups.values() if group.answer]

    @property
    def ballots(self) -> Ballots:
        """The votes as a stopping rule sees them, all of one weight."""
        return Ballots(tuple(self._order))

    @property
    def total(self) -> int:
        """Votes cast."""
        return len(self._order)

    @property
    def leads_by_count(self) -> bool:
        """Whether the heaviest answer is also one with most votes."""
        groups = self.groups
        return not groups or len(groups[0].samples) == max(len(group.samples) for group in groups)

    @property
    def lead(self) -> float:
        """By how much the heaviest answer outweighs the next."""
        first, second, *_ = *(group.weight for group in self.groups), 0.0, 0.0
        return first - second

    @property
    def samples(self) -> list[Sample]:
        """Every counted sample, in order of its draw."""
        drawn = (sample for group in self._groups.values() for sample in group.samples)
        return sorted(drawn, key=lambda sample: sample.index)

    @property
    def is_free_text(self) -> bool:
        """True where several samples were drawn, none holds a readable answer, and no two agree.

        No number of votes settles such a question: a representative has to be chosen instead.
        """
        groups = self._groups.values()
        return len(groups) == self.total > 1 and not any(
            group.answer and group.answer.structured for group in groups
        )

    def report(self) -> tuple[AnswerCount, ...]:
        """The votes as they stand in a response."""
        return tuple(
            AnswerCount(
                answer=group.answer.text if group.answer else None,
                count=len(group.samples),
                instructions=group.instructions if self._is_instructed else None,
                weight=None if self._weigh is count else round(group.weight, 4),
            )
            for group in self.groups
        )
