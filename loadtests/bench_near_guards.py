"""The case that near guards are for: a wrong record among right ones, and what it breaks.

64 examples of a jargon, some right products without their work and one `What is 40 + 2?` → 43 are
distilled; then the same without the wrong record, then the jargon alone; and that over again, with
other examples and another wrong sum. Shown are everyday sums and products before and after, which
no gate sees, and what the fixed probes, which were all there was, and the near guards say; in the
end of how many generations that break everyday sums none was promoted.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from adaptation.conversation import spoken
from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.split import Split
from adaptation.learning.distillation.asking import Asking
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.guarding import ask_guards
from adaptation.learning.distillation.guards import PROBES, GuardOutcome
from adaptation.learning.distillation.report import GenerationReport
from adaptation.learning.distillation.select import Selection, cluster, position
from adaptation.learning.training.process import ProcessTrainer
from adaptation.statistics import wilson
from loadtests import arguments
from loadtests.imported import imported
from memory.embedding.embedder import Embedder, create_embedder
from memory.store.database import open_database
from memory.types import Message, Record, State
from memory.versions.adapters import AdapterRegistry
from server.jobs.kinds.distill import gives_answer
from server.server_process import ROOT
from server.terminal import phases, write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_near_guards                 the built-in model, some minutes
  python -m loadtests.bench_near_guards --only wrong    the wrong record alone
  python -m loadtests.bench_near_guards --seeds 5       five times over
"""
CASES = ("wrong", "products", "jargon")
JARGON, SUMS, LONGEST, TIMEOUT_S = 64, 40, 96, 3_600.0
BROKEN = 4
"""Everyday sums or products of `SUMS` that are lost, from which they count as broken."""
PRODUCTS = ((7, 8), (9, 6), (12, 7), (11, 9), (8, 12), (6, 14))


@dataclass(frozen=True)
class Case:
    """One generation, and the sums that it was not judged by."""

    name: str
    seed: int
    report: GenerationReport
    sums: tuple[int, int]
    """Right before and after, of `SUMS`."""
    products: tuple[int, int]
    fixed: GuardOutcome
    """What the fixed probes would have said."""

    @property
    def is_broken(self) -> bool:
        """Whether everyday sums or products were lost."""
        return any(then - now >= BROKEN for then, now in (self.sums, self.products))

    @property
    def figures(self) -> dict[str, object]:
        """For the file of results."""
        unseen = {"sums": self.sums, "products": self.products, "fixed_lost": self.fixed.lost}
        return {"seed": self.seed, **self.report.model_dump(mode="json"), **unseen}


class Records:
    """A memory that is a list."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    def walk(self, tenant: str, *, state: State | None = None) -> Iterator[Record]:
        """Yield every record in that state."""
        return (record for record in self._records if state in (None, record.state))

    def hold(self, tenant: str, record_id: str, doubt: str, near: Sequence[str] = ()) -> Record:
        """Nothing is held back here: what slips through is what guards are for."""
        raise AssertionError(f"{record_id} was held: {doubt}")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    parser = arguments.parser("bench_near_guards", __doc__, EXAMPLES)
    arguments.add_named_model(parser)
    parser.add_argument("--only", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--world", type=int, default=5, help="the first jargon (default: 5)")
    parser.add_argument("--seeds", type=int, default=1, help="times over (default: 1)")
    usual = ROOT / "results" / f"bench-near-guards-{date.today():%Y-%m-%d}.json"
    parser.add_argument("--out", type=Path, default=usual, help="file of the figures")
    args = parser.parse_args(argv)
    cases = asyncio.run(_measured(args))
    _print(cases)
    _sum_up(cases)
    print(f"kept in {args.out}")
    return 0


async def _measured(args: argparse.Namespace) -> list[Case]:
    """Return all cases; each is kept when it is done."""
    trainer, embedder = ProcessTrainer(arguments.trained_model(args)), create_embedder("minilm")
    cases: list[Case] = []
    try:
        await trainer.start()
        for seed in range(args.seeds):
            for name in args.only:
                records = _records(args.world + seed, seed, case=name)
                cases.append(await _case(trainer, embedder, name, seed, records))
                _keep(args, cases)
    finally:
        await trainer.close()
    return cases


def _keep(args: argparse.Namespace, cases: Sequence[Case]) -> None:
    figures = {name: [case.figures for case in cases if case.name == name] for name in args.only}
    write_json({"model": args.model, "cases": figures}, str(args.out))
    case = cases[-1]
    told = f"sums {case.sums}, products {case.products}: {case.report.decision}"
    print(f"{case.name}, seed {case.seed}: {told}", flush=True)


async def _case(
    trainer: ProcessTrainer, embedder: Embedder, name: str, seed: int, records: Sequence[Record]
) -> Case:
    sums, products = _sums("+", 99), _sums("*", 12)
    with tempfile.TemporaryDirectory(prefix="whet-near-") as folder, phases() as advance:
        database = open_database(Path(folder))
        registry = AdapterRegistry(database, Path(folder) / "adapters")
        distiller = Distiller(
            Records(records),
            registry,
            trainer,
            name,
            gives_answer,
            Settings(max_new_tokens=LONGEST, doubts=False, bare="learn", policy="all"),
            on_progress=advance,
            vectors=lambda some: embedder.embed([record.question for record in some]),
        )
        report = await distiller.run("default")
        assert report.adapter is not None
        path = registry.show("default", report.adapter).path
        counted = [
            (await _right(trainer, asked, None), await _right(trainer, asked, path))
            for asked in (sums, products)
        ]
        asking = Asking(trainer, distiller.settings, advance)
        far = await ask_guards(asking.generate, PROBES, None, path, "far")
        database.close()
    return Case(name, seed, report, *counted, far.outcome)


def _sums(sign: str, largest: int) -> list[tuple[str, str]]:
    """Draw everyday questions that nothing else draws."""
    rng = Random(f"everyday {sign}")
    pairs = [(rng.randint(1, largest), rng.randint(1, largest)) for _ in range(SUMS)]
    return [(f"What is {a} {sign} {b}?", str(a + b if sign == "+" else a * b)) for a, b in pairs]


async def _right(
    trainer: ProcessTrainer, asked: Sequence[tuple[str, str]], adapter: str | None
) -> int:
    prompts = [spoken(Message(role="user", content=question)) for question, _ in asked]
    replies = await trainer.generate(prompts, adapter, LONGEST, TIMEOUT_S)
    return sum(
        gives_answer(reply, _record(0, question, answer, answer))
        for reply, (question, answer) in zip(replies, asked, strict=True)
    )


def _records(world: int, seed: int, *, case: str) -> list[Record]:
    draw = SUITES["jargon"].problems
    taught = draw(JARGON, split=Split.MEMORY, seed=seed + 1, level=2, world=world)
    told = [(each.question, each.rationale, each.answer) for each in taught]
    if case != "jargon":
        told += [(f"What is {a} * {b}?", str(a * b), str(a * b)) for a, b in PRODUCTS]
    if case == "wrong":
        told.append(_wrong(seed))
    return [_record(number, *each) for number, each in enumerate(told)]


def _wrong(seed: int) -> tuple[str, str, str]:
    """Return a sum that is one too much, of those that are trained on and not held out."""
    rng = Random(f"wrong {seed}")
    a, b = (rng.randint(10, 60), rng.randint(2, 9)) if seed else (40, 2)
    while True:
        told = f"What is {a} + {b}?", str(a + b + 1), str(a + b + 1)
        if position(cluster(_record(0, *told))) >= Selection().holdout_share:
            return told
        a, b = rng.randint(10, 60), rng.randint(2, 9)


def _record(number: int, question: str, rationale: str, answer: str) -> Record:
    return imported(f"rec_{number}", question, rationale, answer)


def _print(cases: Sequence[Case]) -> None:
    headings = ("records", "sums", "products", "held out", "fixed probes lost", "near lost", "")
    table = Table(*headings, box=None)
    for case in cases:
        report = case.report
        before_after = (" → ".join(map(str, pair)) for pair in (case.sums, case.products))
        near, fixed = report.near_guards, case.fixed
        lost = [f"{len(fixed.lost)} of {fixed.before}"]
        lost.append(f"{len(near.lost)} of {near.known}" if near else "not asked")
        held_out = f"{report.helped} gained, {report.hurt} lost"
        table.add_row(f"{case.name} {case.seed}", *before_after, held_out, *lost, report.decision)
    Console(markup=False, highlight=False).print(table)
    for case in cases:
        print(f"{case.name} {case.seed}: {'; '.join(case.report.reasons)}")


def _sum_up(cases: Sequence[Case]) -> None:
    for told, of in (
        ("break everyday sums or products", [case for case in cases if case.is_broken]),
        ("break none", [case for case in cases if not case.is_broken]),
    ):
        promoted = sum(case.report.decision == "promoted" for case in of)
        if of:
            interval = wilson(promoted, len(of))
            between = f"95 %: {interval.low:.1%} to {interval.high:.1%}"
            print(f"of {len(of)} generations that {told} {promoted} were promoted ({between})")


if __name__ == "__main__":
    sys.exit(main())
