"""`make bench-rehearsal`: what a generation rehearses, and what that does to everyday sums.

Records of a private world are trained on as a generation does: alone, beside all of the base's own
replies to the prompts of rehearsal, and beside those that are not wrong. Then fresh questions of
the world are asked, and everyday ones near the records, which nobody meant to change.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from adaptation.conversation import Conversation, spoken
from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.split import Split
from adaptation.learning.distillation.near import NearProbe, near_probes
from adaptation.learning.distillation.replay import (
    PROMPTS,
    rehearsals,
    said_again,
    whole_replies,
)
from adaptation.learning.neighbours import plain
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.recipes import distillation_recipe
from adaptation.learning.training.trainer import TrainingJob
from adaptation.statistics import paired, score_difference
from loadtests import arguments
from loadtests.imported import imported
from memory.types import Message, Record
from server.jobs.kinds.distill import gives_answer
from server.server_process import ROOT
from server.terminal import phases, write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_rehearsal                     the built-in model, some minutes
  python -m loadtests.bench_rehearsal --model smollm2     half an hour on two cores
  python -m loadtests.bench_rehearsal --suite facts --world 512
"""
TOKENS, TIMEOUT_S = 128, 3_600.0
DRAWS = 6
"""How often near guards are drawn, each time with another seed: one draw tells too little."""


@dataclass(frozen=True)
class Found:
    """What a training came to."""

    suite: str
    rehearsed: str
    conversations: int
    fresh: tuple[int, int]
    """Right of the fresh questions, and how many there are."""
    everyday: tuple[int, int, int]
    """Right of the everyday ones before and after, and how many there are."""
    gained: int
    lost: int
    difference: tuple[float, float, float]
    """Of the shares, with its 95 % interval (Tango)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    args = _arguments(argv)
    found = asyncio.run(_measured(args))
    write_json({"model": args.model, "found": [asdict(each) for each in found]}, str(args.out))
    _print(found)
    print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_rehearsal", __doc__, EXAMPLES)
    arguments.add_named_model(parser)
    parser.add_argument("--suite", nargs="+", choices=SUITES, default=["house_rules", "facts"])
    parser.add_argument("--world", type=int, default=511, help="of development (default: 511)")
    parser.add_argument("--records", type=int, default=38, help="trained on (default: 38)")
    parser.add_argument("--questions", type=int, default=40, help="fresh ones (default: 40)")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "rehearsal.json")
    return parser.parse_args(argv)


async def _measured(args: argparse.Namespace) -> list[Found]:
    trainer, found = ProcessTrainer(arguments.trained_model(args)), []
    try:
        with phases() as advance:
            await trainer.start()
            replies = await trainer.timed(_asked(PROMPTS), None, TOKENS, TIMEOUT_S)
            for place, suite in enumerate(args.suite):
                bench = Bench.of(trainer, suite, args)
                ways = {
                    "nothing": [],
                    "all it says": [said_again(*pair) for pair in whole_replies(replies)],
                    "what is not wrong": rehearsals(replies, args.records),
                }
                found += await bench.compare(ways)
                advance("suites", place + 1, len(args.suite))
    finally:
        await trainer.close()
    return found


@dataclass(frozen=True)
class Bench:
    """Trainings on one world, and the questions that follow each."""

    trainer: ProcessTrainer
    suite: str
    learned: Sequence[Record]
    fresh: Sequence[Record]
    everyday: Sequence[NearProbe]

    @staticmethod
    def of(trainer: ProcessTrainer, suite: str, args: argparse.Namespace) -> Bench:
        """Draw records and questions of a world."""
        learned = _records(suite, args.records, Split.MEMORY, args.world)
        drawn = (near_probes(learned, (), seed) for seed in range(1, DRAWS + 1))
        near = {probe.question: probe for some in drawn for probe in some if not probe.is_taught}
        fresh = _records(suite, args.questions, Split.DEVELOPMENT, args.world)
        return Bench(trainer, suite, learned, fresh, list(near.values()))

    async def compare(self, ways: Mapping[str, Sequence[Conversation]]) -> list[Found]:
        """Train beside each kind of rehearsal; return what came of it."""
        before, found = await self._everyday(None), []
        for name, known in ways.items():
            with tempfile.TemporaryDirectory(prefix="whet-bench-") as folder:
                job = TrainingJob(
                    conversations=(*plain(self.learned), *known),
                    recipe=distillation_recipe(self.trainer.parameters, len(self.learned)),
                    output_dir=folder,
                )
                await self.trainer.train(job, TIMEOUT_S)
                after, fresh = await self._everyday(folder), await self._fresh(folder)
            pairs = paired(before, after)
            by = score_difference(pairs.helped, pairs.hurt, len(before))
            of = len(job.conversations), (sum(fresh), len(fresh))
            everyday = sum(before), sum(after), len(before)
            counts = pairs.helped, pairs.hurt, (by.value, by.low, by.high)
            found.append(Found(self.suite, name, *of, everyday, *counts))
            print(found[-1], file=sys.stderr, flush=True)
        return found

    async def _everyday(self, adapter: str | None) -> list[bool]:
        prompts = [probe.conversation for probe in self.everyday]
        texts = await self.trainer.generate(prompts, adapter, TOKENS, TIMEOUT_S)
        return [probe.right(text) for probe, text in zip(self.everyday, texts, strict=True)]

    async def _fresh(self, adapter: str) -> list[bool]:
        prompts = [each.until(-1) for each in plain(self.fresh)]
        texts = await self.trainer.generate(prompts, adapter, TOKENS, TIMEOUT_S)
        return [gives_answer(text, record) for text, record in zip(texts, self.fresh, strict=True)]


def _asked(prompts: Sequence[str]) -> list[Conversation]:
    return [spoken(Message(role="user", content=prompt)) for prompt in prompts]


def _records(suite: str, n: int, split: Split, world: int) -> list[Record]:
    found = SUITES[suite]
    drawn = found.problems(n, split=split, seed=0, level=found.default_level, world=world)
    return [
        imported(f"rec_{place}", each.question, each.rationale, each.answer)
        for place, each in enumerate(drawn)
    ]


def _print(found: Sequence[Found]) -> None:
    columns = ("suite", "rehearsed", "fresh", "everyday", "then", "gained", "lost", "difference")
    table = Table(*columns, box=None, pad_edge=False)
    for each in found:
        (right, of), (before, after, asked) = each.fresh, each.everyday
        value, low, high = (f"{100 * share:+.1f}" for share in each.difference)
        shown = f"{right} of {of}", f"{before} of {asked}", str(after)
        table.add_row(
            each.suite, each.rehearsed, *shown, str(each.gained), str(each.lost),
            f"{value} ({low} to {high}) points",
        )  # fmt: skip
    Console(width=120).print(table)


if __name__ == "__main__":
    sys.exit(main())
