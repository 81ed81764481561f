"""`make torture`: kills, canaries and clients that leave, by the thousands.

kills: SIGKILL at random points of write, snapshot, compact, migrate, promote and release; after
each the memory is opened again and compared with what had been acknowledged. tenants: two tenants
with canaries, by hypothesis, with index files that are swapped, damaged and forged. disconnects:
clients of a running server that leave at random moments. All of it on SQLite, and on a PostgreSQL
server of its own where that is installed. The status is 1 where anything was found.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtests import arguments
from loadtests.bench import machine
from loadtests.torture import kills, tenants
from loadtests.torture.databases import NAMES, Databases, absent, provided
from server.server_process import ROOT, WHET, ended_in_order, running
from server.terminal import write_json

PARTS = ("kills", "tenants", "disconnects")
EXAMPLES = """\
examples:
  python -m loadtests.torture                                everything: some hours on two cores
  python -m loadtests.torture --only kills --kills 200
  python -m loadtests.torture --only kills --scene migrate --database postgresql --seed 7
  python -m loadtests.torture --only tenants --operations 20000
  python -m loadtests.torture --quick                        some minutes
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Torture, print, keep; 1 where anything was lost, shown to others or left behind."""
    args = _arguments(argv)
    console = Console(stderr=True, markup=False, highlight=False)
    began, found = time.monotonic(), dict[str, dict[str, Any]]()
    logging.disable(logging.ERROR)  # damaged index files are told, and are what is wanted
    for name in args.database:
        with ended_in_order(), provided(name) as databases:
            for part in args.only or PARTS:
                figures = _tortured(part, name, databases, args, console)
                found.setdefault(part, {})[name] = figures
                _keep(args, began, found)
    for part, of_part in found.items():
        for name, figures in of_part.items():
            print(f"{part}, {name}: {figures}")
    console.print(f"kept in {args.out}")
    return int(any(_is_bad(figures) for of_part in found.values() for figures in of_part.values()))


def _tortured(
    part: str, name: str, databases: Databases, args: argparse.Namespace, console: Console
) -> dict[str, Any]:
    """Run one part on one kind of database; what fails is told, and the others go on."""
    began = time.monotonic()
    try:
        figures = RUN[part](args, databases, lambda said: console.print(f"{part}, {name}: {said}"))
    except Exception as error:  # noqa: BLE001 (the other parts go on)
        figures = {"failed": str(error)}
    if _is_bad(figures):
        again = _again(args, part, name)
        print(f"{part}, {name}: {figures}\nagain: {again}", file=sys.stderr)
    return figures | {"seconds": round(time.monotonic() - began, 1)}


def _keep(args: argparse.Namespace, began: float, found: dict[str, dict[str, Any]]) -> None:
    report = {
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "seed": args.seed,
        "machine": machine(),
        "parts": found,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(report, str(args.out))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("torture", __doc__, EXAMPLES)
    parser.add_argument("--only", nargs="+", choices=PARTS, help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--kills", type=int, default=2_000, help="of each (default: 2000)")
    parser.add_argument("--scene", choices=kills.SCENES, help="one kind of kill alone")
    parser.add_argument("--operations", type=int, default=1_000_000, help="(default: 1000000)")
    parser.add_argument("--clients", type=int, default=10_000, help="that leave (default: 10000)")
    parser.add_argument("--minutes", type=float, default=inf, help="of kills or canaries, at most")
    parser.add_argument("--quick", action="store_true", help="100 kills, 10,000 operations, 200")
    parser.add_argument("--seed", type=int, default=1, help="(default: 1)")
    parser.add_argument(
        "--database", nargs="+", choices=NAMES, help="(default: both, where PostgreSQL is here)"
    )
    usual = ROOT / "results" / f"torture-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.json"
    parser.add_argument("--out", type=Path, default=usual, help="file of figures")
    args = parser.parse_args(argv)
    if args.quick:
        args.kills, args.operations, args.clients = 100, 10_000, 200
    reasons = {name: why for name in args.database or NAMES if (why := absent(name))}
    for why in reasons.values():
        if args.database:
            parser.error(why)
        print(f"torture: {why}: nothing of it is tortured", file=sys.stderr)
    args.database = [name for name in args.database or NAMES if name not in reasons]
    return args


def _kills(
    args: argparse.Namespace, databases: Databases, say: Callable[[str], None]
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="whet-kills-") as folder:
        found = kills.torture(
            args.kills, args.seed, Path(folder), databases, say, args.scene, args.minutes * 60
        )
    return asdict(found)


def _tenants(
    args: argparse.Namespace, databases: Databases, say: Callable[[str], None]
) -> dict[str, Any]:
    done = tenants.torture(args.operations, args.seed, databases, say, args.minutes * 60)
    return {"operations": done, "records of another tenant": 0}


def _disconnects(
    args: argparse.Namespace, databases: Databases, say: Callable[[str], None]
) -> dict[str, Any]:
    from loadtests.torture import disconnects  # httpx, which the others do without

    console = Console(stderr=True, markup=False, highlight=False)
    url = databases.new()
    with tempfile.TemporaryDirectory(prefix="whet-leaving-") as folder:
        flags = ("--data-dir", folder, "--embedder", "hashing")
        flags += ("--database-url", url) if url else ()
        with running(WHET, console, *flags) as server:
            disconnects.teach(server.url)
            found = disconnects.torture(args.clients, args.seed, server.url, server.process, say)
    return asdict(found)


RUN = {"kills": _kills, "tenants": _tenants, "disconnects": _disconnects}


def _is_bad(found: dict[str, Any]) -> bool:
    lost = found.get("faults") or found.get("failed")
    return bool(lost) or any((found.get("orphans") or {}).values())


def _again(args: argparse.Namespace, part: str, name: str) -> str:
    words = f"python -m loadtests.torture --only {part} --database {name} --seed {args.seed}"
    if part == "kills":
        words += f" --kills {args.kills}" + (f" --scene {args.scene}" if args.scene else "")
    return words


if __name__ == "__main__":
    sys.exit(main())
