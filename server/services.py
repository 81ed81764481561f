"""What a request passes through, built of what lives as long as the server."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace

from adaptation.engine import Engine
from adaptation.fairness import FairShares
from adaptation.learning.loaded import LoadedAdapters
from adaptation.learning.probing import PROBE_TOKENS
from adaptation.learning.trainings import Trainings
from adaptation.learning.wanted import Wanted
from adaptation.policy import Policy
from adaptation.services import Services
from adaptation.verifiers.gradings import PLACES, Gradings
from server.adapters.kept_adapters import kept_adapters
from server.config import Settings
from server.models.named import base_model
from server.parts import Parts
from server.policy import policy_from, timed
from server.startup.engine_defaults import UNTRAINABLE
from server.startup.machine import this_machine
from server.startup.warm_up import warm_up
from server.trainers import at_once
from server.tuning.calibrations import own_calibrations

logger = logging.getLogger(__name__)


async def services_of(
    parts: Parts, engine: Engine, args: argparse.Namespace, settings: Settings
) -> Services:
    """Return what a request passes through, once the first adapter has been through all of it."""
    model = base_model(args.model)
    policy = policy_from(settings, model, parts.trainer.parameters, _may_train(args, settings))
    own = await own_calibrations(parts.memory, settings, model)
    kept = kept_adapters(settings.data_dir, args.model, settings.adapter_cache_mb)
    services = Services(
        kept=kept,
        wanted=Wanted() if kept is not None else None,
        engine=engine,
        memory=parts.memory,
        trainer=parts.trainer,
        leases=parts.leases,
        loaded=LoadedAdapters(engine, parts.leases),
        algebra=parts.algebra,
        background=parts.background,
        rewards=parts.rewards,
        allowance=parts.quotas,
        trainings=Trainings(FairShares(parts.quotas.weight), at_once(settings)),
        gradings=Gradings(max(PLACES, 2 * this_machine().cores), FairShares(parts.quotas.weight)),
        policy=policy.model_copy(update={"calibrations": own}),
    )
    if services.policy.may_train:
        step_s = await warm_up(services, PROBE_TOKENS)
        services = replace(services, policy=timed(services.policy, settings, step_s))
    services.rules.warm_up()
    _say_bars(services.policy)
    return services


def _say_bars(policy: Policy) -> None:
    """Tell the operator where first samples are served without a vote."""
    if (found := policy.calibration) is not None:
        words = "one sample is enough above a group confidence of %.3f: no vote there"
        logger.info(words, found.bar)
    for tenant, own in sorted(policy.calibrations.items()):
        bar = "all are voted on" if own is None else f"one sample above {own.bar:.3f}"
        logger.info("questions of tenant %s go by its own calibration: %s", tenant, bar)


def _may_train(args: argparse.Namespace, settings: Settings) -> bool:
    """Whether the trainer's copy of the model is the one that is served."""
    differing = [flag for flag in UNTRAINABLE if getattr(args, flag, None)]
    if differing and settings.train_steps != 0:
        flags = ", ".join("--" + flag.replace("_", "-") for flag in differing)
        logger.warning("nothing is trained per request: the trainer does not know %s", flags)
    return settings.train_steps != 0 and not differing
