"""Runs of generations on records that can teach nothing: how many promote something falsely.

Each record asks which of two numbers is the right one, and a coin has decided. Whatever a model
makes of that, it is right about half of the questions that are held out, and so is the base, which
names one of the two as well. So a version that is promoted was promoted by luck. Nothing is held
back for review, no run halts, and whatever the gate lets through is served from then on.

Interrupted, the same command goes on where it was.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.trainer import GeneratingTrainer
from adaptation.statistics import wilson
from loadtests import arguments
from loadtests.bench import machine, versions
from loadtests.claims import print_claims
from loadtests.measure.claims import Claim
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Tier
from memory.versions.judgements import Judgement
from server.jobs.kinds.distill import gives_answer
from server.server_process import ROOT, ended_in_order
from server.terminal import write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_useless              the built-in model, twenty runs: hours on one core
  python -m loadtests.bench_useless --runs 5     the first five of them
"""
ALLOWED = 0.05
"""Share of the runs that may promote something falsely."""
LONGEST = 48
INTERRUPTED = 130
SETTINGS = Settings(max_new_tokens=LONGEST, doubts=False, scores=False, bare="learn", anyway=True)
"""What finds such records is left out: this is about what slips through."""


@dataclass(frozen=True)
class Plan:
    """How much is done."""

    runs: int
    generations: int
    first: int
    """Records before the first generation."""
    more: int
    """Records that come with each later one."""


@dataclass(frozen=True)
class Useless:
    """The runs; each is a tenant of its own, and its judgements tell how far it is."""

    plan: Plan
    memory: LongTermMemory
    trainer: GeneratingTrainer
    base_model: str

    async def run(self) -> None:
        """Do what is left to do."""
        for number in range(self.plan.runs):
            while (done := len(self.judged(number))) < self.plan.generations:
                await self._generation(number, done)

    def judged(self, number: int) -> Sequence[Judgement]:
        """Return what was found of a run so far."""
        return self.memory.judgements.of(tenant_of(number), self.base_model)

    async def _generation(self, number: int, done: int) -> None:
        tenant, records = tenant_of(number), self.plan.first + done * self.plan.more
        self.memory.save_many(coin_tosses(tenant, number, records))
        distiller = Distiller(
            self.memory,
            self.memory.adapters,
            self.trainer,
            self.base_model,
            gives_answer,
            SETTINGS,
            judgements=self.memory.judgements,
        )
        report = await distiller.run(tenant)
        told = f"run {number + 1}, generation {done + 1}: {report.decision}"
        print(f"{told} in {report.seconds:.0f} s: {'; '.join(report.reasons)}", flush=True)


def tenant_of(number: int) -> str:
    """Return whose memory a run grows."""
    return f"run_{number}"


def coin_tosses(tenant: str, seed: int, count: int) -> list[Draft]:
    """Return the first so many records of a run."""
    rng, found = Random(f"coin {seed}"), dict[str, Draft]()
    while len(found) < count:
        one, other = rng.sample(range(10, 100), 2)
        right = rng.choice((one, other))
        question = f"Which number is right, {one} or {other}?"
        draft = Draft(
            tenant=tenant,
            messages=(Message(role="user", content=question),),
            answer=str(right),
            rationale=f"{right} is the right one.\n#### {right}",
            tier=Tier.IMPORTED,
        )
        found.setdefault(question, draft)
    return list(found.values())


def main(argv: Sequence[str] | None = None) -> int:
    """Do what is left to do, print, keep."""
    args = _arguments(argv)
    plan = Plan(args.runs, args.generations, args.first, args.more)
    embedder = create_embedder("hashing")
    with closing(LongTermMemory.open(args.out / "memory", embedder)) as memory:
        trainer = ProcessTrainer(arguments.trained_model(args))
        runs = Useless(plan, memory, trainer, args.model)
        try:
            with ended_in_order():
                asyncio.run(_followed(runs))
        except KeyboardInterrupt:
            return INTERRUPTED
        finally:
            _show(args, [runs.judged(number) for number in range(plan.runs)])
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_useless", __doc__, EXAMPLES)
    arguments.add_named_model(parser)
    for name, default, about in (
        ("runs", 20, "each with records of its own"),
        ("generations", 10, "of each run"),
        ("first", 96, "records before the first generation"),
        ("more", 16, "records that come with each later one"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{about} ({default})")
    usual = ROOT / "results" / "useless"
    parser.add_argument("--out", type=Path, default=usual, help="folder that is gone on with")
    return parser.parse_args(argv)


async def _followed(runs: Useless) -> None:
    try:
        await runs.trainer.start()
        await runs.run()
    finally:
        await runs.trainer.close()


def claims(runs: Sequence[Sequence[Judgement]], generations: int) -> list[Claim]:
    """Hold the runs that are done against what is allowed."""
    done = [run for run in runs if len(run) >= generations]
    if not done:
        return []
    false = sum(any(each.promoted for each in run) for run in done)
    interval = wilson(false, len(done))
    told = (
        f"{false} of {len(done)} ({interval.show('.1%')})",
        f"{sum(_has_evidence(run) for run in done)} where no guard had objected",
    )
    target = f"≤ {ALLOWED:.0%} of runs of {generations} useless generations"
    return [Claim("runs with a false promotion", target, told, false <= ALLOWED * len(done))]


def _has_evidence(run: Sequence[Judgement]) -> bool:
    """Whether held-out questions alone would have promoted something."""
    return any(each.e_value * each.alpha >= 1 for each in run)


def _show(args: argparse.Namespace, runs: Sequence[Sequence[Judgement]]) -> None:
    """Print what is known so far, and keep it."""
    table = Table(
        "run", "generations", "promoted", "asked", "gained", "lost", "largest e", box=None
    )
    for number, run in enumerate(runs, 1):
        if run:
            table.add_row(
                str(number),
                str(len(run)),
                str(sum(each.promoted for each in run)),
                str(sum(len(each.record_ids) for each in run)),
                str(sum(each.helped for each in run)),
                str(sum(each.hurt for each in run)),
                f"{max(each.e_value for each in run):.2g}",
            )
    Console(markup=False, highlight=False).print(table)
    found = claims(runs, args.generations)
    print_claims(found)
    figures = {
        "model": args.model,
        "machine": machine(),
        "versions": versions(),
        "claims": [(claim.target, claim.found, claim.met) for claim in found],
        "runs": [[each.model_dump(mode="json", exclude={"record_ids"}) for each in run]
                 for run in runs],
    }  # fmt: skip
    write_json(figures, str(args.out / "useless.json"))
    print(f"kept in {args.out}")


if __name__ == "__main__":
    sys.exit(main())
