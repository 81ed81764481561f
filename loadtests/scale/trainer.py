"""The trainer on Ray against the trainer's own process: the same jobs, in turns of one run.

`python -m loadtests.scale.trainer`. Both have the built-in model and one thread; Ray has a cluster
of its own on this machine, and one actor. Every round gives both the same job alone, then the same
jobs at once, who begins taking turns. At the end the actor is killed in the midst of a job, and
jobs are given one after the other until one comes back.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from adaptation.errors import TrainerError
from adaptation.learning.ray.placement import Placement
from adaptation.learning.ray.trainer import RayTrainer
from adaptation.learning.training.adapter_files import WEIGHTS
from adaptation.learning.training.process import ProcessTrainer, ResidentTrainer
from adaptation.learning.training.trainer import Recipe, TrainingJob
from adaptation.pebble import model_path
from adaptation.statistics import Interval, geometric_mean
from loadtests.measure.result import Result, Target
from loadtests.measure.training_speed import conversations
from loadtests.scale import part

ROUNDS, JOBS, STEPS = 7, 8, 8
BOUND, MOST_FALLBACKS = 1.15, 1
TIMEOUT_S, START_S = 900.0, 600.0
ACTOR = "ray::TrainerActor"


@dataclass(frozen=True)
class Turn:
    """What one trainer took in one round."""

    alone_s: float
    together_s: float
    weights: bytes
    """Of the job that was alone."""


@dataclass(frozen=True)
class Kill:
    """What a killed actor cost."""

    fallbacks: int
    """Jobs that ended without an adapter, the one it had included."""
    back_s: float
    """From the kill to the next adapter."""


def measure(args: argparse.Namespace) -> Result:
    """Train in turns, and kill an actor."""
    with TemporaryDirectory(prefix="whet-scale-") as folder:
        ray, own, kill = asyncio.run(_run(Path(folder), 2 if args.quick else ROUNDS))
    return _result(ray, own, kill)


async def _run(folder: Path, rounds: int) -> tuple[list[Turn], list[Turn], Kill]:
    model = model_path()
    async with AsyncExitStack() as opened:
        on_ray = RayTrainer(model, Placement(device="cpu", start_s=START_S))
        opened.push_async_callback(on_ray.close)
        own = ProcessTrainer(model, threads=1, device="cpu")
        opened.push_async_callback(own.close)
        turns: dict[ResidentTrainer, list[Turn]] = {on_ray: [], own: []}
        for trainer in turns:
            await trainer.start()
            await _turn(trainer, folder, 0)  # warm
        for number in range(1, rounds + 1):
            order = [on_ray, own] if number % 2 else [own, on_ray]
            for trainer in order:
                turns[trainer].append(await _turn(trainer, folder, number))
        return turns[on_ray], turns[own], await _killed(on_ray, folder)


async def _turn(trainer: ResidentTrainer, folder: Path, number: int) -> Turn:
    began = time.perf_counter()
    await trainer.train(job(folder, number, 0), TIMEOUT_S)
    alone_s = time.perf_counter() - began
    weights = (await asyncio.to_thread(Path(folder, "0", WEIGHTS).read_bytes)) if number else b""
    began = time.perf_counter()
    jobs = [job(folder, number, place) for place in range(JOBS)]
    await asyncio.gather(*(trainer.train(each, TIMEOUT_S) for each in jobs))
    return Turn(alone_s, time.perf_counter() - began, weights)


async def _killed(trainer: ResidentTrainer, folder: Path) -> Kill:
    stepped = asyncio.Event()
    long = job(folder, 0, 0, steps=10_000)
    work = asyncio.create_task(trainer.train(long, TIMEOUT_S, lambda *_: stepped.set()))
    await stepped.wait()
    began, fallbacks = time.perf_counter(), 0
    for actor in _actors():
        actor.send_signal(signal.SIGKILL)
    while True:
        try:
            await work
            return Kill(fallbacks, time.perf_counter() - began)
        except TrainerError:
            fallbacks += 1
            work = asyncio.create_task(trainer.train(job(folder, 0, 0), TIMEOUT_S))


def _actors() -> list[psutil.Process]:
    below = psutil.Process(os.getpid()).children(recursive=True)
    return [process for process in below if ACTOR in " ".join(process.cmdline())]


def job(folder: Path, seed: int, place: int, steps: int = STEPS) -> TrainingJob:
    """Return a job as a request of `ttt` gives it, with its folder below `folder`."""
    output = folder / str(place)
    output.mkdir(exist_ok=True)
    recipe = Recipe(steps=steps, min_loss=0.0, seed=seed)
    shown = conversations(JOBS * seed + place)
    return TrainingJob(
        conversations=shown[:-2], holdout=shown[-2:], recipe=recipe, output_dir=str(output)
    )


def _result(ray: Sequence[Turn], own: Sequence[Turn], kill: Kill) -> Result:
    alone = _ratio([turn.alone_s for turn in ray], [turn.alone_s for turn in own])
    together = _ratio([turn.together_s for turn in ray], [turn.together_s for turn in own])
    alike = sum(a.weights == b.weights for a, b in zip(ray, own, strict=True))
    fallbacks = Interval(kill.fallbacks, kill.fallbacks, kill.fallbacks)
    return Result(
        name="trainer",
        title="The trainer on Ray beside the trainer's own process",
        rows=[
            (f"time of {JOBS} jobs at once, Ray / own", together.show()),
            ("time of one job alone, Ray / own", alone.show()),
            ("adapters equal to the last byte", f"{alike} of {len(ray)}"),
            ("jobs that a killed actor cost", str(kill.fallbacks)),
            ("from the kill to the next adapter", f"{kill.back_s:.1f} s"),
        ],
        figures={
            "ray_s": [[turn.alone_s, turn.together_s] for turn in ray],
            "own_s": [[turn.alone_s, turn.together_s] for turn in own],
            "kill": asdict(kill),
            "alike": alike,
        },
        targets=[
            Target("trainer on Ray / in its own process, time", BOUND, "at most", together),
            Target("fallbacks of a killed actor", MOST_FALLBACKS, "at most", fallbacks),
        ],
        note=f"{len(ray)} rounds, whet-pebble, one thread each, {STEPS} steps a job.",
    )


def _ratio(above: Sequence[float], below: Sequence[float]) -> Interval:
    """Return the geometric mean of the rounds' ratios."""
    return geometric_mean([a / b for a, b in zip(above, below, strict=True)])


if __name__ == "__main__":
    sys.exit(part.run("trainer", __doc__, measure))
