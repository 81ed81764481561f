"""The trainer's process without a model: its own wire and requests, and jobs that pass the time.

It starts in a fraction of a second, for tests of what becomes of a process that is killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from adaptation.errors import TrainerError
from adaptation.learning.training.trainer import TrainingJob, TrainingResult
from adaptation.learning.training.wire import Inbox, Wire
from adaptation.learning.training.worker import Worker

STEP_S = 0.001


class LightScheduler:
    """Trains nothing, all jobs at once."""

    def __init__(self) -> None:
        self._live: list[tuple[TrainingJob, Any, Callable[[TrainingResult | Exception], None]]] = []
        self._done = 0

    @property
    def is_idle(self) -> bool:
        return not self._live

    def submit(self, job: TrainingJob, control: Any, on_end: Any) -> None:
        self._live.append((job, control, on_end))

    def step(self) -> None:
        time.sleep(STEP_S)
        self._done += 1
        for task in list(self._live):
            job, control, on_end = task
            if control.cancelled.is_set():
                self._live.remove(task)
                on_end(TrainerError("the job was cancelled"))
            elif self._done % job.recipe.steps == 0:
                self._live.remove(task)
                on_end(result_of(job))
            else:
                control.on_step(SimpleNamespace(steps=self._done, losses=(1.0,), tokens=self._done))


def result_of(job: TrainingJob) -> TrainingResult:
    return TrainingResult(
        path=job.output_dir,
        rank=job.recipe.rank,
        steps=job.recipe.steps,
        losses=(1.0,),
        holdout_before=(1.0,),
        holdout_after=(1.0,),
        tokens=1,
        flops=0.0,
        seconds=0.0,
    )


class LightWorker(Worker):
    """The wire and the loop of the real one."""

    def __init__(self, wire: Inbox) -> None:
        self._wire = wire
        self._base = SimpleNamespace(device="cpu", n_parameters=1, device_bytes=None)  # type: ignore[assignment]
        self._scheduler = LightScheduler()  # type: ignore[assignment]


if __name__ == "__main__":
    LightWorker(Wire()).serve()
