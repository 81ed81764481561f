"""The recipe of per-request training that answers best, searched for one model.

Every trial is noted in the data folder: whoever goes on with the search repeats none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pydantic import Field

from adaptation.errors import TrainerError
from adaptation.learning.distillation.select import cluster, position
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.recipes import recipe_for
from adaptation.learning.tuning.own import FEWEST, of_records
from adaptation.learning.tuning.search import Standing, Trial, most_trials, search
from adaptation.learning.tuning.task import Task, of_worlds
from adaptation.learning.tuning.trying import Trying
from memory.errors import UnreadableError
from memory.memory import LongTermMemory
from memory.types import TIERS_THAT_TRAIN, Frozen, Neighbour, Record, State
from server.jobs.kind import JobFailedError
from server.jobs.kinds.distill import gives_answer
from server.jobs.of_base import OfBase
from server.jobs.work import Work
from server.models.named import taken_for
from server.tuning.tuned import TUNED, Tuned
from server.tuning.tuning_trials import keep, kept

SUITES_OF_A_WORLD = 4
"""Neighbourhoods of own records that count as one world: each shifted suite has one of its own."""


class TuneRequest(OfBase):
    """What is searched, and how thoroughly."""

    worlds: int = Field(default=1, ge=1, le=20)
    """Worlds of each of the four suites."""
    questions: int = Field(default=12, ge=4, le=100)
    """Asked about each world."""
    own: bool = False
    """Whether recipes are tried on the tenant's own records, and not on invented worlds."""


class TuneResult(Frozen):
    """What was found, and every trial, the best recipe's first."""

    tuned: Tuned
    trials: tuple[Trial, ...]
    kept_in: str


async def run(work: Work) -> dict[str, Any]:
    """Search, keep what is found for servers on this data folder, and return it."""
    asked = TuneRequest.model_validate(work.job.request)
    data_dir, model = work.settings.data_dir, asked.base_name
    device = work.settings.trainer_device
    trainer = ProcessTrainer(asked.model, template=asked.template, device=device)
    try:
        await _started(trainer, asked.model)
        untrained, standings = await _searched(work, asked, trainer)
    finally:
        await trainer.close()
    best = _tuned(standings[0], untrained)
    path = TUNED.save(data_dir, model, best)
    trials = tuple(trial for standing in standings for trial in standing.trials)
    return TuneResult(tuned=best, trials=trials, kept_in=str(path)).model_dump(mode="json")


async def _started(trainer: ProcessTrainer, model: str) -> None:
    try:
        await trainer.start()
    except TrainerError as error:
        raise JobFailedError(f"{error}{taken_for(model)}") from error


async def _searched(
    work: Work, asked: TuneRequest, trainer: ProcessTrainer
) -> tuple[float, Sequence[Standing]]:
    """Return the share that is right without training, and how every recipe stands."""
    tasks = await asyncio.to_thread(_tasks, work, asked)
    known = list(kept(work.settings.data_dir, asked.base_name, asked.questions))
    start = recipe_for(trainer.parameters)
    noting = _noting(work, asked, len(known), most_trials(start, len(tasks)))
    trying = Trying(trainer, tasks, noting, known)
    untrained = await _untrained(work, trying, tasks)
    return untrained, await search(start, tasks, trying.all)


def _tasks(work: Work, asked: TuneRequest) -> list[Task]:
    """Return what recipes are tried on; raises `JobFailedError` where there is too little."""
    if not asked.own:
        return of_worlds(asked.worlds, asked.questions)
    memory, tenant = work.memory, work.job.tenant
    records = [r for r in memory.walk(tenant, state=State.ACTIVE) if r.tier in TIERS_THAT_TRAIN]
    records.sort(key=lambda record: position(cluster(record)))
    found = of_records(
        records,
        partial(_near, memory),
        gives_answer,
        SUITES_OF_A_WORLD * asked.worlds,
        asked.questions,
    )
    if not found:
        raise JobFailedError(
            f"tenant {tenant!r} has {len(records)} verified records; at least {FEWEST} that are "
            "alike are needed: import solved examples, or tune on invented worlds, without --own"
        )
    return found


def _near(memory: LongTermMemory, record: Record, k: int) -> Sequence[Neighbour]:
    try:
        return memory.recall(record.tenant, record.question, k=k)
    except UnreadableError:
        return ()


def _noting(work: Work, asked: TuneRequest, done: int, most: int) -> Callable[[Trial], None]:

    def note(trial: Trial) -> None:
        nonlocal done
        done += 1
        keep(work.settings.data_dir, asked.base_name, asked.questions, trial)
        work.progress("recipes tried on a world", done, max(done, most))

    return note


async def _untrained(work: Work, trying: Trying, tasks: Sequence[Task]) -> float:
    """Return the share of all questions that is answered rightly without training."""
    right = asked = 0
    for number, task in enumerate(tasks, 1):
        right += await trying.untrained(task)
        asked += len(task.questions)
        work.progress("worlds asked without training", number, len(tasks))
    return right / asked


def _tuned(best: Standing, untrained: float) -> Tuned:
    return Tuned(
        recipe=best.recipe,
        right=best.share,
        untrained=untrained,
        questions=sum(trial.asked for trial in best.trials),
        worlds=tuple(trial.task for trial in best.trials),
        found_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
