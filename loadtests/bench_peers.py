"""`make bench-peers`: the same suites put to Whet and to bare vLLM with the same model.

Peers are servers: each is started, asked through `whet eval --url` like any other, and stopped. A
peer is one `Peer` below.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from loadtests import arguments
from loadtests.measure.laboratory import BARE_VLLM
from server.cli import main as whet
from server.server_process import ROOT, WHET, Launch, ServerFailedError, running

EXAMPLES = """\
examples:
  python -m loadtests.bench_peers                        two suites, some minutes on two cores
  python -m loadtests.bench_peers --suite jargon facts -n 300
"""
SUITES = ("stories", "equations")
QUESTIONS = 48


@dataclass(frozen=True)
class Peer:
    """A server, and the arms it can do."""

    launch: Launch
    arms: tuple[str, ...]


PEERS = (
    Peer(BARE_VLLM, ("one", "vote")),
    Peer(WHET, ("one", "vote", "consistency")),
)
"""Whet last: it is compared with each of the others."""


def main(argv: Sequence[str] | None = None) -> int:
    """Measure every peer and print the tables; 0 unless something broke."""
    args = _arguments(argv)
    console = Console(stderr=True)
    try:
        files = [_measured(peer, args, console) for peer in PEERS]
    except KeyboardInterrupt:
        return 130
    except ServerFailedError as error:
        print(f"bench-peers: {error}", file=sys.stderr)
        return 1
    statuses = [whet(["eval", "--compare", str(peer), str(files[-1])]) for peer in files[:-1]]
    return max(statuses)


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("bench_peers", __doc__, EXAMPLES)
    parser.add_argument("--suite", nargs="+", default=list(SUITES), help="as for `whet eval`")
    parser.add_argument("-n", type=int, default=QUESTIONS, help="questions of every suite")
    parser.add_argument("--seed", type=int, default=0, help="of questions and samples")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "results" / "peers", help="folder of the results files"
    )
    return parser.parse_args(argv)


def _measured(peer: Peer, args: argparse.Namespace, console: Console) -> Path:
    """Start a peer, put the suites to it, print its table; return its results file."""
    args.out.mkdir(parents=True, exist_ok=True)
    results: Path = args.out / f"{peer.launch.name.replace(' ', '-')}.jsonl"
    data_dir = args.out / "data"
    flags = ["--data-dir", str(data_dir)] if peer.launch is WHET else []
    with running(peer.launch, console, *flags) as server:
        print(f"\n{peer.launch.name}")
        words = ["eval", "--url", server.url, "--seed", str(args.seed), "-n", str(args.n)]
        words += ["--suite", *args.suite, "--strategy", *peer.arms]
        kept = ["--results", str(results), "--fresh", "--data-dir", str(data_dir)]
        status = whet([*words, *kept])
    if status:
        raise ServerFailedError(f"{peer.launch.name} was not measured; see above")
    return results


if __name__ == "__main__":
    sys.exit(main())
