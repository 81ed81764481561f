"""Distillation by four workers of a Ray cluster, against one: a whole generation.

Real: the generation, its pieces and decisions, the cluster, its scheduling, adapters on their way.
Simulated, as there are fewer cores than workers: a piece is not computed but waited for, as long as
it took of one thread when the same generation was recorded (`replayed`). Recorded for each number
of workers, since a piece of a quarter of the prompts takes more than a quarter of the time. The
cluster is there before.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from adaptation.evaluation.examples import draft_of
from adaptation.evaluation.suites import suite_named
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.learning.distillation.generation import Distiller
from adaptation.learning.distillation.pieces import Pieces
from adaptation.learning.distillation.report import GenerationReport
from adaptation.learning.distillation.settings import Settings
from adaptation.learning.distillation.spread import Spread
from adaptation.learning.training.process import ResidentTrainer
from adaptation.learning.training.trainer import Recipe
from adaptation.statistics import Interval
from loadtests import arguments
from loadtests.measure.result import Result, Row, Target
from loadtests.scale import part
from loadtests.scale.replayed import Noted, Recording, waiting
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from server.jobs.kinds.distill import gives_answer

WORKERS = 4
AT_LEAST = 3.0
TENANT = "default"
RECORDS = 48
QUICK = Settings(recipe=Recipe(rank=16, steps=24, batch_size=8))
"""A training of an eighth of the steps."""
WORLD = 500
"""A development world."""


@dataclass(frozen=True)
class Taken:
    """What a generation took, by the clock."""

    report: GenerationReport
    start_s: float
    """Until a cluster and its first worker were there."""
    seconds: float
    """From then on."""


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    name: str
    """Of the model."""
    model: str
    """Its folder."""
    records: int
    settings: Settings
    recorded: Path | None
    """Where pieces are kept, and found again; None: nowhere."""


def measured(plan: Plan) -> Result:
    """Record a generation for one worker and for four, and have both done again by waiting."""
    with TemporaryDirectory(prefix="whet-replay-", dir="/tmp") as name:
        folder, recorded = Path(name), plan.recorded or Path(name, "pieces")
        recorded.mkdir(parents=True, exist_ok=True)
        one, pieces = _by(1, folder, recorded, plan)
        four, _ = _by(WORKERS, folder, recorded, plan)
    return _result(one, four, pieces, plan)


def _by(workers: int, folder: Path, pieces: Path, plan: Plan) -> tuple[Taken, list[Noted]]:
    """Record one generation; return what it took of workers that wait, and its pieces."""
    first, again, ray = (folder / f"{what}-{workers}" for what in ("first", "again", "ray"))
    for each in (first, again, ray):
        each.mkdir()
    recording = Recording(pieces, plan.model)
    recorded = asyncio.run(_generation(ResidentTrainer(recording), first, workers, plan))
    why = "; ".join(recorded.report.reasons)
    print(f"recorded for {workers}: {recorded.report.decision}: {why}", file=sys.stderr, flush=True)
    replaying = waiting(pieces, workers, ray)
    taken = asyncio.run(_generation(replaying, again, workers, plan))
    if _decided(recorded.report) != _decided(taken.report):
        raise RuntimeError("the generation that was waited for decided otherwise")
    return taken, recording.used


async def _generation(trainer: ResidentTrainer, folder: Path, workers: int, plan: Plan) -> Taken:
    """Run one; the trainer is closed."""
    began = time.perf_counter()
    with closing(LongTermMemory.open(folder, create_embedder("hashing"))) as memory:
        memory.save_many([draft_of(TENANT, each) for each in _solved(plan.records)])
        distiller = Distiller(
            memory,
            memory.adapters,
            Spread(trainer, workers, Pieces(None)),
            plan.name,
            gives_answer,
            plan.settings,
        )
        try:
            await trainer.start()
            started = time.perf_counter()
            report = await distiller.run(TENANT)
            ended = time.perf_counter()
        finally:
            await trainer.close()
    return Taken(report, started - began, ended - started)


def _solved(number: int) -> list[Solved]:
    suite = suite_named("house_rules")
    known = {"split": Split.MEMORY, "seed": 0, "level": suite.default_level}
    return suite.problems(number, world=WORLD, **known)


def _decided(report: GenerationReport) -> tuple[Any, ...]:
    return report.decision, report.reasons, report.accuracy


def _result(one: Taken, four: Taken, pieces: Sequence[Noted], plan: Plan) -> Result:
    whole = one.seconds / four.seconds
    trained = max(piece.seconds for piece in pieces if piece.op == "train")
    spent = Counter[str]()
    for piece in pieces:
        spent[piece.op] += piece.seconds
    took = ", ".join(f"{op} {seconds:.1f}" for op, seconds in spent.most_common())
    shares = [f"{trained / taken.seconds:.0%}" for taken in (one, four)]
    rest = (one.seconds - trained) / (four.seconds - trained)
    rows: list[Row] = [
        ("seconds of a generation by one worker, and by four", _pair(one.seconds, four.seconds)),
        ("the candidate's training, which is one piece: seconds", f"{trained:.1f}"),
        ("its share of a generation by one worker, and by four", ", ".join(shares)),
        ("all else: × as fast by four", f"{rest:.2f}"),
        ("processor seconds of one worker's pieces", took),
        ("not counted: seconds until a cluster is there", _pair(one.start_s, four.start_s)),
    ]
    found = {
        "model": plan.name,
        "records": plan.records,
        "decision": one.report.decision,
        "reasons": one.report.reasons,
        "spent": dict(spent),
    }
    name = "distillation over 4 workers against 1"
    bound = Target(name, AT_LEAST, "at least", Interval(whole, whole, whole), "×")
    return Result(
        "distilling", f"Distillation of {plan.name} by workers", rows, found, [bound], __doc__ or ""
    )


def _pair(one: float, four: float) -> str:
    return f"{one:.1f}, {four:.1f}"


def measure(args: argparse.Namespace) -> Result:
    """For the command line."""
    settings = QUICK if args.quick else Settings()
    model = arguments.trained_model(args)
    return measured(Plan(args.model, model, args.records, settings, args.recorded))


def _flags(parser: argparse.ArgumentParser) -> None:
    told = f"records that the generation learns from (default: {RECORDS})"
    parser.add_argument("--records", type=int, default=RECORDS, help=told)
    told = "a folder of pieces that were recorded, and are to be kept (default: none)"
    parser.add_argument("--recorded", type=Path, help=told)
    arguments.add_named_model(parser)


if __name__ == "__main__":
    sys.exit(part.run("distilling", __doc__, measure, add=_flags))
