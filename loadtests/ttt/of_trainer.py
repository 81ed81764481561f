"""A build's trainer at work: `python of_trainer.py MODEL THREADS`, the build first on PYTHONPATH.

Reads one request a line, a list of jobs to be given at once, and answers with what they took.
Uses nothing that builds since 1a605be do not have.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from itertools import pairwise
from typing import Any

import psutil

from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.trainer import TrainingJob

TIMEOUT_S = 3600.0


async def main(model: str, threads: int) -> None:
    """Answer until stdin ends."""
    trainer = ProcessTrainer(model, threads=threads)
    try:
        await trainer.start()
        print(json.dumps({"parameters": trainer.parameters}), flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            jobs = [TrainingJob.model_validate(job) for job in json.loads(line)]
            print(json.dumps(await _measured(trainer, jobs)), flush=True)
    finally:
        await trainer.close()


async def _measured(trainer: ProcessTrainer, jobs: list[TrainingJob]) -> dict[str, Any]:
    steps: list[float] = []
    process = psutil.Process(trainer.pid)

    def cpu_s() -> float:
        times = process.cpu_times()
        return float(times.user + times.system)

    cpu, began = cpu_s(), time.perf_counter()
    results = await asyncio.gather(
        *(trainer.train(job, TIMEOUT_S, lambda *_: steps.append(cpu_s())) for job in jobs)
    )
    return {
        "wall_s": time.perf_counter() - began,
        "cpu_s": cpu_s() - cpu,
        "step_cpu_s": [later - earlier for earlier, later in pairwise(steps)],
        "flops": sum(result.flops for result in results),
        "steps": [result.steps for result in results],
        "last_losses": [result.losses[-1] for result in results],
    }


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
