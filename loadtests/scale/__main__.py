"""`make bench-scale`: what replicas, a cheaper front, Ray and workers gain, beside one machine.

replicas: three servers behind a balancer, against one. front: the front's processor time a voted
request, against an older build. limits: what a request waits until all servers have counted it,
against one. trainer: the trainer on Ray, against the one in the server. distilling: four workers,
against one. simulation: the model of loadtests/simulate, against what the replicas came to in the
same run. Targets that are missed are printed as missed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from loadtests import arguments
from loadtests.bench import circumstances
from loadtests.measure import table
from loadtests.measure.result import Result, result_of
from server.server_process import ROOT
from server.terminal import write_json

PARTS = {
    "replicas": "loadtests.scale.replicas",
    "front": "loadtests.scale.front",
    "limits": "loadtests.scale.limits",
    "trainer": "loadtests.scale.trainer",
    "distilling": "loadtests.scale.distilling",
    "simulation": "loadtests.simulate",
}
"""Their modules, in the order they run: the simulation is held to what the replicas came to."""
EXAMPLES = """\
examples:
  python -m loadtests.scale                          all of it
  python -m loadtests.scale --only replicas simulation
  python -m loadtests.scale --quick                  a look
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the parts, print one table of their targets and one of each, keep all of it."""
    args = _arguments(argv)
    console = Console(stderr=True, markup=False, highlight=False)
    started, found, broken = datetime.now(UTC), list[Result](), list[str]()
    with TemporaryDirectory(prefix="whet-scale-") as folder:
        for name in args.only or PARTS:
            console.print(f"{name}, load average {os.getloadavg()[0]:.1f}")
            result = _run(name, Path(folder), quick=args.quick)
            if result is None:
                broken.append(name)
                continue
            found.append(result)
            _keep(args, started, found)
    for result in found:
        print(table.whole(result))
    print(table.targets(found))
    if broken:
        print(f"no figures of: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    there = [name for name, module in PARTS.items() if find_spec(module)]
    parser = arguments.parser("scale", __doc__, EXAMPLES)
    parser.add_argument("--only", nargs="+", choices=there, help=f"some of: {', '.join(there)}")
    parser.add_argument("--quick", action="store_true", help="short runs of every part")
    usual = ROOT / "results" / f"scale-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.json"
    parser.add_argument("--out", type=Path, default=usual, help="file of figures")
    args = parser.parse_args(argv)
    args.only = args.only or there
    return args


def _run(name: str, folder: Path, *, quick: bool) -> Result | None:
    """Return what a part found; None where it broke, which it says itself."""
    out, replicas = folder / f"{name}.json", folder / "replicas.json"
    command = [sys.executable, "-m", PARTS[name], "--out", str(out)]
    command += ["--quick"] * quick
    if name == "simulation" and replicas.exists():
        command += ["--measured", str(replicas)]
    ended = subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=False)
    if ended.returncode or not out.exists():
        return None
    return result_of(json.loads(out.read_text("utf-8")))


def _keep(args: argparse.Namespace, started: datetime, found: Sequence[Result]) -> None:
    """Write what there is, after every part: a later one may break."""
    report: dict[str, Any] = {
        **circumstances(started),
        "parts": [result.as_json() for result in found],
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(report, str(args.out))


if __name__ == "__main__":
    sys.exit(main())
