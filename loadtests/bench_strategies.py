"""`make bench-strategies`: every strategy on the same questions, beside a vote of as many tokens.

Interrupted, the same command goes on: every answer is kept as it comes in. Tokens are the engine's
own count. A strategy that wins on no suite is marked; nothing is left out because it lost.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from adaptation.evaluation.results import load
from loadtests import arguments
from loadtests.measure.strategies import (
    CHECKED,
    NEAR,
    SHARE,
    SINGLE,
    VOTES,
    AutoAgainstBest,
    Row,
    auto_against_best,
    rows,
)
from server.cli import main as whet
from server.models.catalogue import BUILT_IN
from server.server_process import ROOT
from server.terminal import write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_strategies                     the built-in model, an hour
  python -m loadtests.bench_strategies --suite jargon --strategy auto consistency ttt
  python -m loadtests.bench_strategies --model smollm2 -n 12 --eval="--worlds 1 --max-tokens 160"
"""
SUITES = ("in-distribution", "shifted")
ARMS = (*VOTES, *SINGLE, "auto", *CHECKED)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep; what loses is no error."""
    args = _arguments(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / "answers.jsonl"
    model = ["--model", args.model] if args.model != BUILT_IN else []
    for suite in args.suite:
        words = ["eval", "--suite", suite, "--strategy", *args.strategy, "-n", str(args.n)]
        words += ["--results", str(kept), "--data-dir", str(args.out / "data"), *model, *args.eval]
        print(f"\n$ whet {' '.join(words)}", flush=True)
        if status := whet(words):
            return status
    results = load(kept)
    found, auto = rows(results), auto_against_best(results)
    print_rows(found, auto)
    figures = {"rows": [asdict(row) for row in found], "auto": asdict(auto) if auto else None}
    write_json(figures, str(args.out / "strategies.json"))
    print(f"kept in {args.out / 'strategies.json'}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_strategies", __doc__, EXAMPLES)
    parser.add_argument("--model", default=BUILT_IN, help="a name, a folder or a .gguf file")
    parser.add_argument("-n", type=int, default=60, help="questions of every suite (default 60)")
    parser.add_argument("--suite", nargs="+", default=SUITES, help="suites, or groups of them")
    parser.add_argument("--strategy", nargs="+", choices=ARMS, default=ARMS, metavar="NAME")
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "strategies")
    parser.add_argument(
        "--eval", type=shlex.split, default=[], metavar="FLAGS", help="more flags of `whet eval`"
    )
    return parser.parse_args(argv)


def print_rows(found: Sequence[Row], auto: AutoAgainstBest | None) -> None:
    """Print the table, and how `auto` did against the best of each suite."""
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 120)
    table = Table(box=None, pad_edge=False)
    for name in ("suite", "strategy", "n", "right", "tokens", "vote of as many tokens", "seconds"):
        table.add_column(name, justify="left" if name in ("suite", "strategy") else "right")
    table.add_column("less consistency, points")
    table.add_column("helped, hurt", justify="right")
    for row in found:
        table.add_row(*_shown(row))
    console.print(table)
    tried = {row.arm for row in found if not row.is_baseline}
    never = sorted(tried - {row.arm for row in found if row.wins})
    console.print(f"surely better than its baseline on no suite: {', '.join(never) or 'none'}")
    if auto is not None:
        verdict = "met" if auto.met else "MISSED"
        console.print(
            f"auto: {auto.right:.1%} right beside {auto.best:.1%} of the best "
            f"({', '.join(auto.chosen)}), with {auto.tokens:.2f} of its tokens and "
            f"{auto.seconds:.2f} of its seconds; "
            f"target within {100 * NEAR:.0f} points at {SHARE:.2f}: {verdict}"
        )


def _shown(row: Row) -> tuple[str, ...]:
    against = row.against
    low, value, high = (100 * each for each in (against.low, against.value, against.high))
    return (
        row.suite,
        row.arm,
        str(row.asked),
        f"{row.right:.1%}",
        f"{row.tokens:,.0f}",
        "" if row.equal_votes is None else f"{row.equal_votes:.1%}",
        f"{row.seconds:.2f}",
        f"{value:+.1f} ({low:+.1f} to {high:+.1f})",
        f"{row.helped}, {row.hurt}",
    )


if __name__ == "__main__":
    sys.exit(main())
