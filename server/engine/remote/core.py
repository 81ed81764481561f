"""What vLLM's client asks in the place of its core: a remote engine.

Each request is a task that reads one stream. The core is dead once the other end is not there, or
is another one than before; `server.engine.keeper` then puts a new one in its place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from types import SimpleNamespace

from vllm.lora.request import LoRARequest
from vllm.v1.engine import EngineCoreOutputs, EngineCoreRequest
from vllm.v1.engine.exceptions import EngineDeadError

from server.engine.remote.line import GoneError, Line, RefusedError, message_of, within
from server.engine.remote.wire import body_of, output_of, unsendable

logger = logging.getLogger(__name__)

LOAD, UNLOAD = "/v1/load_lora_adapter", "/v1/unload_lora_adapter"
BEAT_S, ANSWER_S = 2.0, 5.0
"""Between two looks at the engine's health, and how long it has to answer one."""
Tell = Callable[[str, RefusedError], None]


class RemoteCore:
    """One life of the engine at the other end."""

    def __init__(self, line: Line, model: str, prefix: str, tell: Tell) -> None:
        """`model` is the base's name there; adapters get names that begin with `prefix`.

        `tell` is given each request that is refused, with the reason.
        """
        self._line, self._model, self._prefix, self._tell = line, model, prefix, tell
        self._outputs: asyncio.Queue[EngineCoreOutputs | Exception] = asyncio.Queue()
        self._playing: dict[str, asyncio.Task[None]] = {}
        self._loaded: dict[int, str] = {}
        """Names there, by the ids here."""
        self._naming = asyncio.Lock()
        self._beating: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self.resources = SimpleNamespace(engine_dead=False)
        self.well_s = 0.0
        """Seconds for which the engine has said that it is well."""

    async def get_supported_tasks_async(self) -> tuple[str, ...]:
        """Text, and nothing else."""
        return ("generate",)

    async def is_sleeping_async(self) -> bool:
        """Return False, once the engine has answered."""
        with suppress(GoneError):
            await self._line.is_well()
        return False

    async def add_request_async(self, request: EngineCoreRequest) -> None:
        """Begin a request; what becomes of it comes by the outputs."""
        if self.resources.engine_dead:
            raise EngineDeadError
        self._playing[request.request_id] = asyncio.create_task(self._play(request))

    async def get_output_async(self) -> EngineCoreOutputs:
        """Return the next tokens of any request; raises `EngineDeadError`."""
        if self._beating is None:
            self._beating = asyncio.create_task(self._watch())
        given = await self._outputs.get()
        if isinstance(given, Exception):
            raise given
        return given

    async def abort_requests_async(self, request_ids: Sequence[str]) -> None:
        """See `cancel`."""
        self.cancel(request_ids)

    def cancel(self, request_ids: Sequence[str]) -> None:
        """End requests where they are: each has a connection of its own, which is closed."""
        for request_id in request_ids:
            if (task := self._playing.pop(request_id, None)) is not None:
                task.cancel()

    async def add_lora_async(self, adapter: LoRARequest) -> bool:
        """Have an adapter loaded; the other end reads the same folder under the same path."""
        name = f"{self._prefix}{adapter.lora_name}"
        body = {"lora_name": name, "lora_path": adapter.lora_path}
        status, text = await self._called(LOAD, body)
        if status == 400 and "already been loaded" in text:  # by one that ended without a word
            await self._called(UNLOAD, {"lora_name": name})
            status, text = await self._called(LOAD, body)
        if status != 200:
            raise ValueError(f"the engine answered {status}: {message_of(text)}")
        self._loaded[adapter.lora_int_id] = name
        return True

    async def remove_lora_async(self, adapter_id: int) -> bool:
        """Have an adapter forgotten; vLLM keeps its weights until others need the place."""
        name = self._loaded.pop(adapter_id, None)
        if name is None or self.resources.engine_dead:
            return False
        status, _ = await self._called(UNLOAD, {"lora_name": name})
        return status == 200

    def shutdown(self, timeout: float | None = None) -> None:
        """End everything; may be called in any thread."""
        self._loop.call_soon_threadsafe(self._end)

    def die(self, why: str) -> None:
        """End as a core does whose process is gone."""
        if not self.resources.engine_dead:
            logger.error("the engine at %s is gone: %s", self._line.url, why)
            self._end()
            self._outputs.put_nowait(EngineDeadError())

    def _end(self) -> None:
        self.resources.engine_dead = True
        tasks, self._playing = list(self._playing.values()), {}
        if self._beating is not None:
            tasks.append(self._beating)
        for task in tasks:
            if task is not asyncio.current_task():
                task.cancel()

    async def _play(self, request: EngineCoreRequest) -> None:
        try:
            if (what := unsendable(request)) is not None:
                raise RefusedError(400, f"{what} cannot be had of a remote engine")
            await self._generate(request, await self._name(request.lora_request))
        except GoneError as error:
            self.die(str(error))
        except EngineDeadError:
            pass  # as all others are told
        except RefusedError as error:
            self._tell(request.request_id, error)
        except Exception:  # nobody waits for this task: who asked has to be told
            logger.exception("what crosses to the engine at %s cannot be read", self._line.url)
            self._tell(request.request_id, RefusedError(500, "it cannot be read"))
        finally:
            self._playing.pop(request.request_id, None)

    async def _generate(self, request: EngineCoreRequest, model: str) -> None:
        output = None
        async with aclosing(self._line.generate(body_of(request, model))) as events:
            async for event in events:
                for choice in event["choices"]:
                    output = output_of(request, choice, is_first=output is None)
                    self._outputs.put_nowait(EngineCoreOutputs(outputs=[output]))
        if output is None or not output.finished:
            raise RefusedError(500, "the sample has no end")

    async def _name(self, adapter: LoRARequest | None) -> str:
        """Return what is asked by this name there; adapters that vLLM's routes loaded come late."""
        if adapter is None:
            return self._model
        async with self._naming:  # samples of one vote come at once
            if adapter.lora_int_id not in self._loaded:
                try:
                    await self.add_lora_async(adapter)
                except ValueError as error:
                    raise RefusedError(500, str(error)) from error
            return self._loaded[adapter.lora_int_id]

    async def _called(self, path: str, body: dict[str, str]) -> tuple[int, str]:
        try:
            return await self._line.call(path, body)
        except GoneError as error:
            self.die(str(error))
            raise EngineDeadError from error
        except TimeoutError as error:
            raise ValueError("the engine did not answer in time") from error

    async def _watch(self) -> None:
        """Look whether the engine is there, for as long as this core lives.

        One that does not answer in time is left to the keeper, which counts the seconds.
        """
        while True:
            await asyncio.sleep(BEAT_S)
            try:
                well = await within(ANSWER_S, self._line)
            except GoneError as error:
                return self.die(str(error))
            if well is False:
                return self.die("it says that it is not well")
            if well:
                self.well_s += BEAT_S
