"""What a vote weighs, by each of its names."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.types import Sample
from adaptation.voting.weights import (
    GROUP,
    WEIGHTS,
    group_confidence,
    length_normalised,
    mean_logprob,
)

logprobs = st.lists(st.floats(-20, 0), min_size=1, max_size=60)


def sample(values: list[float]) -> Sample:
    return Sample(0, "text", len(values), "stop", logprobs=tuple(values))


@given(logprobs, st.sampled_from(sorted(WEIGHTS)))
def test_a_weight_is_a_number_that_grows_with_every_tokens_probability(
    values: list[float], name: str
) -> None:
    weigh = WEIGHTS[name]
    assert 0 <= weigh(sample(values)) <= 1
    assert weigh(sample([value / 2 for value in values])) >= weigh(sample(values))


def test_a_vote_without_log_probabilities_weighs_nothing_but_its_count() -> None:
    assert {name: weigh(sample([])) for name, weigh in WEIGHTS.items()} == {
        "count": 1.0,
        "mean_logprob": 0.0,
        "group_confidence": 0.0,
        "length_normalised": 0.0,
    }


def test_the_mean_is_blind_to_length_and_the_penalised_sum_is_not() -> None:
    short, long = sample([-0.5] * 4), sample([-0.5] * 40)
    assert mean_logprob(short) == pytest.approx(mean_logprob(long)) == pytest.approx(math.exp(-0.5))
    assert length_normalised(short) > length_normalised(long)
    assert length_normalised(sample([-0.5])) == pytest.approx(math.exp(-0.5))


def test_group_confidence_sees_a_doubtful_passage_that_the_mean_hides() -> None:
    steady = [-0.3] * 200
    doubtful = [-0.05] * 200
    doubtful[90 : 90 + GROUP] = [-2.0] * GROUP
    assert mean_logprob(sample(doubtful)) > mean_logprob(sample(steady))
    assert group_confidence(sample(doubtful)) < group_confidence(sample(steady))
