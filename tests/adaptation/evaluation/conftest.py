"""The peer, answering."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import uvicorn

from tests.adaptation.evaluation.peer import Peer
from tests.e2e.running import free_port, wait_until


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer, port = Peer(), free_port()
    peer.url = f"http://127.0.0.1:{port}"
    config = uvicorn.Config(peer.app(), host="127.0.0.1", port=port, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, 20, "the peer's start")
        yield peer
    finally:
        server.should_exit = True
        thread.join()
