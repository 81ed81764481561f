"""Whether an interpreter has the TRL that is trained with."""

from __future__ import annotations

import asyncio
import sys

from packaging.specifiers import SpecifierSet

from adaptation.errors import TrainerError

VERSIONS = SpecifierSet(">=1.16,<1.17")
"""Versions of TRL: a minor version may rename what is overridden here."""
HOW = 'install it into the server\'s environment: pip install "whet[trl]"'
LOOK = "from importlib.metadata import version; print(version('trl'))"


async def check_installed(python: str = sys.executable) -> None:
    """Raise `TrainerError`, which says how to install it, where TRL is missing or another."""
    process = await asyncio.create_subprocess_exec(
        python,
        "-P",
        "-c",
        LOOK,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    told, _ = await process.communicate()
    if process.returncode:
        raise TrainerError(f"dpo and reinforcement need TRL: {HOW}")
    if (found := told.decode().strip()) not in VERSIONS:
        raise TrainerError(f"TRL {found} is installed, and not one of {VERSIONS}: {HOW}")
