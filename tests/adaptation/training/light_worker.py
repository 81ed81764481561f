"""The trainer's process without a model: its own wire and requests, and jobs that pass the time.

It starts in a fraction of a second, for tests of what becomes of a process that is killed.
"""

from __future__ import annotations

from types import SimpleNamespace

from adaptation.training.messages import Done, Step, Train
from adaptation.training.trainer import TrainingResult
from adaptation.training.worker import Wire, Worker

STEP_S = 0.001


class LightWorker(Worker):
    """Trains nothing."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._resident = SimpleNamespace(device="cpu", n_parameters=1)

    def _train(self, request: Train) -> Done:
        job, done = request.job, 0
        cancelled = self._wire.cancelled(request.id)
        while done < job.recipe.steps and not cancelled.wait(STEP_S):
            done += 1
            self._wire.say(Step(id=request.id, done=done, total=job.recipe.steps, loss=1.0))
        result = TrainingResult(
            path=job.output_dir,
            rank=job.recipe.rank,
            steps=done,
            losses=(1.0,) * (done + 1),
            holdout_before=(1.0,),
            holdout_after=(1.0,),
            tokens=done,
            flops=0.0,
            seconds=0.0,
        )
        return Done(id=request.id, result=result)


if __name__ == "__main__":
    LightWorker(Wire()).serve()
