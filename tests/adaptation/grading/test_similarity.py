"""Likeness is what the libraries of the field say it is; the figures are theirs."""

from __future__ import annotations

from difflib import SequenceMatcher

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.grading.overlap import common_length
from adaptation.grading.similarity import METRICS, cosine

SAID = "The cat sat, on the mat; it's 12.5% warm."
MEANT = "A cat sat on the mat and it's 12.5% warm!"
THEIRS = {
    "fuzzy_match": 0.853658537,
    "bleu": 0.311709065,
    "gleu": 0.205882353,
    "rouge_1": 0.869565217,
    "rouge_2": 0.761904762,
    "rouge_3": 0.631578947,
    "rouge_4": 0.470588235,
    "rouge_5": 0.266666667,
    "rouge_l": 0.869565217,
}
"""Of rapidfuzz 3.14.6, sacrebleu 2.6.0, nltk 3.10.4 and rouge-score 0.1.2."""


@pytest.mark.parametrize("metric", METRICS)
def test_a_metric_is_what_its_library_says(metric: str) -> None:
    assert METRICS[metric](SAID, MEANT) == pytest.approx(THEIRS[metric], abs=1e-6)


@given(st.text("ab. ,5&", max_size=30), st.text("ab. ,5&", max_size=30))
def test_every_likeness_is_a_share(said: str, meant: str) -> None:
    for metric, measured in METRICS.items():
        assert 0 <= measured(said, meant) <= 1, metric


@given(st.text("abc", max_size=12), st.text("abc", max_size=12))
def test_the_longest_common_subsequence_is_the_longest(a: str, b: str) -> None:
    def plain(i: int, j: int) -> int:
        rows = [[0] * (j + 1) for _ in range(i + 1)]
        for x in range(i):
            for y in range(j):
                same = rows[x][y] + 1 if a[x] == b[y] else 0
                rows[x + 1][y + 1] = max(same, rows[x][y + 1], rows[x + 1][y])
        return rows[i][j]

    assert common_length(a, b) == plain(len(a), len(b))
    matcher = SequenceMatcher(None, a, b, autojunk=False)
    assert common_length(a, b) >= sum(block.size for block in matcher.get_matching_blocks())


def test_a_cosine_is_of_the_angle() -> None:
    assert cosine([3.0, 4.0], [6.0, 8.0]) == pytest.approx(1)
    assert cosine([1.0, 0.0], [-1.0, 0.0]) == 0
    assert cosine([0.0], [0.0]) == 0
