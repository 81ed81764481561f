"""Counting votes: which answer leads, and which sample speaks for it. Pure; draws nothing."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from adaptation.answers import Answer, extract
from adaptation.stopping.beta import leader_probability
from adaptation.types import AnswerCount, Query, Sample


@dataclass
class Group:
    """The samples that gave one answer, in order of arrival."""

    answer: Answer | None
    samples: list[Sample] = field(default_factory=list)

    @property
    def rank(self) -> tuple[int, bool]:
        """Sorts groups: most votes first, a readable answer before plain text."""
        return -len(self.samples), not (self.answer and self.answer.structured)


class Tally:
    """The votes so far. Ties go to the answer that arrived first."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._groups: dict[str, Group] = {}

    def add(self, sample: Sample) -> None:
        """Read the sample's answer and count it."""
        answer = extract(
            sample.text,
            self._query.options.answer,
            has_tools=self._query.has_tools,
            json_output=self._query.json_output,
        )
        # A sample without any answer abstains: it agrees with nobody, itself included.
        key = answer.key if answer else f"\0{sample.index}"
        group = self._groups.setdefault(key, Group(answer))
        group.samples.append(replace(sample, answer=answer))

    @property
    def groups(self) -> list[Group]:
        """Groups from most votes to fewest (the sort is stable: arrival breaks ties)."""
        return sorted(self._groups.values(), key=lambda group: group.rank)

    @property
    def counts(self) -> list[int]:
        """Votes of each answer, most first."""
        return [len(group.samples) for group in self.groups]

    @property
    def total(self) -> int:
        """Votes cast."""
        return sum(len(group.samples) for group in self._groups.values())

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

    @property
    def confidence(self) -> float:
        """P(the leader is the mode), by the Beta posterior over leader and runner-up."""
        counts = self.counts or [0]
        return leader_probability(counts[0], counts[1] if len(counts) > 1 else 0)

    def report(self) -> tuple[AnswerCount, ...]:
        """The votes as they stand in a response."""
        return tuple(
            AnswerCount(
                answer=group.answer.text if group.answer else None, count=len(group.samples)
            )
            for group in self.groups
        )
