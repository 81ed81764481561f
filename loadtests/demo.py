"""`make demo`: a narrated tour of a server that learns, in about five minutes on two cores.

Everything it prints is what happened: questions are seeded, answers are the model's, and a station
that did not help says so.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import httpx
import openai

from loadtests import arguments
from loadtests.client import Client
from loadtests.tour import distil, feedback, train, vote
from loadtests.tour.guide import FAST, FULL, Guide
from loadtests.tour.narrator import Narrator, Outcome
from server.server_process import WHET, ServerFailedError, ended_in_order, running

EXAMPLES = """\
examples:
  python -m loadtests.demo                      start a server of its own, on a temporary folder
  python -m loadtests.demo --fast               fewer questions
  python -m loadtests.demo --url http://127.0.0.1:8000 --data-dir ~/.local/share/whet
"""
STATIONS: tuple[Callable[[Guide], Outcome], ...] = (
    vote.visit,
    train.visit,
    distil.visit,
    feedback.visit,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Take the tour; 0 unless something broke (a station that did not help is no error)."""
    args = _arguments(argv)
    narrator, started = Narrator(), time.monotonic()
    try:
        with ended_in_order():
            outcomes = _tour(args, narrator)
    except KeyboardInterrupt:
        return 130
    except (ServerFailedError, RuntimeError, openai.OpenAIError, httpx.HTTPError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    narrator.summary(outcomes)
    narrator.say(
        f"\n{time.monotonic() - started:.0f} s in all, seed {args.seed}. So few questions show how "
        "it works, not how well: `make bench` measures it, with intervals."
    )
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = arguments.parser("demo", __doc__, EXAMPLES)
    parser.add_argument(
        "--url", help="use this server; its memory is given examples of task whet-tour"
    )
    parser.add_argument("--data-dir", type=Path, help="the data directory of the server at --url")
    parser.add_argument("--seed", type=int, default=1, help="of all questions (default: 1)")
    parser.add_argument("--fast", action="store_true", help="a third of the questions")
    args = parser.parse_args(argv)
    if args.data_dir and not args.url:
        parser.error("--data-dir goes with --url: without it the server gets a temporary folder")
    return args


def _tour(args: argparse.Namespace, narrator: Narrator) -> list[Outcome]:
    if args.url:
        return _visit_all(args, narrator, args.url.rstrip("/"), args.data_dir)
    with tempfile.TemporaryDirectory(prefix="whet-demo-") as folder:
        narrator.say(f"$ whet serve --data-dir {folder}", "bold")
        with running(WHET, narrator.console, "--data-dir", folder) as server:
            narrator.say(f"ready in {server.start_s:.0f} s at {server.url}")
            return _visit_all(args, narrator, server.url, Path(folder))


def _visit_all(
    args: argparse.Namespace, narrator: Narrator, url: str, data_dir: Path | None
) -> list[Outcome]:
    client = Client(url)
    narrator.say(f"The model is {client.model}, the client the official `openai` package.")
    guide = Guide(client, narrator, FAST if args.fast else FULL, args.seed, data_dir)
    return [visit(guide) for visit in STATIONS]


if __name__ == "__main__":
    sys.exit(main())
