"""From the server's settings, and the files they name, to the pipeline's policy."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from adaptation.learning.training.recipes import recipe_for
from adaptation.learning.training.refusals import Refusal, read
from adaptation.learning.training.trainer import Recipe
from adaptation.policy import Policy
from adaptation.prices import Prices
from adaptation.rewards.folder import check_folder
from adaptation.voting.calibration import Calibration
from server.config import ConfigError, Settings
from server.tuning.calibrations import CALIBRATIONS
from server.tuning.tuned import TUNED

logger = logging.getLogger(__name__)
T = TypeVar("T")

MARGIN = 3.0
"""Times as long as on an idle server a training may take, before it counts as hung."""
LEAST_TIMEOUT_S, MOST_TIMEOUT_S = 60.0, 3600.0
LEAST_WAIT_S = 20.0
"""For a training to begin."""
UNTIMED_TIMEOUT_S = 600.0
"""Where no step could be timed; bounds the timed one too."""


def check_files(settings: Settings, model: str) -> None:
    """Read once what the policy will be made of; raises `ConfigError` before the engine starts."""
    _instructions(settings)
    _calibration(settings, model)
    refusals_of(settings)
    _reward_model(settings)
    TUNED.load(settings.data_dir, model)


def policy_from(settings: Settings, model: str, parameters: int | None, may_train: bool) -> Policy:
    """Return the pipeline's policy; `parameters` is the size of the base model."""
    chosen = {
        "rank": settings.train_rank,
        "learning_rate": settings.learning_rate,
        "steps": settings.train_steps or None,
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    return Policy(
        stopping_rule=settings.stopping_rule,
        instructions=_instructions(settings),
        free_text=settings.free_text,
        demonstrations=settings.demonstrations,
        shadow_share=settings.shadow_share,
        calibration=_calibration(settings, model),
        sample_price=settings.sample_price,
        first_samples=settings.first_samples,
        straggler_factor=settings.straggler_factor,
        vote_weight=settings.vote_weight,
        temperatures=settings.temperatures,
        candidates=settings.candidates,
        neighbours=settings.neighbours,
        min_similarity=settings.min_similarity,
        recipe=_recipe(settings, model, parameters).model_copy(update=given),
        refusals=refusals_of(settings),
        may_train=may_train,
        reuse=settings.reuse,
        train_timeout_s=settings.train_timeout_s or UNTIMED_TIMEOUT_S,
        train_wait_s=LEAST_WAIT_S if settings.train_wait_s is None else settings.train_wait_s,
        model=model,
    )


def prices_of(settings: Settings) -> Prices:
    """Return what tokens cost, as far as the settings say."""
    return Prices(generated=settings.price_per_million, trained=settings.price_per_million_trained)


def _recipe(settings: Settings, model: str, parameters: int | None) -> Recipe:
    """The recipe that `whet tune` found for the model, else the one that its size suggests."""
    tuned = TUNED.load(settings.data_dir, model)
    return recipe_for(parameters) if tuned is None else tuned.recipe


def timed(policy: Policy, settings: Settings, step_s: float | None) -> Policy:
    """Return the policy, with a time-out that a training can keep where a step takes `step_s`."""
    if step_s is None:
        return policy
    training_s = policy.recipe.steps * step_s
    steps = f"{policy.recipe.steps} steps of {step_s:.2g} s"
    logger.info("a training per request takes up to %.0f s here (%s)", training_s, steps)
    found = {"expected_train_s": training_s}
    if settings.train_wait_s is None:
        found["train_wait_s"] = max(LEAST_WAIT_S, training_s)
    if settings.train_timeout_s is None:
        timeout_s = max(LEAST_TIMEOUT_S, MARGIN * training_s)
        found["train_timeout_s"] = min(MOST_TIMEOUT_S, timeout_s)
    return policy.model_copy(update=found)


def _instructions(settings: Settings) -> tuple[str, ...]:
    return _named("instructions", settings.instructions, _lines)


def refusals_of(settings: Settings) -> tuple[Refusal, ...]:
    """Return what no adapter may make the model comply with."""
    return _named("refusals", settings.refusals, read)


def _named(
    setting: str, path: Path | None, read_file: Callable[[Path], tuple[T, ...]]
) -> tuple[T, ...]:
    """Return what is in the file that a setting names, nothing where it names none."""
    if path is None:
        return ()
    try:
        return read_file(path.expanduser())
    except (OSError, ValueError) as error:  # the latter where it is no UTF-8, too
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{setting} = {path}: {reason}") from error


def _reward_model(settings: Settings) -> None:
    if settings.reward_model is None:
        return
    try:
        check_folder(settings.reward_model)
    except ValueError as error:
        raise ConfigError(f"reward_model = {settings.reward_model}: {error}") from error


def _lines(path: Path) -> tuple[str, ...]:
    lines = path.read_text("utf-8").splitlines()
    return tuple(line.strip() for line in lines if line.strip())


def _calibration(settings: Settings, model: str) -> Calibration | None:
    return CALIBRATIONS.load(settings.data_dir, model) if settings.one_sample else None
