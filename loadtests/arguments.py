"""The command line of a measurement: its module docstring, and examples at the end."""

from __future__ import annotations

import argparse


def parser(module: str, about: str | None, examples: str) -> argparse.ArgumentParser:
    """The parser of `python -m loadtests.<module>`."""
    return argparse.ArgumentParser(
        f"python -m loadtests.{module}",
        description=about,
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
