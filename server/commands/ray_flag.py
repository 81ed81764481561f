"""The flag by which a Ray cluster's workers do what a command asks for."""

from __future__ import annotations

import argparse

from server.settings.ray import ADDRESS


def add_ray_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--ray`; without an address it is `auto`, without the flag None."""
    parser.add_argument(
        "--ray",
        nargs="?",
        const="auto",
        type=_address,
        metavar="ADDRESS",
        help="have the workers of a Ray cluster do it: HOST:PORT, `local` for one of its own, or "
        "that of this machine where no address is given (default: distill_ray)",
    )


def _address(text: str) -> str:
    if not ADDRESS.fullmatch(text):
        raise argparse.ArgumentTypeError("must be HOST:PORT, auto or local")
    return text
