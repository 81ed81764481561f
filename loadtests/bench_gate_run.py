"""The gate over runs of generations: false promotions, power, and what it asks. Simulated.

Runs of ten generations with candidates that are no better, through the gate as
`whet distill` uses it and through McNemar's test at 5 % in every generation; then candidates that
are five points better. What questions the other one asks is all of 512, the most of older builds.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from adaptation.learning.distillation.select import Selection
from adaptation.statistics import wilson
from loadtests import arguments
from loadtests.measure.gate_run import Candidate, each_at_five_percent, judged_after, run
from server.server_process import ROOT
from server.terminal import write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_gate_run               some minutes on one core
  python -m loadtests.bench_gate_run --runs 4000   surer, and ten times as long
"""
GENERATIONS, GAIN, OLD_MOST = 10, 0.05, 512
HOLD_OUTS = (24, 128, Selection().max_holdout)
DISCORDANCES = (0.08, 0.12, 0.15, 0.2)
IDLE = (0, 1, 4)
LARGER = (1024, 1536, 2048)
Row = dict[str, float]


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate, print, keep."""
    parser = arguments.parser("bench_gate_run", __doc__, EXAMPLES)
    parser.add_argument("--runs", type=int, default=400, help="of each kind (default: 400)")
    parser.add_argument("--seed", type=int, default=0)
    usual = ROOT / "results" / f"bench-gate-run-{date.today():%Y-%m-%d}.json"
    parser.add_argument("--out", type=Path, default=usual, help="file of the figures")
    args = parser.parse_args(argv)
    rng = np.random.default_rng(args.seed)
    useless = [_useless(each, args.runs, rng) for each in HOLD_OUTS]
    useful = [_useful(*case, args.runs, rng) for case in _cases()]
    _print("runs of ten useless generations", useless)
    _print("a gain of five points", useful)
    write_json({"runs": args.runs, "useless": useless, "useful": useful}, str(args.out))
    print(f"kept in {args.out}")
    return 0


def _cases() -> Iterator[tuple[float, int, int]]:
    """(share of disagreeing questions, generations in vain before, held-out questions)."""
    most = Selection().max_holdout
    yield from ((share, idle, most) for share in DISCORDANCES for idle in IDLE)
    yield from ((0.2, 0, questions) for questions in LARGER)


def _useless(questions: int, runs: int, rng: np.random.Generator) -> Row:
    """Return shares of runs with a false promotion, and the questions asked a generation."""
    ours = theirs = asked = 0
    for _ in range(runs):
        outcomes = list(run(Candidate(0.0, 0.15), GENERATIONS, questions, rng))
        ours += any(mine.promoted for mine, _ in outcomes)
        theirs += any(other.promoted for _, other in outcomes)
        asked += sum(mine.asked for mine, _ in outcomes)
    interval = wilson(ours, runs)
    return {
        "held out": questions,
        "runs promoted falsely": ours / runs,
        "at most": interval.high,
        "each at 5 %": theirs / runs,
        "asked a generation": asked / runs / GENERATIONS,
    }


def _useful(
    discordance: float, idle: int, questions: int, runs: int, rng: np.random.Generator
) -> Row:
    """Return shares of promotions, and the questions asked."""
    better, ours, theirs, asked = Candidate(GAIN, discordance), 0, 0, 0
    for _ in range(runs):
        mine, _ = judged_after(idle, better, questions, rng)
        ours += mine.promoted
        asked += mine.asked
        theirs += each_at_five_percent(better.draw(OLD_MOST, rng)).promoted
    return {
        "disagree": discordance,
        "in vain before": idle,
        "held out": questions,
        "promoted": ours / runs,
        "asked": asked / runs,
        f"5 % of {OLD_MOST}": theirs / runs,
    }


def _print(title: str, rows: Sequence[Row]) -> None:
    table = Table(*rows[0], title=title, box=None)
    for row in rows:
        table.add_row(*(f"{v:.1%}" if 0 < v < 1 else f"{v:.0f}" for v in row.values()))
    Console(markup=False, highlight=False).print(table)


if __name__ == "__main__":
    sys.exit(main())
