"""The command line of a measurement: its module docstring, and examples at the end."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path

from server.config import Settings
from server.models.catalogue import BUILT_IN
from server.models.named import choose
from server.server_process import ROOT


def parser(module: str, about: str | None, examples: str) -> argparse.ArgumentParser:
    """The parser of `python -m loadtests.<module>`."""
    return argparse.ArgumentParser(
        f"python -m loadtests.{module}",
        description=about,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_worlds(parser: argparse.ArgumentParser, name: str, *, worlds: int, questions: int) -> None:
    """Add the flags of a measurement that trains on development worlds, with these defaults.

    `name` is the beginning of the file of results.
    """
    add_model(parser, name)
    parser.add_argument(
        "--worlds", type=int, default=worlds, help=f"of every suite (default: {worlds})"
    )
    parser.add_argument(
        "--questions", type=int, default=questions, help=f"asked of each (default: {questions})"
    )


def add_model(parser: argparse.ArgumentParser, name: str) -> None:
    """Add the flags that say of which model something is measured, and where that is kept."""
    add_named_model(parser)
    usual = ROOT / "results" / f"{name}-{date.today():%Y-%m-%d}.json"
    parser.add_argument("--out", type=Path, default=usual, help="file of the figures")


def add_named_model(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say of which model something is measured."""
    parser.add_argument("--model", default=BUILT_IN, help="a name, a folder or a .gguf file")
    parser.add_argument("--data-dir", type=Path, help="where a named model lies")


def trained_model(args: argparse.Namespace) -> str:
    """Return the path of the model that the flags of `add_named_model` name."""
    settings = Settings(**({"data_dir": args.data_dir} if args.data_dir else {}))
    return choose(args.model, settings.data_dir).model


def add_two_builds(
    parser: argparse.ArgumentParser,
    parts: Collection[str],
    old: str,
    real: Sequence[str],
    name: str,
) -> None:
    """Add the flags of a measurement that sets this build beside an older one.

    `real` are the parts that need a real model, `name` the beginning of the file of results.
    """
    parser.add_argument("--only", nargs="+", choices=parts, help=f"some of: {', '.join(parts)}")
    parser.add_argument("--old", default=old, metavar="COMMIT", help=f"default: {old}")
    parser.add_argument(
        "--model",
        type=Path,
        metavar="PATH",
        help="of a small real model, such as SmolLM2-135M-Instruct; "
        f"without it no {', no '.join(real)}",
    )
    parser.add_argument("--seed", type=int, default=1, help="of the questions (default: 1)")
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=f"where to (default: results/{name}-<date>.json)"
    )


def parse_two_builds(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, real: Sequence[str]
) -> argparse.Namespace:
    """Parse what `add_two_builds` described; the parts `real` are refused without their model."""
    args = parser.parse_args(argv)
    for part in real:
        if part in (args.only or ()) and not args.model:
            parser.error(f"{part} needs --model PATH")
    if args.model:
        args.model = args.model.resolve()
    return args
