"""Some hundred clients leave a real server at random moments: `make torture` in small."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from loadtests.torture import disconnects
from tests.e2e.running import Running, serving

CLIENTS = 150


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("leaving")
    flags = ("--embedder", "hashing")
    with serving(folder / "data", folder / "server.log", *flags) as running:
        yield running


def test_clients_that_leave_at_random_moments_leave_nothing_behind(server: Running) -> None:
    assert server.process is not None
    disconnects.teach(server.url)
    process = psutil.Process(server.process.pid)
    found = disconnects.torture(CLIENTS, 1, server.url, process, print)
    assert found.clients == CLIENTS
    assert found.answered < CLIENTS / 2, "most of them leave before they are answered"
    assert found.orphans == dict.fromkeys(("sequences", "descriptors", "files", "leases"), 0)
