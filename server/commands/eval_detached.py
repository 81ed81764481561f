"""`whet eval --detach`: the evaluation as a job of the server that runs on the data folder."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from server.commands.common import open_tables
from server.commands.doing import say_detached
from server.config import DEFAULT_TENANT
from server.jobs.limits import MOST_OPEN
from server.terminal import UsageError

if TYPE_CHECKING:
    from server.commands.eval_choice import Choice

HERE = (
    "url", "api_key", "adapter", "results", "fresh", "mix_versions", "baseline", "json", "markdown",
    "picture", "calibrate",
)  # fmt: skip
"""Flags of an evaluation that is done and shown here."""


def detached(choice: Choice, args: argparse.Namespace) -> int:
    """Leave the evaluation to the server; what came of it is in the job."""
    from memory.offline.job import JobKind, NewJob
    from server.jobs.evaluation import EvaluateRequest, check_evaluation
    from server.refusals.errors import ApiError

    if given := next((name for name in HERE if getattr(args, name)), None):
        raise UsageError(f"--detach does not go with --{given.replace('_', '-')}")
    fits = [arm for arm in choice.arms if not choice.only_fit or _fits(arm, teach=args.teach)]
    asked = EvaluateRequest(
        suites=tuple(suite.name for suite in choice.suites),
        arms=tuple(fits),
        model=args.model,
        **{name: getattr(args, name) for name in _ALIKE},
    )
    try:
        check_evaluation(asked)
    except ApiError as error:
        raise UsageError(error.message) from error
    request = asked.model_dump(mode="json")
    with open_tables(args, create=True) as memory:
        new = NewJob(tenant=args.tenant or DEFAULT_TENANT, kind=JobKind.EVALUATE, request=request)
        return say_detached(memory.jobs.create(new, MOST_OPEN))


def _fits(arm: str, *, teach: bool) -> bool:
    """Whether a job can ask an arm."""
    from adaptation.evaluation.arms import ARMS

    return not ARMS[arm].needs_examples or (ARMS[arm].needs_whet and teach)


_ALIKE = (
    "questions", "difficulty", "seed", "examples", "worlds", "votes", "temperature", "max_tokens",
    "development", "teach", "parallel",
)  # fmt: skip
