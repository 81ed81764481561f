"""What per-request training costs: a trainer's start, a step, the files of an adapter."""

from __future__ import annotations

import asyncio
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.recipes import recipe_for
from adaptation.learning.training.trainer import TrainingJob
from adaptation.pebble import model_path
from adaptation.statistics import quartiles
from loadtests.measure.training_speed import STEPS, THREADS, TIMEOUT_S, conversations
from loadtests.simulate.costs import Spread

STARTS, ROUNDS, AT_ONCE = 3, 4, (1, 4)


def measure() -> dict[str, Any]:
    """Start trainers of the built-in model one after another; the last one trains."""
    return asyncio.run(_measured())


async def _measured() -> dict[str, Any]:
    starts, sizes = list[float](), list[float]()
    steps: dict[int, list[float]] = {jobs: [] for jobs in AT_ONCE}
    for number in range(STARTS):
        trainer = ProcessTrainer(model_path(), threads=THREADS)
        began = time.perf_counter()
        try:
            await trainer.start()
            starts.append(time.perf_counter() - began)
            if number == STARTS - 1:
                await _job(trainer, 0)  # the first one allocates
                for seed, jobs in product(range(ROUNDS), AT_ONCE):
                    began = time.perf_counter()
                    sizes += await asyncio.gather(*(_job(trainer, seed) for _ in range(jobs)))
                    steps[jobs].append((time.perf_counter() - began) / STEPS)
        finally:
            await trainer.close()
    return {
        "trainer_start_s": Spread.of(quartiles(starts)),
        "training_step_s": {jobs: Spread.of(quartiles(each)) for jobs, each in steps.items()},
        "adapter_bytes": Spread.of(quartiles(sizes)),
    }


async def _job(trainer: ProcessTrainer, seed: int) -> float:
    """Train; return the bytes of the adapter."""
    with tempfile.TemporaryDirectory(prefix="whet-costs-") as folder:
        recipe = recipe_for(trainer.parameters, steps=STEPS)
        job = TrainingJob(conversations=conversations(seed), recipe=recipe, output_dir=folder)
        await trainer.train(job, TIMEOUT_S)
        return _size_bytes(Path(folder))


def _size_bytes(folder: Path) -> float:
    return float(sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()))
