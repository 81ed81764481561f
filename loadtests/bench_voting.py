"""`make bench-voting`: Whet's stopping rules beside other people's voting, on the same questions.

Everybody stands in front of vLLM with the built-in model and the same flags. Questions are asked
one at a time, and tokens are read from the engine's own counter after each: what was cancelled
counts too. Hours with the default 300 questions; interrupted, the same command goes on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TextIO

import httpx
from openai import OpenAIError
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table

from adaptation.evaluation.suites import SUITES, Suite
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from loadtests import arguments
from loadtests.claims import print_claims
from loadtests.environment import NotInstalledError
from loadtests.measure import voting
from loadtests.measure.laboratory import BARE_VLLM
from loadtests.measure.prometheus import total
from loadtests.measure.voting import VOTE, Vote
from loadtests.peers.systems import SYSTEMS, Ask, PeerError, System
from server.cli import main as whet
from server.server_process import ROOT, WHET, Server, ServerFailedError, running
from server.terminal import write_json

EXAMPLES = """\
examples:
  python -m loadtests.bench_voting                      the table of docs/measured/voting.md
  python -m loadtests.bench_voting -n 20 --suite stories --system Whet --out FOLDER
"""
DEFAULT_SUITES = ("stories", "orders", "units", "equations")
CALIBRATION = ("eval", "--calibrate", "-n", "100")
INTERRUPTED = 130
IDLE_S = 10.0
GENERATED, RUNNING = "vllm:generation_tokens_total", "vllm:num_requests_running"


def main(argv: Sequence[str] | None = None) -> int:
    """Ask what has not been asked, print the tables; a target that is missed is no error."""
    args = _arguments(argv)
    console = Console(stderr=True)
    args.out.mkdir(parents=True, exist_ok=True)
    kept = args.out / f"votes-{args.seed}.jsonl"
    try:
        for system in _chosen(args.system):
            _measure(system, args, kept, console)
    except KeyboardInterrupt:
        return INTERRUPTED
    except (ServerFailedError, NotInstalledError, PeerError) as error:
        print(f"bench-voting: {error}", file=sys.stderr)
        return 1
    _show(_complete(_read(kept), args), args.out)
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_voting", __doc__, EXAMPLES)
    parser.add_argument("--suite", nargs="+", choices=SUITES, default=list(DEFAULT_SUITES))
    parser.add_argument("-n", type=int, default=300, help="questions of every suite (default 300)")
    parser.add_argument("--seed", type=int, default=0, help="of the questions (default 0)")
    parser.add_argument("--system", nargs="+", help="those whose names begin so (default: all)")
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "results" / "voting",
        help="folder of votes and figures, which are gone on with: of other code take another",
    )
    return parser.parse_args(argv)


def _chosen(names: Sequence[str] | None) -> list[System]:
    return [s for s in SYSTEMS if not names or s.name.startswith(tuple(names))]


def _measure(system: System, args: argparse.Namespace, kept: Path, console: Console) -> None:
    """Ask one system what it has not been asked, each answer kept as it comes in."""
    done = {(vote.suite, vote.number) for vote in _read(kept) if vote.system == system.name}
    open_ones = [
        (suite, number, problem)
        for suite in map(SUITES.__getitem__, args.suite)
        for number, problem in enumerate(_problems(suite, args))
        if (suite.name, number) not in done
    ]
    if not open_ones:
        return
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    with (
        _server(system, console) as server,
        system.open(server, console) as ask,
        _appended(kept) as file,
        Progress(*columns, console=console) as bar,
    ):
        for suite, number, problem in bar.track(open_ones, description=system.name):
            vote = _asked(system, ask, server, suite, number, problem)
            file.write(VOTE.dump_json(vote).decode() + "\n")
            file.flush()


@contextmanager
def _appended(kept: Path) -> Iterator[TextIO]:
    """The file of votes, without a last line that was cut off."""
    with kept.open("a", encoding="utf-8") as file:
        file.truncate(kept.read_bytes().rfind(b"\n") + 1)
        yield file


def _problems(suite: Suite, args: argparse.Namespace) -> list[Solved]:
    return suite.problems(args.n, split=Split.EVALUATION, seed=args.seed, level=suite.default_level)


@contextmanager
def _server(system: System, console: Console) -> Iterator[Server]:
    """Bare vLLM, or Whet on a memory of its own."""
    if system.whet_flags is None:
        with running(BARE_VLLM, console) as server:
            yield server
        return
    with tempfile.TemporaryDirectory(prefix="whet-voting-") as folder:
        if system.is_calibrated:
            _calibrate(folder)
        with running(WHET, console, "--data-dir", folder, *system.whet_flags) as server:
            yield server


def _calibrate(folder: str) -> None:
    """Find out, on development questions, when one sample is enough."""
    status = whet([*CALIBRATION, "--data-dir", folder])
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if status != 0:
        raise PeerError(f"`whet {' '.join(CALIBRATION)}` ended with status {status}")


def _asked(
    system: System, ask: Ask, server: Server, suite: Suite, number: int, problem: Solved
) -> Vote:
    before = _generated(server)
    began = time.perf_counter()
    try:
        text = ask(problem.question)
    except OpenAIError as error:
        raise PeerError(f"{system.name}, {suite.name} {number}: {error}") from error
    seconds = time.perf_counter() - began
    tokens = _generated(server) - before
    right = suite.verify(problem, text)
    return Vote(system.name, suite.name, number, right, tokens, seconds)


def _generated(server: Server) -> int:
    """Return the engine's counter of generated tokens, once nothing runs any more."""
    deadline = time.monotonic() + IDLE_S
    while True:
        shown = httpx.get(f"{server.url}/metrics", timeout=IDLE_S).text
        if total(shown, RUNNING) == 0:
            return int(total(shown, GENERATED))
        if time.monotonic() > deadline:
            raise PeerError(f"{server.name} still generates {IDLE_S:g} s after its answer")
        time.sleep(0.02)


def _read(kept: Path) -> list[Vote]:
    if not kept.exists():
        return []
    lines = kept.read_text("utf-8").split("\n")[:-1]  # one that was cut off is asked again
    return [VOTE.validate_json(line) for line in lines]


def _complete(votes: Sequence[Vote], args: argparse.Namespace) -> list[Vote]:
    """Return what this choice asks for, of those systems that have answered all of it."""
    wanted = {(suite, number) for suite in args.suite for number in range(args.n)}
    asked = [vote for vote in votes if (vote.suite, vote.number) in wanted]
    counts = Counter(vote.system for vote in asked)
    return [vote for vote in asked if counts[vote.system] == len(wanted)]


def _show(votes: Sequence[Vote], folder: Path) -> None:
    """Print a table for each suite and the targets, and keep both as JSON."""
    console = Console(markup=False, highlight=False, width=None if sys.stdout.isatty() else 110)
    names = [s.name for s in SYSTEMS if any(vote.system == s.name for vote in votes)]
    if voting.FIXED not in names or voting.ONE not in names:
        print("tables need `one sample` and the fixed votes: ask those too")
        return
    figures = {}
    for suite in voting.suites(votes):
        rows = [voting.row(votes, name, suite) for name in names if voting.of(votes, name, suite)]
        figures[suite] = [asdict(row) for row in rows]
        console.print(_table(suite, rows))
    found = voting.claims(votes) if {voting.BETA, voting.OPTILLM} <= {*names} else []
    print_claims(found)
    path = folder / "voting.json"
    write_json({"suites": figures, "claims": [asdict(claim) for claim in found]}, str(path))
    print(f"kept in {path}")


def _table(suite: str, rows: Sequence[voting.Row]) -> Table:
    table = Table(title=f"\n{suite}, {len(rows)} systems", title_justify="left", box=None)
    for column in ("system", "right", "against 16 votes", "tokens", "of 16 votes", "p50"):
        table.add_column(column, justify="left" if column == "system" else "right")
    for row in rows:
        points = row.difference
        table.add_row(
            row.system,
            f"{row.right.value:.1%}",
            f"{100 * points.value:+.1f} ({100 * points.low:+.1f} to {100 * points.high:+.1f})",
            f"{row.tokens_each:.0f}",
            f"{row.tokens.value:.0%} ({row.tokens.low:.0%} to {row.tokens.high:.0%})",
            f"{row.seconds:.2f} s",
        )
    return table


if __name__ == "__main__":
    sys.exit(main())
