"""Jobs run to their end in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from adaptation.learning.service.base import Base
from adaptation.learning.service.job import Control
from adaptation.learning.service.scheduler import Room, Scheduler
from adaptation.learning.training.trainer import TrainingJob, TrainingResult

End = TrainingResult | Exception


def run_jobs(
    base: Base,
    jobs: Sequence[tuple[TrainingJob, Control]],
    room: Room | None = None,
    before_step: Callable[[int], None] = lambda number: None,
) -> list[End]:
    """How each job ended; all are given at once."""
    scheduler, ends = Scheduler(base, room), dict[int, End]()
    for number, (job, control) in enumerate(jobs):
        scheduler.submit(
            job,
            control,
            lambda end, number=number: ends.__setitem__(number, end),
        )
    steps = 0
    while not scheduler.is_idle:
        before_step(steps)
        scheduler.step()
        steps += 1
    return [ends[number] for number in range(len(jobs))]


def run_job(base: Base, job: TrainingJob, control: Control) -> TrainingResult:
    """One job alone; raises what ended it."""
    (end,) = run_jobs(base, [(job, control)])
    if isinstance(end, Exception):
        raise end
    return end
