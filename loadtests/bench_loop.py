"""`make bench-loop`: the learning loop, left alone for ten generations, and what came of it.

Targets are private worlds. Memory of each grows, `whet distill`'s own generation runs on it, and
whatever is served then answers fresh questions of the target and everyday ones sixteen times each:
one sample, a vote of all sixteen and the default stopping rule are read from the same draws. Last,
one generation on the same records is timed in this build and in one of before the loop.

Interrupted, the same command goes on where it was. Targets that are missed are printed as missed;
the status is 0 all the same.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from transformers import AutoTokenizer

from adaptation.errors import AdaptationError
from adaptation.evaluation.suites import SUITES, suite_named
from adaptation.learning.training.process import ProcessTrainer
from loadtests import arguments
from loadtests.bench import machine, versions
from loadtests.claims import print_claims
from loadtests.loop import builds, picture
from loadtests.loop.generations import Loop, Plan
from loadtests.loop.place import Place
from loadtests.loop.sampling import Count, Sampler
from loadtests.measure import loop
from loadtests.sound.builds import NoBuildError
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from server.config import Settings
from server.server_process import ROOT, ended_in_order
from server.terminal import phases, write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_loop                       the built-in model: an hour on two cores
  python -m loadtests.bench_loop --model smollm2       hours; interrupt it and go on as you like
  python -m loadtests.bench_loop --suite facts --generations 3 --questions 16 --everyday 4
  python -m loadtests.bench_loop --only builds --rounds 3
"""
BEFORE = "d0b6dfc"
"""The last build without jobs, doubts, near guards and an error budget."""
PARTS = ("generations", "builds")
INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Do what is left to do, print, keep."""
    args = _arguments(argv)
    place = Place(args.out)
    try:
        with ended_in_order():
            if "generations" in args.only:
                asyncio.run(_generations(args, place))
            if "builds" in args.only:
                builds.measure(args, place)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (AdaptationError, NoBuildError, builds.BuildFailedError) as error:
        print(f"bench-loop: {error}", file=sys.stderr)
        return 1
    _show(args, place)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_loop", __doc__, EXAMPLES)
    arguments.add_named_model(parser)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--suite", nargs="+", choices=SUITES, default=["house_rules", "facts"])
    for name, default, about in (
        ("generations", 10, "of each target"),
        ("first", 48, "records before the first generation"),
        ("more", 16, "records that come with each later one"),
        ("questions", 48, "asked of the target, sixteen times each"),
        ("everyday", 12, "asked of every everyday suite, likewise"),
        ("world", 507, "the development world that is learned"),
        ("seed", 0, "of questions and draws"),
        ("rounds", 1, "in which both builds are timed"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{about} ({default})")
    parser.add_argument("--embedder", default="minilm", help="as `whet serve` takes it")
    parser.add_argument("--before", default=BEFORE, metavar="REF", help=f"default: {BEFORE}")
    parser.add_argument(
        "--out", type=Path, help="folder that is gone on with (default: results/loop-MODEL)"
    )
    args = parser.parse_args(argv)
    args.out = args.out or ROOT / "results" / f"loop-{Path(args.model).name}"
    return args


async def _generations(args: argparse.Namespace, place: Place) -> None:
    model = arguments.trained_model(args)
    plan = Plan(
        generations=args.generations,
        first=args.first,
        more=args.more,
        questions=args.questions,
        everyday=args.everyday,
        world=args.world,
        seed=args.seed,
    )
    trainer = ProcessTrainer(model)
    with (
        closing(LongTermMemory.open(place.memory, create_embedder(args.embedder))) as memory,
        phases() as advance,
    ):
        try:
            await trainer.start()
            sampler = Sampler(trainer, _counter(model), args.seed)
            run = Loop(plan, place, memory, sampler, args.model, advance)
            for name in args.suite:
                await run.run(suite_named(name))
        finally:
            await trainer.close()


def _counter(model: str) -> Count:
    tokenizer = AutoTokenizer.from_pretrained(model)
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False))


def _show(args: argparse.Namespace, place: Place) -> None:
    """Print what is known so far, and keep figures and picture beside it."""
    runs = loop.runs_of(place.generations, place.asked)
    least = Settings().champion_similarity
    found = [*loop.claims(runs, least), *builds.claims(place)]
    _print(runs, least)
    print_claims(found)
    figures = {
        "model": args.model,
        "options": {name: str(value) for name, value in vars(args).items()},
        "machine": machine(),
        "versions": versions(),
        "claims": [asdict(claim) for claim in found],
        "generations": [each.model_dump(mode="json") for run in runs for each in run.generations],
        "shares": [loop.shares(run, least) for run in runs],
        "builds": builds.figures(place),
    }
    write_json(figures, str(place.folder / "loop.json"))
    if runs:
        picture.draw(runs, args.model, least, place.folder / "loop.svg")
    print(f"kept in {place.folder}")


def _print(runs: Sequence[loop.Run], least: float) -> None:
    for run in runs:
        headings = ("", "decision", "learned", "held", "one", "16 votes", "pass@16", "votes")
        table = Table(*headings, "everyday", "as served", "seconds", title=run.target, box=None)
        for generation, share in zip(run.generations, loop.shares(run, least), strict=True):
            table.add_row(
                str(generation.number),
                generation.decision,
                str(generation.train),
                str(generation.held),
                *(f"{share[name]['value']:.1%}" for name in ("one", "voted", "pass")),
                f"{share['drawn']['value']:.1f}",
                *(f"{share[name]['value']:.1%}" for name in ("everyday", "as served")),
                f"{generation.seconds:.0f}",
            )
        Console(markup=False, highlight=False, width=120).print(table)


if __name__ == "__main__":
    sys.exit(main())
