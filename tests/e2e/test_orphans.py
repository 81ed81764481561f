"""A server that is killed leaves none of its processes behind, the engine's included."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.e2e.running import is_alive, serving, wait_until


def test_the_engine_and_the_trainer_end_with_a_killed_server(tmp_path: Path) -> None:
    env = {"VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
    with serving(tmp_path / "data", tmp_path / "server.log", env=env) as server:
        family = server.children()
        assert len(family) >= 2  # the engine's core and the trainer
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait()
        wait_until(lambda: not any(map(is_alive, family)), 60, "the end of the engine")
