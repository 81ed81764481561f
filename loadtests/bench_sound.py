"""`make bench-sound`: this build beside the build before it was made sound, in one run.

Its parts: what the fast tests cost, bodies that keep everybody else waiting, sixteen trainings at
once, two hundred votes at once, the work around the engine, and a real model on busy and idle
cores. Both builds run with the same libraries, in turns, on the same machine. Figures are medians
with their whole spread. Targets that are missed are printed as missed; the status is 0 all the
same.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

from adaptation.statistics import without_nan
from loadtests import arguments
from loadtests.bench import circumstances
from loadtests.sound import blocking, overload, session_cost, speed, suite_cost, voted
from loadtests.sound.builds import THIS, Build, NoBuildError, checked_out
from loadtests.sound.figures import Compared, table
from server.server_process import ROOT, ServerFailedError, ended_in_order

BEFORE = "907e65b"
Part = Callable[[argparse.Namespace, Build, Console], list[Compared]]
PARTS: dict[str, Part] = {
    "tests": lambda args, old, console: suite_cost.measure(args.rounds, old, THIS, console),
    "blocking": lambda args, old, console: blocking.measure(args.rounds, old, THIS, console),
    "overload": lambda args, old, console: overload.measure(
        args.rounds, args.seed, old, THIS, console
    ),
    "votes": lambda args, old, console: voted.measure(
        voted.Plan(None, args.rounds, args.seed), old, THIS, console
    ),
    "real-votes": lambda args, old, console: voted.measure(
        voted.Plan(args.model, args.rounds, args.seed), old, THIS, console
    ),
    "session": lambda args, old, console: session_cost.measure(args.rounds, old, THIS, console),
    "speed": lambda args, old, console: speed.measure(
        speed.Plan(args.model, args.rounds, args.repeats, args.limit), old, THIS, console
    ),
}
"""In the order they run."""
REAL = ("real-votes", "speed")
"""Those that need a real model."""
EXAMPLES = """\
examples:
  python -m loadtests.bench_sound --model ./SmolLM2-135M-Instruct     everything: 2 hours
  python -m loadtests.bench_sound                                     without the real model
  python -m loadtests.bench_sound --only blocking overload --rounds 1 --out /tmp/sound.json
  python -m loadtests.bench_sound --only tests --old main~20
  python -m loadtests.bench_sound --only votes session --old 9169247~1   before strategies
  python -m loadtests.bench_sound --only real-votes --model ./SmolLM2-135M-Instruct
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep; 0 unless something broke."""
    args = _arguments(argv)
    console = Console(stderr=True, markup=False, highlight=False)
    started = datetime.now(UTC)
    path = args.out or ROOT / "results" / f"sound-{started:%Y-%m-%d-%H%M%S}.json"
    rows: list[Compared] = []
    try:
        with ended_in_order(), checked_out(args.old) as old:
            for name in _chosen(args):
                rows += PARTS[name](args, old, console)
                keep(path, report(rows, args, started))
    except KeyboardInterrupt:
        return 130
    except (NoBuildError, ServerFailedError, httpx.HTTPError) as error:
        print(f"bench-sound: {error}", file=sys.stderr)
        return 1
    print(table(rows))
    console.print(f"kept in {path}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_sound", __doc__, EXAMPLES)
    arguments.add_two_builds(parser, PARTS, BEFORE, REAL, "sound")
    parser.add_argument("--rounds", type=int, default=3, help="of every part (default: 3)")
    parser.add_argument(
        "--repeats", type=int, default=3, help="of a request to the real model (default: 3)"
    )
    parser.add_argument(
        "--limit", type=float, default=300.0, metavar="S", help="of such a request (default: 300)"
    )
    return arguments.parse_two_builds(parser, argv, REAL)


def _chosen(args: argparse.Namespace) -> list[str]:
    wanted = args.only or [name for name in PARTS if args.model or name not in REAL]
    return [name for name in PARTS if name in wanted]


def keep(path: Path, found: dict[str, Any]) -> None:
    """Write what there is, after every part: a later one may break."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n", "utf-8")


def report(rows: Sequence[Compared], args: argparse.Namespace, started: datetime) -> dict[str, Any]:
    """Return everything a reader needs to judge and repeat the run."""
    return {
        **circumstances(started),
        "options": {name: str(value) for name, value in vars(args).items() if value is not None},
        "rows": [without_nan(row.as_json()) for row in rows],
    }


if __name__ == "__main__":
    sys.exit(main())
