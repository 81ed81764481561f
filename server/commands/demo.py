"""`whet demo`: a narrated tour of a server that learns, in about two minutes on two cores.

Everything it prints is what happened: questions are seeded, answers are the model's, and a station
that did not help says so.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from server.asking.target import server_url
from server.commands.common import Subparsers, command_parser
from server.terminal import CommandError, UsageError
from whet import root_of

if TYPE_CHECKING:
    from server.tour.narrator import Narrator, Outcome

EXAMPLES = """\
  whet demo                      start a server of its own, on a temporary folder
  whet demo --fast               fewer questions
  whet demo --url http://127.0.0.1:8000 --data-dir ~/.local/share/whet
"""


def add_parser(subparsers: Subparsers) -> None:
    """Describe `whet demo`."""
    summary = "a narrated tour: vote, train, distil, correct; two minutes on two cores"
    parser = command_parser(subparsers, "demo", summary, EXAMPLES)
    parser.add_argument(
        "--url",
        type=server_url,
        help="use this server; its memory is given examples of task whet-tour",
    )
    parser.add_argument(
        "--data-dir", type=Path, help="the data folder of the server at --url: to distil as well"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of all questions (default: 1)")
    parser.add_argument("--fast", action="store_true", help="half of the questions")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Take the tour; 0 unless something broke (a station that did not help is no error)."""
    import httpx

    from server.server_process import ServerFailedError, ended_in_order
    from server.tour.narrator import Narrator

    if args.data_dir and not args.url:
        raise UsageError("--data-dir goes with --url: without it the server has a temporary folder")
    narrator, started = Narrator(), time.monotonic()
    try:
        with ended_in_order():
            outcomes = _tour(args, narrator)
    except (ServerFailedError, httpx.HTTPStatusError) as error:
        raise CommandError(str(error)) from error
    narrator.summary(outcomes)
    narrator.say(
        f"\n{time.monotonic() - started:.0f} s in all, seed {args.seed}. So few questions show how "
        "it works, not how well: `whet eval` measures it, with intervals."
    )
    return 0


def _tour(args: argparse.Namespace, narrator: Narrator) -> list[Outcome]:
    from server.server_process import WHET, running

    if args.url:
        return _visit_all(args, narrator, root_of(args.url), args.data_dir)
    with tempfile.TemporaryDirectory(prefix="whet-demo-") as folder:
        narrator.say(f"$ whet serve --data-dir {folder}", "bold")
        with running(WHET, narrator.console, "--data-dir", folder) as server:
            narrator.say(f"ready in {server.start_s:.0f} s at {server.url}")
            return _visit_all(args, narrator, server.url, Path(folder))


def _visit_all(
    args: argparse.Namespace, narrator: Narrator, url: str, data_dir: Path | None
) -> list[Outcome]:
    from server.asking.target import told
    from server.tour.client import Client

    with told(url), closing(Client(url)) as client:
        from server.tour import distil, feedback, train, vote
        from server.tour.guide import FAST, FULL, Guide

        stations = [vote.visit, train.visit, *([distil.visit] if data_dir else []), feedback.visit]
        narrator.say(f"The model is {client.model}, the client the official `openai` package.")
        guide = Guide(client, narrator, FAST if args.fast else FULL, args.seed, data_dir)
        return [visit(guide) for visit in stations]
