"""`whet serve` on a scripted engine, in a process of its own: `scripted FLAGS` where it is run.

Everything is the real server's but the engine's core and the trainer. A question that names
seconds, as in "wait 2 s", is answered after that time; all others at once.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from adaptation.child import end_with
from adaptation.learning.training.fake import FakeTrainer
from server.commands import serve
from tests.server.replicas.replica import ANSWER

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    from server import app as _app  # noqa: F401 - imported once for all that are forked
    from server import parts
    from server.engine import launch
    from server.engine.fake_client import FakeClient, FakeCores, Reply, open_fake_engine

WAITS = re.compile(r"wait ([0-9.]+) s")


def main(words: list[str], log: Path) -> None:
    """Serve until SIGTERM, and end the process."""
    end_with(os.getppid())
    os.setsid()
    warnings.simplefilter("default")  # a test's filters are no server's
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output, stream)
    sys.exit(served(words))


def served(words: list[str]) -> int:
    """Serve until SIGTERM."""
    os.environ |= {"OMP_NUM_THREADS": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
    with (
        mock.patch.object(launch, "open_engine", open_engine),
        mock.patch.object(parts, "trainer_of", side_effect=lambda *_: FakeTrainer()),
        mock.patch.object(parts, "Cores", side_effect=lambda _: FakeCores()),
    ):
        return serve.run(words)


@asynccontextmanager
async def open_engine(args: argparse.Namespace) -> AsyncIterator[FakeClient]:
    """In place of `launch.open_engine`."""

    def script(request: Any) -> Reply:
        asked = client.renderer.tokenizer.decode(request.prompt_token_ids)
        if not (found := WAITS.findall(asked)):
            return Reply(ANSWER)
        gate = asyncio.Event()
        asyncio.get_running_loop().call_later(float(found[-1]), gate.set)
        return Reply(ANSWER, gate=gate)

    async with open_fake_engine(args, script) as client:
        yield client


if __name__ == "__main__":
    sys.exit(served(sys.argv[1:]))
