"""`make bench-console`: how soon each view of the console is whole, with 100,000 records.

Debian's chromium, headless, beside a composed server: its engine is scripted, all else is real, the
SQLite memory too. Cold is a browser that was never there, warm the same one as it comes again.
Targets that are missed are printed as missed; the status is 0 all the same.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

from loadtests import arguments
from loadtests.bench import circumstances
from loadtests.bench_sound import keep
from loadtests.measure.first_view import NOTE_CHANGES, FirstView, NotShownError, first_view
from loadtests.measure.result import Target
from loadtests.sound.figures import spread
from server.console.page import STATIC
from server.server_process import ROOT
from tests.console.browsing import Browsing, Served
from tests.console.driving import driven, is_installed

RECORDS, ROUNDS = 100_000, 5
WHEN = ("cold", "warm")
SHOWN = {"after load": "after_load_ms", "in all": "shown_ms", "processor": "core_ms"}
"""Of each load, what the table tells, by the heads of its columns."""
MOST_MS, MOST_KB = 300.0, 150.0
VIEWS = (
    *("live", "traces", "playground", "memory", "memory?q=invoice", "review"),
    *("adapters", "learning", "ledger", "evaluations", "jobs", "access"),
)
NEWEST = {
    "traces": "/v1/traces?limit=1",
    "memory": "/v1/memory/records?limit=1",
    "adapters": "/v1/adapters",
    "jobs": "/v1/jobs?kind=evaluate",
}
"""Of views that show one thing, where the newest of them is found."""
EXAMPLES = """\
examples:
  python -m loadtests.bench_console                            docs/measured/console.md: ten minutes
  python -m loadtests.bench_console --records 1000 --rounds 1  two minutes
"""
Loads = dict[str, dict[str, list[FirstView]]]
"""Of each view, those that were cold and those that were warm."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, keep; 0 unless something broke."""
    args = _arguments(argv)
    if not is_installed():
        print(
            "bench-console: chromium is not installed (apt-get install chromium)", file=sys.stderr
        )
        return 1
    console = Console(stderr=True, markup=False, highlight=False)
    started = datetime.now(UTC)
    with TemporaryDirectory(prefix="whet-console-") as folder:
        console.print(f"{args.records:,} records are being saved")
        try:
            with driven(Path(folder), args.records) as browsing:
                loads = measured(browsing, args.rounds, console)
                keep(args.out, report(loads, args, started))
        except NotShownError as error:
            print(f"bench-console: {error}", file=sys.stderr)
            return 1
    print(table(loads))
    console.print(f"kept in {args.out}")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_console", __doc__, EXAMPLES)
    parser.add_argument("--records", type=int, default=RECORDS, help=f"default: {RECORDS:,}")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"default: {ROUNDS}")
    usual = ROOT / "results" / f"console-{datetime.now(UTC):%Y-%m-%d-%H%M%S}.json"
    parser.add_argument("--out", type=Path, default=usual, metavar="FILE", help="of the figures")
    return parser.parse_args(argv)


def measured(browsing: Browsing, rounds: int, console: Console) -> Loads:
    """Load every view in a new browser, and again in the same one, in turns."""
    views = (*VIEWS, *(f"{view}/{_newest(browsing.served, at)}" for view, at in NEWEST.items()))
    loads: Loads = {name_of(view): {when: [] for when in WHEN} for view in views}
    for number in range(rounds):
        console.print(f"round {number + 1} of {rounds}")
        for view in views:
            url = f"{browsing.served.url}/console#/{view}"
            with browsing.page() as watched:
                watched.page.add_init_script(NOTE_CHANGES)
                for of in loads[name_of(view)].values():
                    of.append(first_view(watched.page, url))
    return loads


def _newest(served: Served, path: str) -> str:
    found: str = served.ask("GET", path)["data"][0]["id"]
    return found


def name_of(view: str) -> str:
    """Return what a view is called: the id of what it shows says nothing."""
    name, _, one = view.partition("/")
    return f"{name}, one of them" if one else name.replace("?q=", ", a search: ")


def packed_bytes() -> int:
    """Return the size of all files that a browser may be sent, compressed."""
    sent = [path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".html", ".svg"}]
    return sum(len(gzip.compress(path.read_bytes(), 9, mtime=0)) for path in sent)


def targets(loads: Loads) -> list[Target]:
    """Return what is wanted: of every view, and of all files together."""
    found = [
        Target(f"{name}, {when}", MOST_MS, "at most", _spread(some, "after_load_ms"), "ms")
        for name, of in loads.items()
        for when, some in of.items()
    ]
    size = spread([packed_bytes() / 1024])
    return [*found, Target("all files, compressed", MOST_KB, "at most", size, "KB")]


def table(loads: Loads) -> str:
    """Return the figures as Markdown: medians, with all that was found."""
    heads = [f"{when}: {head}" for when in WHEN for head in SHOWN]
    lines = [_row("view", *heads, ""), f"|---{'|--:' * len(heads)}|---|"]
    judged = {each.name: each.verdict for each in targets(loads)}
    for name, of in loads.items():
        cells = [_shown(of[when], what) for when in WHEN for what in SHOWN.values()]
        verdicts = (f"{when}: {judged[f'{name}, {when}']}" for when in WHEN)
        lines.append(_row(name, *cells, "; ".join(verdicts)))
    sent = [_sent(when, [each for of in loads.values() for each in of[when]]) for when in WHEN]
    return "\n".join([*lines, "", *sent])


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _sent(when: str, some: Sequence[FirstView]) -> str:
    files, asked = _spread(some, "file_bytes"), _spread(some, "requests")
    return (
        f"{when}: {files.value / 1024:.0f} KB of files for {asked.value:.0f} addresses "
        f"(at most {files.high / 1024:.0f} KB, {asked.high:.0f})"
    )


def _spread(some: Sequence[FirstView], what: str) -> Any:
    return spread([getattr(each, what) for each in some])


def _shown(some: Sequence[FirstView], what: str) -> str:
    found = _spread(some, what)
    return f"{found.value:.0f} ms ({found.low:.0f} to {found.high:.0f})"


def report(loads: Loads, args: argparse.Namespace, started: datetime) -> dict[str, Any]:
    """Return everything a reader needs to judge and repeat the run."""
    return {
        **circumstances(started),
        "options": {"records": args.records, "rounds": args.rounds},
        "packed_bytes": packed_bytes(),
        "views": {
            name: {when: [asdict(each) for each in some] for when, some in of.items()}
            for name, of in loads.items()
        },
        "verdicts": {each.name: each.verdict for each in targets(loads)},
    }


if __name__ == "__main__":
    sys.exit(main())
