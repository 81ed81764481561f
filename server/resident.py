"""The memory that the server's processes hold."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence

import psutil

ROLES = {
    "VLLM::EngineCore": "engine core",
    "VLLM::Worker": "engine worker",
    "adaptation.learning.training.worker": "trainer",
    "adaptation.rewards.worker": "reward model",
}
"""What a command line holds, and what the process then is."""
GB = 1e9


def role_of(command: str) -> str:
    """Return what a child process of a server does."""
    return next((role for mark, role in ROLES.items() if mark in command), "helpers")


def resident_bytes() -> dict[str, int]:
    """Return the resident memory of this process, the server, and of all below it by role.

    Pages shared between processes count in each of them.
    """
    server = psutil.Process()
    return resident_of([server, *server.children(recursive=True)])


def resident_of(family: Sequence[psutil.Process]) -> dict[str, int]:
    """Return the resident memory of each role; the first process is the server."""
    found: dict[str, int] = {}
    for index, process in enumerate(family):
        with contextlib.suppress(psutil.NoSuchProcess):
            role = "server" if index == 0 else role_of(" ".join(process.cmdline()))
            found[role] = found.get(role, 0) + process.memory_info().rss
    return found


def said(found: Mapping[str, int]) -> str:
    """Return such as `server 1.1 GB, engine core 2.5 GB, trainer 2.4 GB`."""
    return ", ".join(f"{role} {held / GB:.1f} GB" for role, held in found.items())
