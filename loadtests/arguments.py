"""The command line of a measurement: its module docstring, and examples at the end."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from pathlib import Path


def parser(module: str, about: str | None, examples: str) -> argparse.ArgumentParser:
    """The parser of `python -m loadtests.<module>`."""
    return argparse.ArgumentParser(
        f"python -m loadtests.{module}",
        description=about,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_two_builds(
    parser: argparse.ArgumentParser, parts: Collection[str], old: str, real: str, name: str
) -> None:
    """Add the flags of a measurement that sets this build beside an older one.

    `real` is the part that needs a real model, `name` the beginning of the file of results.
    """
    parser.add_argument("--only", nargs="+", choices=parts, help=f"some of: {', '.join(parts)}")
    parser.add_argument("--old", default=old, metavar="COMMIT", help=f"default: {old}")
    parser.add_argument(
        "--model",
        type=Path,
        metavar="PATH",
        help=f"of a small real model, such as SmolLM2-135M-Instruct; without it no `{real}`",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the questions (default: 1)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=f"where to (default: results/{name}-<date>.json)"
    )


def parse_two_builds(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, real: str
) -> argparse.Namespace:
    """Parse what `add_two_builds` described; the part `real` is refused without its model."""
    args = parser.parse_args(argv)
    if real in (args.only or ()) and not args.model:
        parser.error(f"{real} needs --model PATH")
    if args.model:
        args.model = args.model.resolve()
    return args
