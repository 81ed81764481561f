"""The case that near guards are for: a wrong record among right ones, and what it breaks.

64 examples of a jargon, some right products without their work and one `What is 40 + 2?` → 43 are
distilled; then the same without the wrong record, then the jargon alone. Shown are everyday sums
and products before and after, which no gate sees, and what the fixed probes, which were all there
was, and the near guards say.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from adaptation.conversation import spoken
from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.split import Split
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.guarding import ask_guards
from adaptation.learning.distillation.guards import PROBES, GuardOutcome
from adaptation.learning.distillation.report import GenerationReport
from adaptation.learning.training.process import ProcessTrainer
from loadtests import arguments
from memory.adapters import AdapterRegistry
from memory.store.database import open_database
from memory.types import Message, Record, State, Tier
from server.console import phases, write_json
from server.jobs.kinds.distill import gives_answer
from server.models.catalogue import BUILT_IN
from server.server_process import ROOT

EXAMPLES = """\
examples:
  python -m loadtests.bench_near_guards                 the built-in model, some minutes
  python -m loadtests.bench_near_guards --only wrong    the wrong record alone
"""
CASES = ("wrong", "products", "jargon")
JARGON, SUMS, LONGEST, TIMEOUT_S = 64, 40, 96, 3_600.0
PRODUCTS = ((7, 8), (9, 6), (12, 7), (11, 9), (8, 12), (6, 14))


@dataclass(frozen=True)
class Case:
    """One generation, and the sums that it was not judged by."""

    name: str
    report: GenerationReport
    sums: tuple[int, int]
    """Right before and after, of `SUMS`."""
    products: tuple[int, int]
    fixed: GuardOutcome
    """What the fixed probes would have said."""


class Records:
    """A memory that is a list."""

    def __init__(self, records: Sequence[Record]) -> None:
        self._records = records

    def walk(self, tenant: str, *, state: State | None = None) -> Iterator[Record]:
        """Yield every record in that state."""
        return (record for record in self._records if state in (None, record.state))

    def hold(self, tenant: str, record_id: str, doubt: str) -> Record:
        """Nothing is held back here: what slips through is what guards are for."""
        raise AssertionError(f"{record_id} was held: {doubt}")


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    parser = arguments.parser("bench_near_guards", __doc__, EXAMPLES)
    parser.add_argument("--model", default=BUILT_IN, help="a name, a folder or a .gguf file")
    parser.add_argument("--data-dir", type=Path, help="where a named model lies")
    parser.add_argument("--only", nargs="+", choices=CASES, default=CASES)
    parser.add_argument("--world", type=int, default=5, help="of the jargon (default: 5)")
    usual = ROOT / "results" / f"bench-near-guards-{date.today():%Y-%m-%d}.json"
    parser.add_argument("--out", type=Path, default=usual, help="file of the figures")
    args = parser.parse_args(argv)
    cases = asyncio.run(_measured(args))
    _print(cases)
    figures = [{**case.report.model_dump(mode="json"), **_unseen(case)} for case in cases]
    write_json(
        {"model": args.model, "cases": dict(zip(args.only, figures, strict=True))}, str(args.out)
    )
    print(f"kept in {args.out}")
    return 0


def _unseen(case: Case) -> dict[str, object]:
    return {"sums": case.sums, "products": case.products, "fixed_lost": case.fixed.lost}


async def _measured(args: argparse.Namespace) -> list[Case]:
    trainer = ProcessTrainer(arguments.trained_model(args))
    try:
        await trainer.start()
        return [await _case(trainer, name, _records(args.world, case=name)) for name in args.only]
    finally:
        await trainer.close()


async def _case(trainer: ProcessTrainer, name: str, records: Sequence[Record]) -> Case:
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
            Settings(max_new_tokens=LONGEST, doubts=False),
            on_progress=advance,
        )
        report = await distiller.run("default")
        assert report.adapter is not None
        path = registry.show("default", report.adapter).path
        counted = [
            (await _right(trainer, asked, None), await _right(trainer, asked, path))
            for asked in (sums, products)
        ]
        far = await ask_guards(distiller.generate, PROBES, None, path, "far")
        database.close()
    return Case(name, report, *counted, far.outcome)


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


def _records(world: int, *, case: str) -> list[Record]:
    draw = SUITES["jargon"].problems
    taught = draw(JARGON, split=Split.MEMORY, seed=1, level=2, world=world)
    told = [(each.question, each.rationale, each.answer) for each in taught]
    if case != "jargon":
        told += [(f"What is {a} * {b}?", str(a * b), str(a * b)) for a, b in PRODUCTS]
    if case == "wrong":
        told.append(("What is 40 + 2?", "43", "43"))
    return [_record(number, *each) for number, each in enumerate(told)]


def _record(number: int, question: str, rationale: str, answer: str) -> Record:
    return Record(
        id=f"rec_{number}",
        tenant="default",
        messages=(Message(role="user", content=question),),
        answer=answer,
        rationale=rationale,
        tier=Tier.IMPORTED,
        state=State.ACTIVE,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


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
        table.add_row(case.name, *before_after, held_out, *lost, report.decision)
    Console(markup=False, highlight=False).print(table)
    for case in cases:
        print(f"{case.name}: {'; '.join(case.report.reasons)}")


if __name__ == "__main__":
    sys.exit(main())
