"""An engine client without an engine, for tests of everything that is served through one.

vLLM's own AsyncLLM, with its renderer, its input and output processors and its tokenizer; what is
missing is the core: no weights, no process. A script says what is generated, and tokens come one
at a time, the event loop running in between. It dies where vLLM's core would: of two adapters
under one name at a time, and of sampling through an adapter whose files are not there.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.exceptions import LoRAAdapterNotFoundError
from vllm.lora.request import LoRARequest
from vllm.v1.engine import EngineCoreOutput, EngineCoreOutputs, EngineCoreRequest, FinishReason
from vllm.v1.engine.exceptions import EngineDeadError
from vllm.v1.metrics.stats import PrefillStats
from vllm.v1.outputs import LogprobsLists

from server.engine.coreless import CorelessClient
from server.engine.cores import put_behind

WEIGHTS = "adapter_model.safetensors"
ADAPTER_EFFECT = 0.05
"""How far any adapter moves log-probabilities: a probe sees that it is applied."""


@dataclass(frozen=True)
class Reply:
    """One scripted sample."""

    text: str
    gate: asyncio.Event | None = None
    """Held before the last token until this is set."""
    error: Exception | None = None
    """Raised in place of the sample: a request's own fault, not the engine's death."""
    kills: bool = False
    """Whether the core dies of it, after the first token."""
    logprob: float = -0.1
    """Log-probability of each token."""


Script = Callable[[EngineCoreRequest], Reply]


class FakeCore:
    """What AsyncLLM needs of its core: requests go in, outputs come out."""

    def __init__(self, script: Script, tokenizer: Any) -> None:
        self.script = script
        self._tokenizer = tokenizer
        self._encoded: dict[str, list[int]] = {}
        self._outputs: asyncio.Queue[EngineCoreOutputs | Exception] = asyncio.Queue()
        self._playing: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, EngineCoreRequest] = {}
        self.resources = SimpleNamespace(engine_dead=False)
        self.taken: list[EngineCoreRequest] = []
        """Every request, in order."""
        self.aborted: list[str] = []
        """Internal ids of the requests that were ended before their end."""
        self.generated_tokens = 0
        """Tokens given out: the engine's own count, to compare bills with."""
        self.loaded: dict[int, LoRARequest] = {}
        self.begun = asyncio.Semaphore(0)
        """Released once for each request."""

    async def get_supported_tasks_async(self) -> tuple[str, ...]:
        """Text, and nothing else."""
        return ("generate",)

    async def is_sleeping_async(self) -> bool:
        """Return False: no test puts it to sleep."""
        return False

    async def add_request_async(self, request: EngineCoreRequest) -> None:
        """Begin to play a request."""
        self._check_adapter(request.lora_request)
        if self.resources.engine_dead:
            raise EngineDeadError
        self.taken.append(request)
        reply = self.script(request)
        if reply.error is not None:
            raise reply.error
        self._running[request.request_id] = request
        self._playing[request.request_id] = asyncio.create_task(self._play(request, reply))
        self.begun.release()

    async def get_output_async(self) -> EngineCoreOutputs:
        """Return the next token of any request; raises `EngineDeadError`."""
        while True:
            given = await self._outputs.get()
            if isinstance(given, Exception):
                raise given
            if given.outputs[0].request_id not in self.aborted:
                self.generated_tokens += len(given.outputs[0].new_token_ids)
                return given

    async def abort_requests_async(self, request_ids: Sequence[str]) -> None:
        """End requests where they are."""
        for request_id in request_ids:
            if (task := self._playing.pop(request_id, None)) is not None:
                task.cancel()
                self._running.pop(request_id, None)
                self.aborted.append(request_id)

    async def add_lora_async(self, adapter: LoRARequest) -> bool:
        """Load an adapter; raises for a folder that holds none, and lives on."""
        _check_files(adapter)
        self.loaded[adapter.lora_int_id] = adapter
        return True

    async def remove_lora_async(self, adapter_id: int) -> bool:
        """Unload an adapter."""
        return self.loaded.pop(adapter_id, None) is not None

    def shutdown(self, timeout: float | None = None) -> None:
        """End everything."""
        self.resources.engine_dead = True
        for task in self._playing.values():
            task.get_loop().call_soon_threadsafe(task.cancel)

    def die(self) -> None:
        """End as a core does that meets what it cannot take."""
        self.resources.engine_dead = True
        self._outputs.put_nowait(EngineDeadError())

    def _check_adapter(self, adapter: LoRARequest | None) -> None:
        if adapter is None:
            return
        others = [request.lora_request for request in self._running.values()]
        is_clash = any(
            other.lora_name == adapter.lora_name and other.lora_int_id != adapter.lora_int_id
            for other in others
            if other is not None
        )
        is_there = (Path(adapter.lora_path) / WEIGHTS).is_file()
        if is_clash or not (adapter.lora_int_id in self.loaded or is_there):
            self.die()

    async def _play(self, request: EngineCoreRequest, reply: Reply) -> None:
        ids, finish = self._tokens(request, reply)
        for place, token in enumerate(ids):
            await asyncio.sleep(0)
            is_last = place == len(ids) - 1
            if is_last and reply.gate is not None:
                await reply.gate.wait()
            if is_last:
                del self._running[request.request_id], self._playing[request.request_id]
            output = _output(request, token, reply, is_first=place == 0)
            output.finish_reason = finish if is_last else None
            self._outputs.put_nowait(EngineCoreOutputs(outputs=[output]))
            if reply.kills:
                self.die()
                return

    def _tokens(self, request: EngineCoreRequest, reply: Reply) -> tuple[list[int], FinishReason]:
        """Return the reply's tokens, with the one that ends a turn, as far as they are allowed."""
        params = request.sampling_params
        ids = [*self.encode(reply.text), self._tokenizer.eos_token_id]
        if params.max_tokens is not None and len(ids) > params.max_tokens:
            return ids[: params.max_tokens], FinishReason.LENGTH
        return ids, FinishReason.STOP

    def encode(self, text: str) -> list[int]:
        """Return the text's tokens; known ones take no time, as those of an engine."""
        if text not in self._encoded:
            self._encoded[text] = self._tokenizer.encode(text, add_special_tokens=False)
        return self._encoded[text]


class FakeClient(CorelessClient):
    """vLLM's client in front of a `FakeCore`."""

    def __init__(self, config: Any, script: Script) -> None:
        super().__init__(config, lambda client: FakeCore(script, client.renderer.tokenizer))

    @property
    def core(self) -> FakeCore:
        """What the requests came to."""
        core: FakeCore = self.engine_core
        return core


class FakeCores:
    """`server.engine.cores.Cores` for fakes: each new core is scripted as the one before."""

    mended = "started again"

    def __init__(self) -> None:
        self.started = 0
        self.error: Exception | None = None
        """Raised by the next starts, where it is set."""

    def start(self, client: FakeClient) -> FakeCore:
        """Return a new core."""
        self.started += 1
        if self.error is not None:
            raise self.error
        return FakeCore(client.core.script, client.renderer.tokenizer)

    def adopt(self, client: FakeClient, core: FakeCore) -> None:
        """Put it behind the client."""
        put_behind(client, core)

    def cpu_s(self, client: FakeClient) -> float:
        """A fake does no work."""
        return 0.0

    def kill(self, client: FakeClient) -> None:
        """End the core."""
        client.core.die()

    def kill_starting(self) -> None:
        """There is no process."""


@asynccontextmanager
async def open_fake_engine(args: argparse.Namespace, script: Script) -> AsyncIterator[FakeClient]:
    """`launch.open_engine`, without weights."""
    config = AsyncEngineArgs.from_cli_args(args).create_engine_config()
    client = FakeClient(config, script)
    try:
        yield client
    finally:
        client.shutdown(timeout=0)


def _check_files(adapter: LoRARequest) -> None:
    """Raise what vLLM's worker raises, in its words."""
    folder = Path(adapter.lora_path)
    if not folder.is_dir():
        raise LoRAAdapterNotFoundError(adapter.lora_name, adapter.lora_path)
    if not (folder / WEIGHTS).is_file():
        raise ValueError(f"{folder} doesn't contain tensors")


def _output(
    request: EngineCoreRequest, token: int, reply: Reply, *, is_first: bool
) -> EngineCoreOutput:
    logprob = reply.logprob - (ADAPTER_EFFECT if request.lora_request else 0.0)
    return EngineCoreOutput(
        request_id=request.request_id,
        new_token_ids=[token],
        new_logprobs=_logprobs(token, logprob, request.sampling_params.logprobs),
        prefill_stats=PrefillStats() if is_first else None,
    )


def _logprobs(token: int, logprob: float, others: int | None) -> LogprobsLists | None:
    """Return the token's own log-probability, and those of so many less likely ones."""
    if others is None:
        return None
    ids = [token, *[other for other in range(others + 1) if other != token][:others]]
    values = [logprob - place for place in range(len(ids))]
    return LogprobsLists(np.array([ids]), np.array([values]), np.array([1]))
