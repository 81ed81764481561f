import math
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.learning.training.gate import (
    MIN_GAIN_NATS,
    GateVerdict,
    judge_answers,
    judge_losses,
    judge_losses_alone,
)
from adaptation.learning.training.trainer import TrainingResult


def result(before: tuple[float, ...], after: tuple[float, ...], steps: int = 4) -> TrainingResult:
    return TrainingResult(
        path="",
        rank=8,
        steps=steps,
        losses=(1.0, 0.5),
        holdout_before=before,
        holdout_after=after,
        tokens=1,
        flops=1.0,
        seconds=1.0,
    )


def test_losses_that_fell_are_accepted() -> None:
    assert judge_losses(result((1.0, 1.0, 1.0), (0.5, 0.95, 1.05))).accepted
    assert judge_losses_alone(result((1.0, 1.0), (0.5, 0.95))).accepted


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ((), (), "no held-out"),
        ((1.0,), (0.999,), "changed by -0.001"),
        ((1.0, 1.0, 1.0), (0.1, 1.0, 1.01), "changed by -0.000"),  # the mean fell far
        ((1.0, 1.0), (0.1, 1.5), "rose by 0.500"),
        ((1.0,), (math.nan,), "not finite"),
        ((math.inf,), (1.0,), "not finite"),
    ],
)
def test_what_helps_too_little_or_harms_is_refused(
    before: tuple[float, ...], after: tuple[float, ...], reason: str
) -> None:
    verdict = judge_losses(result(before, after))
    assert not verdict.accepted
    assert reason in verdict.reason


@pytest.mark.parametrize("judge", [judge_losses, judge_losses_alone])
def test_an_adapter_without_steps_is_refused(judge: Callable[..., GateVerdict]) -> None:
    assert not judge(result((1.0,), (0.1,), steps=0)).accepted


losses = st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=4)


@given(losses)
def test_alone_losses_are_accepted_where_every_one_fell(pairs: list[tuple[float, float]]) -> None:
    before, after = zip(*pairs, strict=True)
    accepted = judge_losses_alone(result(before, after)).accepted
    assert accepted is all(b - a >= MIN_GAIN_NATS for b, a in pairs)
    if accepted:
        assert judge_losses(result(before, after)).accepted, "the first filter is no stricter"


marks = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=6)


@given(marks, st.randoms(use_true_random=False))
def test_the_verdict_on_answers_is_that_of_all_whatever_their_order(
    pairs: list[tuple[bool, bool]], rng: Random
) -> None:
    base = {place: right for place, (right, _) in enumerate(pairs)}
    order = list(enumerate(right for _, right in pairs))
    rng.shuffle(order)
    expected = any(b < a for b, a in pairs) and not any(b > a for b, a in pairs)
    verdict, seen = None, {}
    for place, right in order:
        seen[place] = right
        verdict = judge_answers(base, seen, is_over=len(seen) == len(base))
        if verdict is not None:
            break
    assert verdict is not None
    assert verdict.accepted is expected


def test_a_question_that_the_engine_fails_counts_against_the_adapter() -> None:
    base = {0: True, 1: False}
    assert judge_answers(base, {1: True}, is_over=False) is None
    verdict = judge_answers(base, {1: True}, is_over=True)
    assert verdict is not None
    assert not verdict.accepted
