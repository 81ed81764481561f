"""`make bench-cli`: what slips and help cost on the command line, this build beside an older one.

Both builds run with the same libraries, in turns, on the same machine. A figure is the processor
time of the whole process, user and system; figures are medians with their whole spread. Targets
that are missed are printed as missed; the status is 0 all the same.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from loadtests import arguments
from loadtests.bench_sound import keep, report
from loadtests.sound.builds import THIS, Build, NoBuildError, checked_out
from loadtests.sound.figures import Compared, table
from loadtests.sound.of_build import environment
from server.server_process import ROOT, ended_in_order

BEFORE = "a94019a"
MOST_S = 1.5
EXAMPLES = """\
examples:
  python -m loadtests.bench_cli                       three rounds: six minutes
  python -m loadtests.bench_cli --rounds 1 --old main~20 --out /tmp/cli.json
"""


class WrongEndError(Exception):
    """A line did not end as it has to: what it cost says nothing."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep; 0 unless something broke."""
    args = _arguments(argv)
    console = Console(stderr=True, markup=False, highlight=False)
    started = datetime.now(UTC)
    try:
        with ended_in_order(), checked_out(args.old) as old, slips() as lines:
            rows = measure(lines, args.rounds, old, THIS, console)
    except KeyboardInterrupt:
        return 130
    except (NoBuildError, WrongEndError) as error:
        print(f"bench-cli: {error}", file=sys.stderr)
        return 1
    keep(args.out, report(rows, args, started))
    print(table(rows))
    console.print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_cli", __doc__, EXAMPLES)
    usual = ROOT / "results" / f"cli-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.json"
    parser.add_argument("--rounds", type=int, default=3, help="of every slip (default: 3)")
    parser.add_argument("--old", default=BEFORE, metavar="COMMIT", help=f"default: {BEFORE}")
    parser.add_argument("--out", type=Path, default=usual, metavar="FILE", help="of the figures")
    return parser.parse_args(argv)


@contextmanager
def slips() -> Iterator[Mapping[str, tuple[str, ...]]]:
    """Give the command lines, none of which starts a server, by what they are about."""
    with tempfile.TemporaryDirectory(prefix="whet-cli-") as folder, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        here = ("--data-dir", folder)
        file = Path(folder) / "file"
        file.write_text("not a folder")
        yield {
            "`whet serve --help`": ("serve", "--help"),
            "`whet serve --print-config`": ("serve", "--print-config"),
            "an unknown flag": ("serve", "--prot", "9000"),
            "a value out of range": ("serve", "--max-samples", "0"),
            "a model that is not there": ("serve", "--model", "/no/such"),
            "a folder without config.json": ("serve", folder),
            "a port out of range": ("serve", "--port", "99999", *here),
            "a port in use": ("serve", "--port", str(taken.getsockname()[1]), *here),
            "a data folder that is a file": ("serve", "--data-dir", str(file)),
            "an unknown command": ("srve",),
            "`whet eval --help`": ("eval", "--help"),
        }


def measure(
    lines: Mapping[str, tuple[str, ...]], rounds: int, before: Build, now: Build, console: Console
) -> list[Compared]:
    """Run each line in both builds in turns; the first round of each warms the disk's cache."""
    costs: dict[tuple[str, Build], list[float]] = {}
    for number in range(rounds):
        console.print(f"round {number + 1} of {rounds}")
        for name, words in lines.items():
            for build in (before, now):
                status, spent_s = run(build, words)
                if build == now and status != ended(words):
                    raise WrongEndError(f"{name}: status {status}, not {ended(words)}")
                costs.setdefault((name, build), []).append(spent_s)
    return [
        Compared(
            name,
            "CPU s",
            tuple(costs[name, before]),
            tuple(costs[name, now]),
            "now",
            "at most",
            MOST_S,
        )
        for name in lines
    ]


def ended(words: Sequence[str]) -> int:
    """Return the status that a line has to end with: 0 where it asks for what is to be shown."""
    return 0 if {"--help", "--print-config"} & set(words) else 2


def run(build: Build, words: Sequence[str]) -> tuple[int, float]:
    """Return the status of one run, and its processor time in seconds."""
    process = subprocess.Popen(
        [sys.executable, "-m", "server.cli", *words],
        cwd=build.folder,
        env=environment(os.environ, str(build.folder)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main())
