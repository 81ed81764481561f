"""Three replicas on one PostgreSQL and one folder of artifacts, each a process of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from loadtests.postgres import ABSENT, UNSYNCED, Cluster, programs
from memory.embedding.hashing import HashingEmbedder
from memory.memory import LongTermMemory
from server.private_file import make_private
from tests.server.replicas.replica import Client, Replica

NAMES = ("first", "second", "third")
POLL_S = 1.0
"""How often a replica looks for another champion."""


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[Cluster]:
    """A PostgreSQL that may be stopped; what it acknowledges outlives that."""
    if programs() is None:
        pytest.skip(ABSENT)
    pytest.importorskip("psycopg")
    cluster = Cluster(UNSYNCED)
    yield cluster
    cluster.remove()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("replicas")


@pytest.fixture(scope="module")
def database_url(own_cluster: Cluster) -> str:
    return own_cluster.database()


@pytest.fixture
def replicas(three: list[Replica]) -> list[Replica]:
    """All three, ready, whatever the test before did to them."""
    dead = [each for each in three if not each.is_alive]
    for each in dead:
        each.begin()
    for each in dead:
        each.wait()
    return three


@pytest.fixture(scope="module")
def three(database_url: str, folder: Path) -> Iterator[list[Replica]]:
    flags = ("--embedder", "hashing", "--train-steps", "0", "--database-url", database_url)
    flags += ("--artifacts", str(folder / "shared"), "--champion-poll-s", str(POLL_S))
    with ExitStack() as stack:
        made = [Replica(name, (*flags, "--replica", name), folder) for name in NAMES]
        for each in made:
            make_private(each.data_dir / "secret", bytes(32))
            each.begin()
            stack.callback(each.stop)
        for each in made:
            each.wait()
        yield made


@pytest.fixture(scope="module")
def operator(three: list[Replica]) -> str:
    """The operator's key, which all of them know."""
    made = httpx.post(f"{three[0].url}/v1/admin/keys", json={"role": "admin"}, timeout=60)
    key = str(made.json()["key"])
    headers = {"authorization": f"Bearer {key}"}
    for each in three:
        records = f"{each.url}/v1/memory/records"
        while httpx.get(records, headers=headers, timeout=60).status_code != 200:
            time.sleep(0.05)
    return key


@pytest.fixture
def clients(replicas: list[Replica], operator: str) -> Iterator[list[Client]]:
    """The operator's, one of each replica."""
    made = [Client(each.url, operator) for each in replicas]
    yield made
    for each in made:
        each.http.close()


@pytest.fixture
def memory(database_url: str, folder: Path) -> Iterator[LongTermMemory]:
    """The memory as a command beside the servers has it."""
    opened = LongTermMemory.open(
        folder / "command",
        HashingEmbedder(),
        database_url=database_url,
        artifacts=str(folder / "shared"),
    )
    yield opened
    opened.close()
