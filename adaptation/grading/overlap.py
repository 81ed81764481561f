"""How much of one sequence is in another: n-grams and the longest common subsequence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence


def ngrams(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    """Count the runs of `n` tokens."""
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


def shared(a: Counter[tuple[str, ...]], b: Counter[tuple[str, ...]]) -> int:
    """Return how many runs both have, each as often as both have it."""
    return (a & b).total()


def f1(matches: int, predicted: int, expected: int) -> float:
    """Return the harmonic mean of precision and recall, 0 where there is nothing."""
    return 2 * matches / (predicted + expected) if matches else 0.0


def common_length(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    """Return the length of the longest common subsequence.

    A row of the table is the bits of one number: Hyyrö, Bit-Parallel LCS-length Computation
    Revisited, 2004. Takes len(a) · len(b) / 64 steps or so.
    """
    places: dict[Hashable, int] = {}
    for place, each in enumerate(a):
        places[each] = places.get(each, 0) | 1 << place
    full = (1 << len(a)) - 1
    row = full
    for each in b:
        taken = row & places.get(each, 0)
        row = ((row + taken) | (row - taken)) & full
    return len(a) - row.bit_count()
