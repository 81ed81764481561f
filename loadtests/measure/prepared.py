"""A large memory whose index is sealed, made once: a folder keeps it for the runs to come.

A run works on a copy, since it adds records; what is kept stays as it was made.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from loadtests.measure.memory import TENANT, GivenVectors, Vectors, fill
from memory.memory import LongTermMemory

FILLING = "filling.json"
"""Beside the memory: how its making went."""


@dataclass(frozen=True)
class Filling:
    """How a memory was made."""

    filled_per_s: float
    opened_s: float
    """Of reading all vectors from the database."""
    sealed_s: float
    """Until the inverted lists were in place; searches went on."""


def prepare(
    folder: Path, vectors: Vectors, queries: np.ndarray, kept_in: Path | None, console: Console
) -> Filling:
    """Put a memory of these vectors into `folder`: the one that is kept, or a new one."""
    kept = None if kept_in is None else kept_in / f"memory-{vectors.n}-{vectors.seed}"
    if kept is not None and kept.exists():
        console.print(f"{vectors.n:,} records are copied from {kept}")
        shutil.copytree(kept, folder)
        return Filling(**json.loads((folder / FILLING).read_text()))
    filling = _made(folder, vectors, queries, console)
    (folder / FILLING).write_text(json.dumps(asdict(filling)))
    if kept is not None:
        unfinished = kept.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.copytree(folder, unfinished)
        unfinished.rename(kept)
    return filling


def _made(folder: Path, vectors: Vectors, queries: np.ndarray, console: Console) -> Filling:
    """Store the records, search for the first time, and wait for the sealed index."""
    memory = LongTermMemory.open(folder, GivenVectors(queries))
    try:
        began = time.perf_counter()
        fill(memory, vectors, lambda done: console.print(f"{done:,} of {vectors.n:,}", end="\r"))
        filled, began = time.perf_counter() - began, time.perf_counter()
        memory.near(TENANT, queries[0], k=1)
        opened, began = time.perf_counter() - began, time.perf_counter()
        console.print(f"read in {opened:.1f} s; the index is being sealed")
        index = memory._indexes._view(TENANT).index
        while index.is_due() or memory._indexes._upkeep.is_busy(TENANT):
            time.sleep(0.1)
        return Filling(vectors.n / filled, opened, time.perf_counter() - began)
    finally:
        memory.close()
