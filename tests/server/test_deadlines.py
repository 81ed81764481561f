"""Deadlines and time-outs that nobody set follow from the model and the machine."""

from __future__ import annotations

import logging

import pytest

from adaptation.learning.training.trainer import Recipe
from server.commands.serve import with_deadline
from server.policy import (
    LEAST_TIMEOUT_S,
    LEAST_WAIT_S,
    MARGIN,
    MOST_TIMEOUT_S,
    UNTIMED_TIMEOUT_S,
    policy_from,
    timed,
)
from server.settings.setting_sources import resolve
from server.startup.fitting import Fit

SLOW = Fit(threads=2, training_threads=2, cache_bytes=0, wall_s=480)


@pytest.mark.parametrize(
    ("flags", "fitted", "wall_s"),
    [
        ({}, SLOW, 480),
        ({}, None, 300),
        ({"wall_s": "9"}, SLOW, 9),
        ({"wall_s": "none"}, SLOW, None),
    ],
)
def test_a_vote_has_the_time_that_the_model_needs_unless_somebody_said_otherwise(
    flags: dict[str, str], fitted: Fit | None, wall_s: float | None
) -> None:
    assert with_deadline(resolve(flags, {}), fitted).wall_s == wall_s


@pytest.mark.parametrize(
    ("step_s", "timeout_s"),
    [
        (0.05, LEAST_TIMEOUT_S),
        (4.0, MARGIN * 20 * 4.0),
        (500.0, MOST_TIMEOUT_S),
        (None, UNTIMED_TIMEOUT_S),
    ],
)
def test_a_training_may_take_some_times_what_its_steps_take(
    step_s: float | None, timeout_s: float
) -> None:
    settings = resolve({}, {}).settings
    policy = policy_from(settings, "m", None, may_train=True)
    policy = policy.model_copy(update={"recipe": Recipe(steps=20)})
    assert timed(policy, settings, step_s).train_timeout_s == timeout_s


@pytest.mark.parametrize(
    ("step_s", "wait_s"), [(0.05, LEAST_WAIT_S), (4.0, 80.0), (None, LEAST_WAIT_S)]
)
def test_a_request_waits_for_its_training_as_long_as_one_takes(
    step_s: float | None, wait_s: float
) -> None:
    settings = resolve({}, {}).settings
    policy = policy_from(settings, "m", None, may_train=True)
    policy = policy.model_copy(update={"recipe": Recipe(steps=20)})
    assert timed(policy, settings, step_s).train_wait_s == wait_s
    own = resolve({"train_wait_s": "0"}, {}).settings
    policy = policy_from(own, "m", None, may_train=True)
    assert timed(policy, own, step_s).train_wait_s == 0


def test_a_time_out_of_ones_own_stays_and_the_time_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    settings = resolve({"train_timeout_s": "7"}, {}).settings
    policy = policy_from(settings, "m", None, may_train=True)
    policy = policy.model_copy(update={"recipe": Recipe(steps=64)})
    assert timed(policy, settings, 2.0).train_timeout_s == 7
    assert "takes up to 128 s here (64 steps of 2 s)" in caplog.text
