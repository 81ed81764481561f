"""What a record costs: its commit, its memory in a server, its room in the database."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import psycopg

from adaptation.statistics import quartiles
from loadtests.postgres import ABSENT, Cluster, programs
from loadtests.scale.tenants import drafts
from loadtests.simulate.costs import Spread
from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory

DIMENSIONS = 384
"""Of the default embedder."""
SINGLE, MANY, ROUNDS = 60, 2_000, 4


def measure() -> dict[str, Spread]:
    """Save records one by one, as answers do, and then by the thousands; commits reach the disk."""
    if programs() is None:
        raise RuntimeError(ABSENT)
    cluster = Cluster(("autovacuum=off",))
    try:
        with TemporaryDirectory(prefix="whet-costs-") as folder:
            return _measured(Path(folder), cluster.database())
    finally:
        cluster.remove()


def _measured(folder: Path, url: str) -> dict[str, Spread]:
    embedder = HashingEmbedder(DIMENSIONS)
    with closing(LongTermMemory.open(folder, embedder, database_url=url)) as memory:
        memory.save_many(drafts("ann", range(MANY)))
        memory.near("ann", embedder.embed(["warm-up"])[0], k=1)
        seconds = []
        for draft in drafts("ann", range(MANY, MANY + SINGLE)):
            vector = memory.embed([draft])[0]
            began = time.perf_counter()
            memory.store(draft, vector)
            seconds.append(time.perf_counter() - began)
        resident, on_disk = _grown(memory, embedder, url)
    return {
        "save_s": Spread.of(quartiles(seconds)),
        "record_bytes": Spread.of(quartiles(resident)),
        "record_disk_bytes": Spread.of(quartiles(on_disk)),
    }


def _grown(
    memory: LongTermMemory, embedder: HashingEmbedder, url: str
) -> tuple[list[float], list[float]]:
    """Return the bytes a record that each of some rounds added, in this process and on disk."""
    resident, on_disk, process = [], [], psutil.Process()
    for number in range(1, ROUNDS + 1):
        before = process.memory_info().rss, _database_bytes(url)
        first = number * 10 * MANY
        memory.save_many(drafts("ann", range(first, first + MANY)))
        memory.near("ann", embedder.embed(["what is new"])[0], k=1)
        after = process.memory_info().rss, _database_bytes(url)
        resident.append((after[0] - before[0]) / MANY)
        on_disk.append((after[1] - before[1]) / MANY)
    return resident, on_disk


def _database_bytes(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    assert row is not None
    return int(row[0])
