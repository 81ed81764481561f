"""`make bench-solutions`: what bare corrections teach, as they are and with a written solution.

People correct what a model got wrong, with the answer and nothing else. Of each task so many
corrections are learned from, as a generation learns: `learn` trains on the answers, `solve` has the
model write solutions and leaves out those it cannot. Then fresh questions of the task are asked,
and everyday sums and products, which nobody meant to change.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from adaptation.conversation import Conversation, spoken
from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.split import Split
from adaptation.learning.candidates.kept import KeptHere
from adaptation.learning.candidates.solutions import Bare, Solver
from adaptation.learning.distillation.replay import PROMPTS, rehearsals
from adaptation.learning.neighbours import plain
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.recipes import distillation_recipe
from adaptation.learning.training.trainer import TrainingJob
from loadtests import arguments
from memory.types import Message, Record, State, Tier
from server.jobs.kinds.distill import gives_answer
from server.server_process import ROOT
from server.terminal import phases, write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_solutions               eight tasks, up to an hour on two cores
  python -m loadtests.bench_solutions --tasks units facts
"""
PRIVATE = ("facts", "jargon", "house_format", "house_rules")
TASKS = ("units", "lists", "orders", "countdown", *PRIVATE)
MODES: tuple[Bare, ...] = ("learn", "solve")
POOL, WORLD = 600, 640
"""Questions of which those that the model gets wrong are corrected; the world of a private task."""
TOKENS, TIMEOUT_S = 96, 1_800.0


@dataclass(frozen=True)
class Found:
    """What one way to learn from the corrections of one task came to: shares that are right."""

    task: str
    mode: str
    corrections: int
    learned: int
    before: float
    after: float
    everyday_before: float
    everyday_after: float


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    args = _arguments(argv)
    found = asyncio.run(_measured(args))
    write_json({"model": args.model, "found": [asdict(each) for each in found]}, str(args.out))
    _print(found)
    print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_solutions", __doc__, EXAMPLES)
    parser.add_argument("--model", default="whet-pebble", help="a name, a folder or a .gguf file")
    parser.add_argument("--data-dir", type=Path, help="where models lie")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=TASKS)
    parser.add_argument("--corrections", type=int, default=40, help="of each task (default 40)")
    parser.add_argument("--questions", type=int, default=100, help="fresh ones (default 100)")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "solutions.json")
    return parser.parse_args(argv)


async def _measured(args: argparse.Namespace) -> list[Found]:
    bench = Bench(ProcessTrainer(arguments.trained_model(args)), args.corrections, args.questions)
    found: list[Found] = []
    try:
        with phases() as advance:
            await bench.trainer.start()
            for number, task in enumerate(args.tasks):
                found += await bench.task(task)
                advance("tasks", number + 1, len(args.tasks))
    finally:
        await bench.trainer.close()
    return found


@dataclass(frozen=True)
class Bench:
    """Corrections of one task after the other."""

    trainer: ProcessTrainer
    corrections: int
    questions: int

    async def task(self, task: str) -> list[Found]:
        """Return what each way came to."""
        pool = records_of(task, POOL, Split.MEMORY)
        right = await self._right(pool, None)
        wrong = [each for each, is_right in zip(pool, right, strict=True) if not is_right]
        wrong = wrong[: self.corrections]
        fresh = records_of(task, self.questions, Split.DEVELOPMENT)
        everyday = everyday_sums(self.questions)
        before = await self._share(fresh, None), await self._share(everyday, None)
        found = []
        for mode in MODES:
            learned = await self._learned(wrong, mode)
            with tempfile.TemporaryDirectory(prefix="whet-bench-") as folder:
                adapter = await self._trained(learned, folder) if learned else None
                after = await self._share(fresh, adapter), await self._share(everyday, adapter)
            shares = before[0], after[0], before[1], after[1]
            found.append(Found(task, mode, len(wrong), len(learned), *shares))
            print(found[-1], file=sys.stderr, flush=True)
        return found

    async def _learned(self, wrong: Sequence[Record], mode: Bare) -> tuple[Record, ...]:
        limits = TOKENS, TIMEOUT_S, lambda *_: None
        solver = Solver(self.trainer, gives_answer, KeptHere(), "bench", *limits)
        return (await solver.solved("t", wrong, mode)).records

    async def _trained(self, learned: Sequence[Record], folder: str) -> str:
        prompts = [spoken(Message(role="user", content=prompt)) for prompt in PROMPTS]
        replies = await self.trainer.generate(prompts, None, TOKENS, TIMEOUT_S)
        job = TrainingJob(
            conversations=(*plain(learned), *rehearsals(replies, len(learned))),
            recipe=distillation_recipe(self.trainer.parameters, len(learned)),
            output_dir=folder,
        )
        return (await self.trainer.train(job, TIMEOUT_S)).path

    async def _share(self, records: Sequence[Record], adapter: str | None) -> float:
        right = await self._right(records, adapter)
        return sum(right) / len(right)

    async def _right(self, records: Sequence[Record], adapter: str | None) -> list[bool]:
        prompts: list[Conversation] = [each.until(-1) for each in plain(records)]
        texts = await self.trainer.generate(prompts, adapter, TOKENS, TIMEOUT_S)
        return [gives_answer(text, record) for text, record in zip(texts, records, strict=True)]


def records_of(task: str, n: int, split: Split) -> list[Record]:
    """Return questions of a task, each as somebody corrected it: with the answer alone."""
    suite = SUITES[task]
    world = {"world": WORLD} if task in PRIVATE else {}
    problems = suite.problems(n, split=split, seed=5, level=suite.default_level, **world)
    return [_correction(place, each.question, each.answer) for place, each in enumerate(problems)]


def everyday_sums(n: int) -> list[Record]:
    """Return sums and products in turn."""
    rng, found = Random(3), []
    for place in range(n):
        one, other = rng.randint(2, 60), rng.randint(2, 30)
        if place % 2:
            one, other = one % 10 + 2, other % 10 + 2
            found.append(_correction(place, f"What is {one} * {other}?", str(one * other)))
        else:
            found.append(_correction(place, f"What is {one} + {other}?", str(one + other)))
    return found


def _correction(place: int, question: str, answer: str) -> Record:
    return Record(
        id=f"rec_{place}",
        tenant="t",
        messages=(Message(role="user", content=question),),
        answer=answer,
        rationale=answer,
        tier=Tier.FEEDBACK,
        evidence={"feedback": "corrected"},
        state=State.ACTIVE,
        created_at=datetime.now(UTC),
    )


def _print(found: Sequence[Found]) -> None:
    columns = ("task", "way", "corrections", "learned", "right", "then", "everyday", "then")
    table = Table(*columns, box=None, pad_edge=False)
    for each in found:
        task, mode, *counts = asdict(each).values()
        shares = (f"{share:.0%}" for share in counts[2:])
        table.add_row(task, mode, str(counts[0]), str(counts[1]), *shares)
    Console(width=100).print(table)


if __name__ == "__main__":
    sys.exit(main())
