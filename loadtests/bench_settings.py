"""The engine's settings on a CPU beside each other: what the defaults were chosen by.

vLLM alone serves one model under several environments. Each is held against the first by ratios:
both servers run, in short turns, and the one that is not under load is stopped (SIGSTOP). Seconds
of processor time stand beside those of the clock, which other work on the machine lengthens.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from adaptation.evaluation import questions
from adaptation.statistics import geometric_mean
from loadtests import arguments
from loadtests.measure.laboratory import BARE_VLLM
from loadtests.measure.load import body, send
from loadtests.processes import cpu_seconds
from server.commands.eval_server import serve_words
from server.config import Settings
from server.models.catalogue import BUILT_IN
from server.server_process import Server, ServerFailedError, ended_in_order, running
from server.settings.flags import add_arguments, flags_of
from server.tour.client import Client

ALONE, PARALLEL, AT_ONCE = 3, 16, 8
"""Requests of a turn one by one, in parallel, and how many of those at a time."""
CORES = len(os.sched_getaffinity(0))
EXAMPLES = """\
examples:
  python -m loadtests.bench_settings --model smollm2      about 20 minutes on two cores
  python -m loadtests.bench_settings --only "all threads, one process"
"""


def _environment(threads: int, processes: int, **more: str) -> dict[str, str]:
    several = "1" if processes > 1 else "0"
    return {"OMP_NUM_THREADS": str(threads), "VLLM_ENABLE_V1_MULTIPROCESSING": several, **more}


SPINNING = {"OMP_WAIT_POLICY": "", "GOMP_SPINCOUNT": "300000"}
"""As an OpenMP that is told nothing waits: it spins for a while at every barrier."""
BRIEFLY = {"GOMP_SPINCOUNT": "10000"}
"""Some microseconds, the time between two barriers of a small model; then the thread sleeps."""
REFERENCE = _environment(1, 1)
"""One thread, one process: what every other setting is held against."""
SETTINGS: Mapping[str, Mapping[str, str]] = {
    "all threads, one process": _environment(CORES, 1),
    "all threads, one process, spinning briefly": _environment(CORES, 1, **BRIEFLY),
    "all threads, one process, spinning": _environment(CORES, 1, **SPINNING),
    "one thread, two processes": _environment(1, 2),
    "all threads, two processes": _environment(CORES, 2),
    "all threads, two processes, spinning": _environment(CORES, 2, **SPINNING),
}


@dataclass(frozen=True)
class Turn:
    """What one server did between two pauses."""

    tokens_per_s: float
    p50_s: float
    cpu_s: float
    """Processor time of all its processes."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; 0 unless something broke."""
    args = _arguments(argv)
    console = Console(width=None if sys.stdout.isatty() else 120, markup=False, highlight=False)
    words = serve_words(args.model, Settings.model_validate(flags_of(args)))
    try:
        with ended_in_order(), running(BARE_VLLM, console, *words, environment=REFERENCE) as usual:
            for name in args.only:
                with _beside(usual, console, words, SETTINGS[name]) as other:
                    _show(name, _turns(usual, other, args), console)
    except KeyboardInterrupt:
        return 130
    except ServerFailedError as error:
        print(f"bench_settings: {error}", file=sys.stderr)
        return 1
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_settings", __doc__, EXAMPLES)
    parser.add_argument("--model", default=BUILT_IN, help="a name, a folder or a .gguf file")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each server (default: 3)")
    parser.add_argument("--seed", type=int, default=1, help="of all questions (default: 1)")
    parser.add_argument(
        "--only", nargs="+", choices=SETTINGS, default=list(SETTINGS), metavar="SETTING"
    )
    add_arguments(parser, only={"data_dir"})
    return parser.parse_args(argv)


@contextmanager
def _beside(
    usual: Server, console: Console, words: Sequence[str], environment: Mapping[str, str]
) -> Iterator[Server]:
    """Start another server while the usual one is stopped."""
    family = usual.paused()
    family.__enter__()
    try:
        with running(BARE_VLLM, console, *words, environment=environment) as other:
            family.__exit__(None, None, None)
            yield other
    finally:
        family.__exit__(None, None, None)


def _turns(usual: Server, other: Server, args: argparse.Namespace) -> list[tuple[Turn, Turn]]:
    """Return (usual, other) for each repeat; who begins changes, and the first is for warmth."""
    model = Client(usual.url).model
    pairs = []
    for index in range(args.repeats + 1):
        seed = args.seed + 1000 * index
        order = (usual, other) if index % 2 else (other, usual)
        found = {}
        for server, resting in zip(order, reversed(order), strict=True):
            with resting.paused():
                found[server.name, server.url] = _turn(server, model, seed)
        pairs.append((found[usual.name, usual.url], found[other.name, other.url]))
    return pairs[1:]


def _turn(server: Server, model: str, seed: int) -> Turn:
    tasks = questions.everyday(ALONE + PARALLEL, seed)
    bodies = [body(model, task.question, index) for index, task in enumerate(tasks)]
    before = cpu_seconds(server.family())
    alone = send(server.url, bodies[:ALONE], 1)
    parallel = send(server.url, bodies[ALONE:], AT_ONCE)
    used = cpu_seconds(server.family()) - before
    return Turn(parallel.tokens_per_s, statistics.median(alone.latencies_s), used)


def _show(name: str, pairs: list[tuple[Turn, Turn]], console: Console) -> None:
    def ratio(figure: Callable[[Turn], float]) -> str:
        return geometric_mean([figure(b) / figure(a) for a, b in pairs]).show()

    usual, other = (
        f"{statistics.median(t.tokens_per_s for t in side):.0f} tokens/s, "
        f"{statistics.median(t.p50_s for t in side):.2f} s, "
        f"{statistics.median(t.cpu_s for t in side):.1f} s"
        for side in zip(*pairs, strict=True)
    )
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_row(f"  tokens/s at {AT_ONCE} at once", ratio(lambda turn: turn.tokens_per_s))
    table.add_row("  median of one alone", ratio(lambda turn: turn.p50_s))
    table.add_row("  processor time", ratio(lambda turn: turn.cpu_s))
    console.print(f"{name} / one thread, one process (95 % interval)", style="bold")
    console.print(table)
    console.print(f"  {other} against {usual}; load {os.getloadavg()[0]:.1f}", style="dim")


if __name__ == "__main__":
    sys.exit(main())
