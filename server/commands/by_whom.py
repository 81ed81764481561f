"""The flags that say who does a generation's work, where it is not the trainer's process alone."""

from __future__ import annotations

import argparse

from server.config import Settings
from server.jobs.means import obstacle
from server.settings.ray import ADDRESS
from server.terminal import CommandError


def add_by_whom_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--ray`, which is `auto` without an address, and `--replies`; None where not given."""
    parser.add_argument(
        "--ray",
        nargs="?",
        const="auto",
        type=_address,
        metavar="ADDRESS",
        help="have the workers of a Ray cluster do it: HOST:PORT, `local` for one of its own, or "
        "that of this machine where no address is given (default: distill_ray)",
    )
    parser.add_argument(
        "--replies",
        choices=("trainer", "vllm"),
        help="what draws the replies: the trainer's own decoder, or vLLM's offline batches "
        "(default: distill_replies)",
    )


def refuse_missing(args: argparse.Namespace, settings: Settings) -> None:
    """Raise `CommandError` where who is to do the work is not installed."""
    why = obstacle(args.ray or settings.distill_ray, args.replies or settings.distill_replies)
    if why is not None:
        raise CommandError(why)


def _address(text: str) -> str:
    if not ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError("must be HOST:PORT, auto or local")
    return text
