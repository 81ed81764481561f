"""A server whose engine waits, in a process of its own.

Everything is real but the engine's core: a sample takes so many seconds of waiting, whatever else
this machine does, and no more of them run at a time than there are places. So what a replica can
answer is bounded by its places, and several replicas do not take an engine's cores from each other.

A sample repeats every canary of its prompt, so that memory shown to the wrong tenant is seen in an
answer.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
import uvicorn
import uvloop

from adaptation import child
from adaptation.pebble import model_path
from loadtests.scale.tenants import ANSWER, CANARY
from loadtests.scale.waiting import Waiting
from tests.server.composed import Reply, Script, composed


def run(given: Waiting) -> None:
    """Serve until SIGTERM, or until the process that started this one has ended."""
    child.end_with(os.getppid())
    with (given.folder / "log").open("ab") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    with pytest.MonkeyPatch.context() as patch:
        uvloop.run(_serve(given, patch))


async def _serve(given: Waiting, patch: pytest.MonkeyPatch) -> None:
    settings: dict[str, Any] = {"database_url": given.database_url, "shared_samples": given.places}
    flags = ("--max-num-seqs", str(given.places))
    async with composed(given.folder, patch, script(given.sample_s), flags, **settings) as server:
        config = uvicorn.Config(
            server.app, "127.0.0.1", given.port, log_level="warning", lifespan="off"
        )
        # Which uvicorn raises once more when it has served.
        signal.signal(signal.SIGTERM, lambda *_: None)
        await uvicorn.Server(config).serve()


def script(sample_s: float) -> Script:
    """Return what waits so long before a sample's last token."""
    text_of = _reader()

    def reply(request: Any) -> Reply:
        done = asyncio.Event()
        asyncio.get_running_loop().call_later(sample_s, done.set)
        return Reply(text_of(tuple(request.prompt_token_ids)), gate=done)

    return reply


def _reader() -> Callable[[tuple[int, ...]], str]:
    """Return what makes a sample's text of a prompt; the samples of a vote share one."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_path())

    @lru_cache(maxsize=1024)
    def text_of(prompt: tuple[int, ...]) -> str:
        seen = sorted(set(CANARY.findall(tokenizer.decode(prompt))))
        return " ".join([*seen, f"The answer is {ANSWER}."])

    return text_of
