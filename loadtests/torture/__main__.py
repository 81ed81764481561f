"""`make torture`: kills, canaries and clients that leave, by the thousands.

kills: SIGKILL at random points of write, snapshot, compact, migrate, promote and release; after
each the memory is opened again and compared with what had been acknowledged. tenants: two tenants
with canaries, by hypothesis, with index files that are swapped, damaged and forged. disconnects:
clients of a running server that leave at random moments. The status is 1 where anything was found.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from loadtests import arguments
from loadtests.bench import machine
from loadtests.torture import kills, tenants
from loadtests.torture.place import takes_urls
from server.console import write_json
from server.server_process import ROOT, WHET, running

PARTS = ("kills", "tenants", "disconnects")
EXAMPLES = """\
examples:
  python -m loadtests.torture                                everything: some hours on two cores
  python -m loadtests.torture --only kills --kills 200
  python -m loadtests.torture --only kills --scene migrate --seed 7
  python -m loadtests.torture --only tenants --operations 20000
  python -m loadtests.torture --quick                        some minutes
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Torture, print, keep; 1 where anything was lost, shown to others or left behind."""
    args = _arguments(argv)
    console = Console(stderr=True, markup=False, highlight=False)
    began, found = time.monotonic(), dict[str, Any]()
    logging.disable(logging.ERROR)  # damaged index files are told, and are what is wanted
    for part in args.only or PARTS:
        try:
            found[part] = RUN[part](args, lambda said, part=part: console.print(f"{part}: {said}"))
        except Exception as error:  # noqa: BLE001 (the other parts go on)
            print(f"{part} failed: {error}\nagain: {_again(args, part)}", file=sys.stderr)
            found[part] = {"failed": str(error)}
        if _is_bad(found[part]):
            print(f"{part}: {found[part]}\nagain: {_again(args, part)}", file=sys.stderr)
    report = {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
        "seed": args.seed,
        "database": args.database_url or "sqlite",
        "machine": machine(),
        "load": list(os.getloadavg()),
        "parts": found,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(report, str(args.out))
    for part, figures in found.items():
        print(f"{part}: {figures}")
    console.print(f"kept in {args.out}")
    return int(any(map(_is_bad, found.values())))


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("torture", __doc__, EXAMPLES)
    parser.add_argument("--only", nargs="+", choices=PARTS, help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--kills", type=int, default=2_000, help="(default: 2000)")
    parser.add_argument("--scene", choices=kills.SCENES, help="one kind of kill alone")
    parser.add_argument("--operations", type=int, default=1_000_000, help="(default: 1000000)")
    parser.add_argument("--clients", type=int, default=10_000, help="that leave (default: 10000)")
    parser.add_argument("--quick", action="store_true", help="100 kills, 10,000 operations, 200")
    parser.add_argument("--seed", type=int, default=1, help="(default: 1)")
    parser.add_argument(
        "--database-url", metavar="URL", help="of another database than a file of SQLite's"
    )
    usual = ROOT / "results" / f"torture-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.json"
    parser.add_argument("--out", type=Path, default=usual, help="file of figures")
    args = parser.parse_args(argv)
    if args.quick:
        args.kills, args.operations, args.clients = 100, 10_000, 200
    if args.database_url and not takes_urls():
        parser.error("this build keeps its memory in SQLite: leave --database-url out")
    return args


def _kills(args: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="whet-kills-") as folder:
        found = kills.torture(
            args.kills, args.seed, Path(folder), args.database_url, say, args.scene
        )
    return asdict(found)


def _tenants(args: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    done = tenants.torture(args.operations, args.seed, args.database_url, say)
    return {"operations": done, "records of another tenant": 0}


def _disconnects(args: argparse.Namespace, say: Callable[[str], None]) -> dict[str, Any]:
    from loadtests.torture import disconnects  # httpx, which the others do without

    console = Console(stderr=True, markup=False, highlight=False)
    with tempfile.TemporaryDirectory(prefix="whet-leaving-") as folder:
        flags = ("--data-dir", folder, "--embedder", "hashing")
        with running(WHET, console, *flags) as server:
            disconnects.teach(server.url)
            found = disconnects.torture(args.clients, args.seed, server.url, server.process, say)
    return asdict(found)


RUN = {"kills": _kills, "tenants": _tenants, "disconnects": _disconnects}


def _is_bad(found: dict[str, Any]) -> bool:
    lost = found.get("faults") or found.get("failed")
    return bool(lost) or any((found.get("orphans") or {}).values())


def _again(args: argparse.Namespace, part: str) -> str:
    words = f"python -m loadtests.torture --only {part} --seed {args.seed}"
    if part == "kills":
        words += f" --kills {args.kills}" + (f" --scene {args.scene}" if args.scene else "")
    return words


if __name__ == "__main__":
    sys.exit(main())
