"""Votes over samples that were drawn before: what they wait for, and what cutting is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from loadtests.measure.stragglers import (
    LOOP_TOKENS,
    Drawn,
    Question,
    Voted,
    row,
    until_it_repeats,
    voted,
)

GREETINGS = tuple(
    Drawn(9, text, has_ended=True, is_bounded=False)
    for text in ("Hello!", "Hi there!", "Good day!")
)
RAMBLES = Drawn(900, "On and on and", has_ended=False, is_bounded=True)
BRIEF = Voted("b", 100, 20, "y", True, 0, False)
HEY = Question("everyday", "hey", (*GREETINGS, RAMBLES), lambda text: text.endswith("!"))


async def embed(texts: Sequence[str]) -> np.ndarray:
    return np.eye(len(texts))


@pytest.mark.parametrize("order", range(4))
async def test_a_vote_waits_for_its_longest_sample_unless_that_is_cut(order: int) -> None:
    waiting = await voted(HEY, None, order, embed)
    cutting = await voted(HEY, 4.0, order, embed)
    assert (waiting.cut, cutting.cut) == (0, 1)
    assert (waiting.is_bounded, cutting.is_bounded) == (True, False)
    assert 900 <= waiting.steps < 920
    assert 256 < cutting.steps < 280
    assert waiting.tokens == 927
    assert waiting.text == cutting.text
    assert cutting.is_right


def test_a_sample_ends_where_it_has_repeated_itself_for_long() -> None:
    ids = [*range(100), *[7, 8, 9] * 200]
    cut = until_it_repeats(ids)
    assert cut == ids[: len(cut)]
    assert 100 + LOOP_TOKENS <= len(cut) < 100 + LOOP_TOKENS + 32
    plain = list(range(500))
    assert until_it_repeats(plain) is plain


def test_a_factor_is_held_against_the_same_votes_that_wait() -> None:
    waiting = [Voted("a", 100, 80, "x", True, 0, True), BRIEF]
    cutting = [Voted("a", 60, 30, "z", False, 1, False), BRIEF]
    found = row("4", cutting, waiting)
    assert found.tokens.value == 0.8
    assert found.wait.value == 0.5
    assert found.bounded.value == 0.0
    assert (found.with_cuts.value, found.changed.value, found.lost.value) == (0.5, 0.5, 0.5)
