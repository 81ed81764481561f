import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.training.gate import judge
from adaptation.training.trainer import TrainingResult


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


def test_a_fall_of_every_held_out_loss_is_accepted() -> None:
    assert judge(result((1.0, 1.0), (0.5, 0.95))).accepted


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ((), (), "no held-out"),
        ((1.0,), (0.999,), "changed by -0.001"),
        ((1.0, 1.0), (0.1, 1.5), "changed by +0.500"),
        ((1.0, 1.0), (0.1, 0.99), "changed by -0.010"),  # the mean fell far
        ((1.0,), (math.nan,), "not finite"),
        ((math.inf,), (1.0,), "not finite"),
    ],
)
def test_what_helps_too_little_or_harms_is_refused(
    before: tuple[float, ...], after: tuple[float, ...], reason: str
) -> None:
    verdict = judge(result(before, after))
    assert not verdict.accepted
    assert reason in verdict.reason


def test_an_adapter_without_steps_is_refused() -> None:
    assert not judge(result((1.0,), (0.1,), steps=0)).accepted


losses = st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=4)


@given(losses, st.floats(0, 1))
def test_acceptance_means_that_every_loss_fell(
    pairs: list[tuple[float, float]], delta: float
) -> None:
    before, after = zip(*pairs, strict=True)
    accepted = judge(result(before, after), delta).accepted
    assert accepted is all(b - a >= delta for b, a in pairs)
