"""`make load`: how a server holds under too much load, restarts and hours of requests.

overload: ten times what it can answer, for a minute. restarts: two replicas behind a balancer,
restarted in turn while clients ask. engine: it is killed and stopped, and comes back. soak: mixed
requests for hours. Targets that are missed are printed as missed; the status is 0 all the same.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtests import arguments
from loadtests.bench import circumstances
from loadtests.load import deaths, overload, restarts, soak
from loadtests.measure import table
from loadtests.measure.result import Result
from server.server_process import ROOT, ServerFailedError, ended_in_order
from server.terminal import write_json

Row = Callable[[argparse.Namespace, Console], Result]
ROWS: dict[str, Row] = {
    "overload": lambda args, console: overload.measure(
        overload.Plan.of(args.quick), console, args.flags
    ),
    "restarts": lambda args, console: restarts.measure(args.restarts, console, args.flags),
    "engine": lambda args, console: deaths.measure(args.deaths, console, args.flags),
    "soak": lambda args, console: soak.measure(args.minutes, console, args.flags),
}
EXAMPLES = """\
examples:
  python -m loadtests.load                            all of it: five hours on two cores
  python -m loadtests.load --only overload            two minutes
  python -m loadtests.load --only restarts --restarts 10
  python -m loadtests.load --only engine --deaths 3   ten minutes
  python -m loadtests.load --only soak --minutes 30
  python -m loadtests.load --quick                    ten minutes
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep; 0 unless something broke."""
    args = _arguments(argv)
    console = Console(stderr=True, markup=False, highlight=False)
    started, found = datetime.now(UTC), list[Result]()
    try:
        with ended_in_order():
            for name in args.only or ROWS:
                found.append(ROWS[name](args, console))
                _keep(args, started, found)
    except KeyboardInterrupt:
        return 130
    except (ServerFailedError, RuntimeError, OSError) as error:
        print(f"load: {error}", file=sys.stderr)
        return 1
    for result in found:
        print(table.whole(result))
    console.print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("load", __doc__, EXAMPLES)
    parser.add_argument("--only", nargs="+", choices=ROWS, help=f"some of: {', '.join(ROWS)}")
    parser.add_argument("--restarts", type=int, default=None, help="(default: 100)")
    parser.add_argument("--deaths", type=int, default=None, help="in each way (default: 10)")
    parser.add_argument("--minutes", type=float, default=None, help="of soaking (default: 120)")
    parser.add_argument(
        "--quick", action="store_true", help="10 s, 4 restarts, 2 deaths, 6 minutes"
    )
    parser.add_argument("--flags", type=str.split, default=[], help="more flags of the servers")
    usual = ROOT / "results" / f"load-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.json"
    parser.add_argument("--out", type=Path, default=usual, help="file of figures")
    args = parser.parse_args(argv)
    args.restarts = args.restarts or (4 if args.quick else 100)
    args.deaths = args.deaths or (1 if args.quick else 10)
    args.minutes = args.minutes or (6.0 if args.quick else 120.0)
    return args


def _keep(args: argparse.Namespace, started: datetime, found: Sequence[Result]) -> None:
    """Write what there is, after every row: a later one may break."""
    report: dict[str, Any] = {
        **circumstances(started),
        "rows": [result.as_json() for result in found],
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(report, str(args.out))


if __name__ == "__main__":
    sys.exit(main())
