"""The memory that the server's processes hold."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import psutil

ROLES = {
    "VLLM::EngineCore": "engine core",
    "VLLM::Worker": "engine worker",
    "adaptation.learning.training.worker": "trainer",
    "adaptation.rewards.worker": "reward model",
    "ray::TrainerActor": "trainer",
    "adaptation.learning.ray.driver": "Ray",
    "/ray/": "Ray",
    "ray::": "Ray",
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
    return _summed(family, lambda held: int(held.rss))


def allocated_of(family: Sequence[psutil.Process]) -> dict[str, int]:
    """Return what of it each role has allocated: the rest are pages of files, such as libraries,
    which the kernel takes away and brings back as memory is short. Linux alone tells them apart.
    """
    return _summed(family, lambda held: int(held.rss - getattr(held, "shared", 0)))


def _summed(family: Sequence[psutil.Process], size_of: Callable[[Any], int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for index, process in enumerate(family):
        with contextlib.suppress(psutil.NoSuchProcess):
            role = "server" if index == 0 else role_of(" ".join(process.cmdline()))
            found[role] = found.get(role, 0) + size_of(process.memory_info())
    return found


def said(found: Mapping[str, int]) -> str:
    """Return such as `server 1.1 GB, engine core 2.5 GB, trainer 2.4 GB`."""
    return ", ".join(f"{role} {held / GB:.1f} GB" for role, held in found.items())
