"""A server whose engine is a stand-in: vLLM's client with a core that has its tokens ready.

This file runs as a script in either build, and imports only what both have. The stand-in steps as
vLLM's core does, one token of every running sample at a time, and writes down how much processor
time it took itself, which is not the front's.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
import warnings
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import uvloop

with warnings.catch_warnings():  # of importing vLLM: others' deprecations
    warnings.simplefilter("ignore")
    from vllm.v1.engine import EngineCoreOutput, EngineCoreOutputs, EngineCoreRequest, FinishReason
    from vllm.v1.metrics.stats import PrefillStats
    from vllm.v1.outputs import LogprobsLists

    from memory.embedding.embedder import create_embedder
    from server.config import Settings
    from server.engine import fake_client, launch
    from server.engine.fake_client import FakeCore, Reply
    from tests.server import composed

STEP_S = 0.002
"""Seconds between two steps: what waits for a token has run by the next."""
ANSWERS = (14, 18, 14, 21, 14, 18, 12, 14, 9, 14, 18, 14, 21, 14, 30, 14)
"""What samples come to, in turn: votes go on for eight samples and more."""
SAID = (
    "the apples he has are more than she gives away so we count what is left and add it to all"
    " that Tom buys at the shop for a day then we take the number of boxes by the weeks"
)
WORDS, SENTENCE = 110, 11
"""How many of them a sample has, and a sentence: of the built-in model about 150 tokens."""
HEAD_S = 30.0
"""Seconds a request's head may take."""


@dataclass
class Playing:
    """A sample under way."""

    ids: Sequence[int]
    finish: FinishReason
    wants_logprobs: bool
    place: int = 0

    def step(self, key: str) -> EngineCoreOutput:
        """Return its next token."""
        token, self.place = self.ids[self.place], self.place + 1
        logprobs = LogprobsLists(np.array([[token]]), np.array([[-0.1]]), np.array([1]))
        return EngineCoreOutput(
            request_id=key,
            new_token_ids=[token],
            new_logprobs=logprobs if self.wants_logprobs else None,
            finish_reason=self.finish if self.place == len(self.ids) else None,
            prefill_stats=PrefillStats() if self.place == 1 else None,
        )


class SteppingCore(FakeCore):
    """Gives out one token of every running sample at a time."""

    told: Path
    """Where its own processor time is written, in seconds, whenever nothing runs."""

    def __init__(self, script: Any, tokenizer: Any) -> None:
        super().__init__(script, tokenizer)
        self._samples: dict[str, Playing] = {}
        self._stepping: asyncio.Task[None] | None = None
        self._spent_s = 0.0

    async def add_request_async(self, request: EngineCoreRequest) -> None:
        """Begin to play a request."""
        began = time.thread_time()
        ids, finish = self._tokens(request, self.script(request))
        wants_logprobs = request.sampling_params.logprobs is not None
        self._samples[request.request_id] = Playing(ids, finish, wants_logprobs)
        if self._stepping is None or self._stepping.done():
            self._stepping = asyncio.create_task(self._steps())
        self._spent_s += time.thread_time() - began

    async def get_output_async(self) -> EngineCoreOutputs:
        """Return the tokens of the next step."""
        given = await self._outputs.get()
        assert isinstance(given, EngineCoreOutputs)
        return given

    async def abort_requests_async(self, request_ids: Sequence[str]) -> None:
        """End requests where they are."""
        for request_id in request_ids:
            self._samples.pop(request_id, None)

    async def _steps(self) -> None:
        while self._samples:
            await asyncio.sleep(STEP_S)
            began = time.thread_time()
            outputs = [sample.step(key) for key, sample in self._samples.items()]
            for output in outputs:
                if output.finish_reason is not None:
                    del self._samples[output.request_id]
            self._outputs.put_nowait(EngineCoreOutputs(outputs=outputs))
            self._spent_s += time.thread_time() - began
        self.told.write_text(repr(self._spent_s))


def reply(request: EngineCoreRequest, prose_tokens: int) -> Reply:
    """Return what a sample says: as much as the others, in other words.

    It is prose where the request's `max_tokens` are `prose_tokens`, else it comes to a number.
    """
    name = str(request.external_req_id)  # the voted request's, and the sample's number
    index = int(name.rpartition("-")[2])
    words = Random(name).choices(SAID.split(), k=WORDS)
    sentences = (" ".join(words[at : at + SENTENCE]) for at in range(0, WORDS, SENTENCE))
    text = " ".join(f"{sentence.capitalize()}." for sentence in sentences)
    if request.sampling_params.max_tokens == prose_tokens:
        return Reply(text)
    return Reply(f"{text}\n#### {ANSWERS[index % len(ANSWERS)]}")


@asynccontextmanager
async def standing_in(
    folder: Path, told: Path, embedder: str, prose_tokens: int, flags: Sequence[str] = ()
) -> AsyncIterator[composed.Composed]:
    """Compose a server over the stand-in; `told` is `SteppingCore.told`, `flags` are vLLM's."""
    embeds, script = create_embedder(embedder), partial(reply, prose_tokens=prose_tokens)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SteppingCore, "told", told, raising=False)
        patch.setattr(fake_client, "FakeCore", SteppingCore)
        patch.setattr(composed, "create_embedder", lambda name: embeds)
        async with composed.composed(folder, patch, script, flags) as server:
            yield server


async def _serve(given: argparse.Namespace) -> None:
    flags = ["--host", given.host, "--port", str(given.port), "--uvicorn-log-level", "warning"]
    with (
        tempfile.TemporaryDirectory(prefix="whet-front-") as name,
        pytest.MonkeyPatch.context() as patch,
    ):
        folder = Path(name)
        args = composed.arguments(patch, Settings(data_dir=folder), flags)
        asked = (given.told, given.embedder, given.prose_tokens)
        async with standing_in(folder, *asked, flags) as server:
            _, sock = launch.listen(args)
            with sock:
                await launch.serve(server.app, sock, args, HEAD_S)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--embedder", default="hashing")
    parser.add_argument("--prose-tokens", type=int, required=True, help="see `reply`")
    parser.add_argument("--told", type=Path, required=True, help="file of the stand-in's seconds")
    sys.setswitchinterval(0.0005)  # this and the event loop as `whet serve` has them
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
