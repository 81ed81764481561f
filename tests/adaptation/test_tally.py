"""Counting votes: the order of the answers, and what one more vote costs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.types import Sample
from adaptation.voting.tally import Tally
from adaptation.voting.weights import WEIGHTS, mean_logprob
from memory.identity.answers import Answer, canonical


class Counted(Sequence[float]):
    """Log-probabilities that count how often they are read through."""

    def __init__(self, values: Sequence[float], reads: Counter[int], index: int) -> None:
        self._values, self._reads, self._index = values, reads, index

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, place: int) -> float:  # type: ignore[override]
        return self._values[place]

    def __iter__(self) -> Iterator[float]:
        self._reads[self._index] += 1
        return iter(self._values)

    def __array__(self, *_: object, **__: object) -> object:
        import numpy as np

        self._reads[self._index] += 1
        return np.array(self._values)


def answer(text: str) -> Answer:
    return Answer(text, text, structured=True)


@pytest.mark.parametrize("weight", ["count", "mean_logprob"])
def test_a_vote_reads_the_probabilities_of_its_own_sample_and_no_others(weight: str) -> None:
    reads: Counter[int] = Counter()
    tally = Tally(WEIGHTS[weight])
    for index in range(32):
        sample = Sample(index, "", 3, "stop", logprobs=Counted([-0.5] * 50, reads, index))
        before = reads.copy()
        tally.add(sample, answer(str(index % 3)))
        _ = tally.groups, tally.leads_by_count, tally.lead, tally.report(), tally.ballots
        assert (reads - before).keys() == {index}
    assert max(reads.values()) == min(reads.values()) <= 2


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(-5, 0)), min_size=1, max_size=40))
def test_groups_stand_in_the_order_that_sorting_all_votes_anew_gives(
    votes: list[tuple[str, float]],
) -> None:
    tally = Tally(WEIGHTS["mean_logprob"])
    for index, (text, logprob) in enumerate(votes):
        sample = Sample(index, text, 1, "stop", logprobs=(logprob,))
        tally.add(sample, answer(text) if text != "d" else None)
    groups = tally.groups

    def rank(place: int) -> tuple[bool, float, float]:
        group = groups[place]
        surest = max(mean_logprob(sample) for sample in group.samples)
        return group.answer is None, -group.weight, -surest

    ranks = [rank(place) for place in range(len(groups))]
    assert ranks == sorted(ranks)
    firsts = [group.samples[0].index for group in groups]
    for place in range(len(groups) - 1):
        if ranks[place] == ranks[place + 1]:
            assert firsts[place] < firsts[place + 1]
    assert sum(len(group.samples) for group in groups) == tally.total == len(votes)


def read(text: str) -> Answer:
    return Answer(text, canonical(text), structured=True)


def counts(*texts: str) -> list[tuple[str | None, int]]:
    tally = Tally()
    for index, text in enumerate(texts):
        tally.add(Sample(index, text, 3, "stop"), read(text))
    return [(entry.answer, entry.count) for entry in tally.report()]


def test_a_bare_number_counts_with_the_unit_that_the_vote_names() -> None:
    assert counts("5", "5 km", "5 kilometers", "5") == [("5", 4)]
    assert counts("x = 3", "3") == [("x = 3", 2)]


def test_a_bare_number_stands_alone_where_a_vote_names_two_units() -> None:
    assert counts("5", "5 km", "5", "5 m", "5 km") == [("5", 2), ("5 km", 2), ("5 m", 1)]
    assert counts("x=3", "y=3") == [("x=3", 1), ("y=3", 1)]


@given(st.permutations(["5", "5", "5", "5 km", "5 m", "7 km", "7"]))
def test_what_counts_together_does_not_depend_on_the_order_of_arrival(texts: list[str]) -> None:
    assert sorted(count for _, count in counts(*texts)) == [1, 1, 2, 3]
