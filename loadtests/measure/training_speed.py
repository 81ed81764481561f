"""How much of the machine training uses: the trainer's FLOP/s against a plain bf16 matmul."""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise

from adaptation.conversation import Conversation, spoken
from adaptation.evaluation import questions
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.recipes import recipe_for
from adaptation.learning.training.trainer import TrainingJob, TrainingResult
from adaptation.statistics import Interval, quartiles
from loadtests.measure.laboratory import Laboratory
from loadtests.measure.result import Result
from memory.types import Message

THREADS = 1
"""As the trainer has them beside an engine that serves the built-in model."""
EXAMPLES = 16
STEPS = 8
SIZES = (1024, 2048, 4096)
"""Sides of the square matrices; the fastest counts as the peak."""
TIMEOUT_S = 300.0
NOTE = (
    f"The trainer's process alone, {EXAMPLES} neighbours, {STEPS} steps, {THREADS} thread; counted "
    "are 4 · parameters · tokens (frozen base, no padding). The peak is torch.matmul in bf16 with "
    "as many threads, measured in turn with the jobs."
)


@dataclass(frozen=True)
class Job:
    """One job beside the peak measured next to it."""

    result: TrainingResult
    step_s: float
    """Median time of an optimiser step, seen from outside."""
    peak: float

    @property
    def whole(self) -> float:
        """FLOP/s of the whole job: tokenising, training, writing."""
        return self.result.flops / self.result.seconds

    @property
    def steps(self) -> float:
        """FLOP/s of the optimiser steps alone."""
        return self.result.flops / self.result.steps / self.step_s


def measure(lab: Laboratory) -> Result:
    """Run jobs and matmuls in turn."""
    jobs, parameters = asyncio.run(_run(lab))
    return _result(jobs, parameters)


async def _run(lab: Laboratory) -> tuple[list[Job], int]:
    trainer = ProcessTrainer(lab.model.folder, threads=THREADS)
    try:
        await trainer.start()
        await _job(trainer, lab.seed)  # the first one allocates
        jobs = []
        for index in range(lab.scale.jobs):
            lab.advance("training FLOP/s", index, lab.scale.jobs)
            peak = await asyncio.to_thread(matmul_peak, THREADS)
            result, step_s = await _job(trainer, lab.seed + index)
            jobs.append(Job(result, step_s, peak))
        lab.advance("training FLOP/s", lab.scale.jobs, lab.scale.jobs)
        return jobs, trainer.parameters or 0
    finally:
        await trainer.close()


async def _job(trainer: ProcessTrainer, seed: int) -> tuple[TrainingResult, float]:
    times = [time.perf_counter()]
    with tempfile.TemporaryDirectory(prefix="whet-bench-") as folder:
        result = await trainer.train(
            TrainingJob(
                conversations=conversations(seed),
                recipe=recipe_for(trainer.parameters, steps=STEPS),
                output_dir=folder,
            ),
            TIMEOUT_S,
            lambda done, total, loss: times.append(time.perf_counter()),
        )
    gaps = [later - earlier for earlier, later in pairwise(times[1:])]
    return result, quartiles(gaps).value


def conversations(seed: int) -> tuple[Conversation, ...]:
    """Return solved questions of one world, each a conversation of two turns."""
    return tuple(
        spoken(
            Message(role="user", content=task.question),
            Message(role="assistant", content=task.rationale),
        )
        for task in questions.examples(EXAMPLES, seed)
    )


def matmul_peak(threads: int) -> float:
    """Return this machine's bf16 matmul FLOP/s: the fastest of a few sizes, each the best of 5."""
    import torch

    torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    best = 0.0
    for n in SIZES:
        a, b = (torch.randn(n, n, dtype=torch.bfloat16, device=device) for _ in range(2))
        for _ in range(5):
            started = time.perf_counter()
            a @ b
            if device == "cuda":
                torch.cuda.synchronize()
            best = max(best, 2 * n**3 / (time.perf_counter() - started))
    return best


def _result(jobs: list[Job], parameters: int) -> Result:
    giga = {
        "trainer, whole job": quartiles([job.whole / 1e9 for job in jobs]),
        "trainer, steps alone": quartiles([job.steps / 1e9 for job in jobs]),
        "bf16 matmul": quartiles([job.peak / 1e9 for job in jobs]),
    }
    shares = quartiles([job.steps / job.peak for job in jobs])
    tokens = quartiles([job.result.tokens / job.result.steps for job in jobs])
    return Result(
        name="training_speed",
        title="Training FLOP/s against a bf16 matmul (quartiles)",
        rows=[
            *((f"{name}, GFLOP/s", found.show(".1f")) for name, found in giga.items()),
            ("share of the matmul, steps alone", shares.show(".1%")),
            ("seconds of a job", quartiles([job.result.seconds for job in jobs]).show()),
            ("tokens of a step", tokens.show(".0f")),
            ("parameters of the model", f"{parameters:,}"),
        ],
        figures=_figures(jobs, shares) | {"threads": THREADS, "parameters": parameters},
        note=NOTE,
    )


def _figures(jobs: list[Job], shares: Interval) -> dict[str, object]:
    return {
        "share_of_peak": vars(shares),
        "jobs": [
            {
                "whole_flops": job.whole,
                "steps_flops": job.steps,
                "peak_flops": job.peak,
                "seconds": job.result.seconds,
                "steps": job.result.steps,
            }
            for job in jobs
        ],
    }
