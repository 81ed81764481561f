"""`make bench-ttt`: training adapters, beside an ordinary PEFT loop and beside an older build.

All in one run and in turns, on the same machine with the same libraries. On a CPU figures are
seconds of its cores, which other work on the machine changes least; on a GPU they are seconds.
Figures are medians with their whole spread. Targets that are missed are printed as missed; the
status is 0 all the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime

import httpx
import torch
from rich.console import Console

from adaptation.learning.training.recipes import recipe_for
from adaptation.learning.training.trainer import TrainingJob
from adaptation.pebble import model_path
from loadtests import arguments
from loadtests.bench_sound import keep, report
from loadtests.measure.training_speed import conversations
from loadtests.sound.builds import THIS, Build, NoBuildError, checked_out
from loadtests.sound.figures import Compared, table
from loadtests.ttt.served import decided_votes, plain_requests, second_requests
from loadtests.ttt.workers import ORDINARY, TRAINER, Worker, WorkerFailedError, at_work
from server.server_process import ROOT, ServerFailedError, ended_in_order

BEFORE = "1a605be"
AT_ONCE = 16
HELD_OUT = 3
MANY_STEPS, BIG_STEPS = 6, 5
"""Of a job beside fifteen others, and of one of the real model, where a step takes seconds."""
UNIT = "s" if torch.cuda.is_available() else "CPU s"
KEY = "wall_s" if torch.cuda.is_available() else "cpu_s"
Part = Callable[[argparse.Namespace, Build, Console], list[Compared]]
EXAMPLES = """\
examples:
  python -m loadtests.bench_ttt --model ./SmolLM2-135M-Instruct     everything: 15 minutes
  python -m loadtests.bench_ttt --only pebble --rounds 3
  python -m loadtests.bench_ttt --only again beside decided         what a server's requests see
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep; 0 unless something broke."""
    args = _arguments(argv)
    console = Console(stderr=True, markup=False, highlight=False)
    started = datetime.now(UTC)
    path = args.out or ROOT / "results" / f"ttt-{started:%Y-%m-%d-%H%M%S}.json"
    rows: list[Compared] = []
    try:
        with ended_in_order(), checked_out(args.old) as old:
            for name in args.only or [name for name in PARTS if args.model or name != "real"]:
                rows += PARTS[name](args, old, console)
                keep(path, report(rows, args, started))
    except KeyboardInterrupt:
        return 130
    except (NoBuildError, WorkerFailedError, ServerFailedError, httpx.HTTPError) as error:
        print(f"bench-ttt: {error}", file=sys.stderr)
        return 1
    print(table(rows))
    console.print(f"kept in {path}")
    return 0


def _pebble(args: argparse.Namespace, old: Build, console: Console) -> list[Compared]:
    """Measure sixteen jobs at once, and one."""
    found: dict[str, list[float]] = {name: [] for name in ("16", "loop", "old", "now", "of", "be")}
    with ExitStack() as stack:
        workers = [
            stack.enter_context(at_work(script, build, model_path(), 1))
            for script, build in ((TRAINER, THIS), (TRAINER, old), (ORDINARY, THIS))
        ]
        now, before, loop = workers
        for worker in workers:
            worker.train([_job(worker, 0)])  # the first one compiles and allocates
        for number in range(args.rounds):
            console.print(f"pebble, round {number + 1} of {args.rounds}")
            first = args.seed + number * AT_ONCE
            jobs = [_job(now, first + i, steps=MANY_STEPS) for i in range(AT_ONCE)]
            one = _job(now, args.seed + number, held_out=HELD_OUT)
            at_once, peak = now.train(jobs), loop.peak()
            found["16"].append(at_once[KEY])
            found["loop"].append(loop.train(jobs)[KEY])
            found["now"].append(now.train([one])[KEY])
            found["old"].append(before.train([one])[KEY])
            found["of"].append(at_once["flops"] / at_once[KEY] / peak)
            theirs = before.train(jobs[:4])
            found["be"].append(theirs["flops"] / theirs[KEY] / peak)
    series = {name: tuple(values) for name, values in found.items()}
    return [
        Compared(
            f"{AT_ONCE} adaptations at once (before: an ordinary PEFT loop, one after another)",
            UNIT, series["loop"], series["16"], "before / now", "at least", 3,
        ),
        Compared(
            "one adaptation", UNIT, series["old"], series["now"], "before / now", "at least", 1.5
        ),
        Compared(
            f"training FLOP/s ÷ bf16 matmul, {AT_ONCE} at once",
            "", series["be"], series["of"], "now", "at least", 0.45,
        ),
    ]  # fmt: skip


def _real(args: argparse.Namespace, old: Build, console: Console) -> list[Compared]:
    """Measure a step of a real model, and what of the matmul it is."""
    steps: dict[Build, list[float]] = {THIS: [], old: []}
    shares: dict[Build, list[float]] = {THIS: [], old: []}
    with ExitStack() as stack:
        loop = stack.enter_context(at_work(ORDINARY, THIS, args.model, args.threads))
        workers = {
            build: stack.enter_context(at_work(TRAINER, build, args.model, args.threads))
            for build in steps
        }
        for number in range(args.rounds):
            console.print(f"real model, round {number + 1} of {args.rounds}")
            peak = loop.peak()
            for build, worker in workers.items():
                took = worker.train([_job(worker, args.seed + number, steps=BIG_STEPS)])
                steps[build] += took["step_cpu_s"]
                flops = took["flops"] / BIG_STEPS * len(took["step_cpu_s"])
                shares[build].append(flops / sum(took["step_cpu_s"]) / peak)
    return [
        Compared(
            f"a training step of {args.model.name}, {args.threads} threads",
            "CPU s", tuple(steps[old]), tuple(steps[THIS]), "now / before", "at most", 0.4,
        ),
        Compared(
            f"training FLOP/s ÷ bf16 matmul, {args.model.name}",
            "", tuple(shares[old]), tuple(shares[THIS]), "now", "at least", 0.45,
        ),
    ]  # fmt: skip


PARTS: dict[str, Part] = {
    "pebble": _pebble,
    "again": lambda args, old, console: second_requests(args.rounds, args.seed, console),
    "beside": lambda args, old, console: plain_requests(args.rounds, args.seed, console),
    "decided": lambda args, old, console: decided_votes(args.rounds, args.seed, console),
    "real": _real,
}
"""In the order they run."""


def _job(worker: Worker, seed: int, *, held_out: int = 0, steps: int | None = None) -> TrainingJob:
    """Return the job of one world; nothing but its steps ends it."""
    solved = conversations(seed)
    recipe = recipe_for(worker.parameters)
    changes = {"min_loss": 0.0, "seed": seed, "steps": steps or recipe.steps}
    return TrainingJob(
        conversations=solved,
        holdout=conversations(seed + 1_000)[:held_out],
        recipe=recipe.model_copy(update=changes),
        output_dir="",
    )


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_ttt", __doc__, EXAMPLES)
    arguments.add_two_builds(parser, PARTS, BEFORE, ("real",), "ttt")
    parser.add_argument("--threads", type=int, default=2, help="for the real model (default: 2)")
    parser.add_argument("--rounds", type=int, default=5, help="of every part (default: 5)")
    return arguments.parse_two_builds(parser, argv, ("real",))


if __name__ == "__main__":
    sys.exit(main())
