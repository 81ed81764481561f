"""`make bench-doubt`: of records a tenth of which is wrong, how many of each sort are held back.

A tenant's memory is made of a private world, of everyday bills and comparisons; every tenth record
is wrong: a sum that is a little off, a comparison the other way round, a record of the world in
another form than the world's. Which are wrong is known, and told to nobody.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.learning.distillation.doubt import Doubting
from adaptation.learning.training.process import ProcessTrainer
from adaptation.statistics import wilson
from loadtests import arguments
from memory.types import Message, Record, State, Tier
from server.jobs.kinds.distill import gives_answer
from server.server_process import ROOT
from server.terminal import phases, write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_doubt                   twenty tenants, some twenty minutes
  python -m loadtests.bench_doubt --seeds 2         a first look
  python -m loadtests.bench_doubt --model smollm2 --seeds 4
"""
WORLDS = ("jargon", "facts", "house_rules", "house_format")
OF_WORLD, BILLS, COMPARISONS, WRONG = 36, 10, 8, 2
"""Records of each sort; `WRONG` of each kind."""
TOKENS, TIMEOUT_S = 96, 1_800.0
KINDS = ("sum", "comparison", "form")
"""How records are wrong."""

Found = tuple[str, str, bool]
"""World of the tenant, kind of the record, whether it was held back."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep."""
    args = _arguments(argv)
    found = asyncio.run(_measured(args))
    figures = {
        f"{world}, {kind}, {'held' if held else 'not held'}": found[world, kind, held]
        for world, kind, held in sorted(found)
    }
    write_json({"model": args.model, "seeds": args.seeds, "records": figures}, str(args.out))
    _print(found)
    print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_doubt", __doc__, EXAMPLES)
    parser.add_argument("--model", default="whet-pebble", help="a name, a folder or a .gguf file")
    parser.add_argument("--data-dir", type=Path, help="where models lie")
    parser.add_argument("--seeds", type=int, default=20, help="tenants (default 20)")
    parser.add_argument("--first-seed", type=int, default=0, help="100 and more: to develop on")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "doubt.json")
    return parser.parse_args(argv)


async def _measured(args: argparse.Namespace) -> Counter[Found]:
    trainer, found = ProcessTrainer(arguments.trained_model(args)), Counter[Found]()
    try:
        await trainer.start()
        with phases() as advance:
            for place in range(args.seeds):
                seed = args.first_seed + place
                kinds = memory_of(seed)
                doubting = Doubting(trainer, gives_answer, TOKENS, TIMEOUT_S, lambda *_: None)
                doubts = await doubting.about([record for record, _ in kinds])
                held = {doubt.record_id for doubt in doubts}
                world = world_of(seed)
                found.update((world, kind, record.id in held) for record, kind in kinds)
                advance("tenants", place + 1, args.seeds)
                print(f"{place + 1} of {args.seeds}", file=sys.stderr, flush=True)
    finally:
        await trainer.close()
    return found


def world_of(seed: int) -> str:
    """Return the private world that is most of a tenant's memory."""
    return WORLDS[seed % len(WORLDS)]


def memory_of(seed: int) -> list[tuple[Record, str]]:
    """Return the records of one tenant, each with what it is: `right`, or how it is wrong."""
    rng, world = Random(seed), world_of(seed)
    suite = SUITES[world]
    known = suite.problems(
        OF_WORLD + WRONG,
        split=Split.MEMORY,
        seed=seed,
        level=suite.default_level,
        world=500 + seed,
    )
    bills = SUITES["orders"].problems(BILLS, split=Split.DEVELOPMENT, seed=seed, level=1)
    told = [(each.question, each.rationale, each.answer, "right") for each in known[WRONG:] + bills]
    told += [(*_comparison(rng, turned=False), "right") for _ in range(COMPARISONS)]
    told += [(*_comparison(rng, turned=True), "comparison") for _ in range(WRONG)]
    told += [(*_sum(rng), "sum") for _ in range(WRONG)]
    told += [(*_other_form(each), "form") for each in known[:WRONG]]
    rng.shuffle(told)
    return [(_record(seed, n, *said), kind) for n, (*said, kind) in enumerate(told)]


def _comparison(rng: Random, *, turned: bool) -> tuple[str, str, str]:
    low, high = sorted(rng.sample(range(2, 99), 2))
    asks_for_more = rng.random() < 0.5
    shown = rng.sample((low, high), 2)
    answer = str(high if asks_for_more != turned else low)
    which = "larger" if asks_for_more else "smaller"
    return f"Which is {which}, {shown[0]} or {shown[1]}?", answer, answer


def _sum(rng: Random) -> tuple[str, str, str]:
    one, other = rng.randint(2, 60), rng.randint(2, 30)
    answer = str(one + other + rng.choice((-10, -3, -2, -1, 1, 2, 3, 10)))
    return f"What is {one} + {other}?", answer, answer


def _other_form(solved: Solved) -> tuple[str, str, str]:
    """A record of the world as somebody who does not know the world would give it."""
    answer = "unknown" if solved.answer.strip().isdigit() else "see the list"
    return solved.question, f"That depends. {answer}", answer


def _record(seed: int, n: int, question: str, text: str, answer: str) -> Record:
    return Record(
        id=f"rec_{seed}_{n}",
        tenant="t",
        messages=(Message(role="user", content=question),),
        answer=answer,
        rationale=text,
        tier=Tier.IMPORTED,
        state=State.ACTIVE,
        created_at=datetime.now(UTC),
    )


def _print(found: Counter[Found]) -> None:
    table = Table("records", "n", "held back", "95 %", box=None, pad_edge=False)
    rows = {kind: (WORLDS, (kind,)) for kind in KINDS}
    rows["wrong, all kinds"] = WORLDS, KINDS
    rows["right"] = WORLDS, ("right",)
    rows |= {f"right, {world}": ((world,), ("right",)) for world in WORLDS}
    for name, (worlds, kinds) in rows.items():
        held, let_be = (
            sum(found[world, kind, is_held] for world in worlds for kind in kinds)
            for is_held in (True, False)
        )
        share = wilson(held, held + let_be)
        between = f"{share.low:.1%} to {share.high:.1%}"
        table.add_row(name, str(held + let_be), f"{share.value:.1%}", between)
    Console(width=100).print(table)


if __name__ == "__main__":
    sys.exit(main())
