"""A Ray cluster of several nodes for tests: see `ray_nodes.py`."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

from adaptation import child
from tests.adaptation.training.ray_nodes import PORTS, is_free

LAST_SAID = 2_000
"""Letters of what a process that has ended said last."""
LOOK_S = 0.1


class Nodes:
    """Nodes of one cluster, in a process of its own."""

    def __init__(self, folder: str) -> None:
        self._log = Path(folder, "nodes.log")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                child.command("tests.adaptation.training.ray_nodes", folder),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self.pid = self._process.pid
        self.address = self._said()

    def add(self) -> None:
        """One more node, of one core."""
        self._ask("add")

    def remove(self) -> None:
        """The last node is gone, at once."""
        self._ask("remove")

    def end(self) -> None:
        """The head is gone, and all nodes with it."""
        self._ask("end")

    def close(self) -> None:
        self._process.communicate()

    def _ask(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        assert self._said() == "done"

    def _said(self) -> str:
        assert self._process.stdout is not None
        if said := self._process.stdout.readline().strip():
            return said
        self.close()
        raise RuntimeError(self._log.read_text()[-LAST_SAID:])


class ClientServer:
    """What a cluster is asked through at `ray://`."""

    def __init__(self, cluster: str) -> None:
        port = next(filter(is_free, random.sample(PORTS, len(PORTS))))
        self.address = f"ray://127.0.0.1:{port}"
        where = ("--address", cluster, "--host", "127.0.0.1", "--port", str(port))
        # Ray's proxy starts another such process for each client, which takes seconds more.
        self._process = subprocess.Popen(
            child.command("ray.util.client.server", *where, "--mode", "legacy"),
            stderr=subprocess.DEVNULL,
        )
        while is_free(port):
            assert self._process.poll() is None, "it has ended"
            time.sleep(LOOK_S)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
