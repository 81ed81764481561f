"""A remote engine as the rest of the server knows engines: a client, and what brings it back."""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import logging
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

from vllm.exceptions import GracefulHTTPError

from adaptation.errors import EngineError
from server.config import ConfigError, Settings
from server.engine.coreless import CorelessClient
from server.engine.cores import put_behind
from server.engine.folder import adapter_folder
from server.engine.launch import EngineArgs
from server.engine.refusals import bad_request
from server.engine.remote.core import RemoteCore
from server.engine.remote.line import GoneError, Line, RefusedError
from server.engine.remote.probing import Wanted, base_of

logger = logging.getLogger(__name__)

LOOK_S = 1.0
"""Between two looks whether the engine is there again."""
SAY_EVERY = 30
"""Looks between two lines about it in the log."""
PASSED_ON = frozenset({429, 502, 503, 504})
"""Statuses of an engine, or of what stands before it, that has no room: they say nothing of the
request, which may be asked again."""


class RemoteClient(CorelessClient):
    """vLLM's client in front of a remote engine."""

    def tell(self, request_id: str, refused: RefusedError) -> None:
        """End a request, and those of its other choices, with what the engine refused it for."""
        processor = self.output_processor
        if (state := processor.request_states.get(request_id)) is None:
            return
        queue, outer = state.queue, state.external_req_id
        others = processor.abort_requests([outer], internal=False)
        self.engine_core.cancel([child for child in others if child != request_id])
        queue.put(_as_answered(refused))


class RemoteCores:
    """See `server.engine.keeper.Cores`: a start is to wait until the engine is there again."""

    mended = "waited for"

    def __init__(self, line: Line, wanted: Wanted, prefix: str) -> None:
        self._line, self._wanted, self._prefix = line, wanted, prefix
        self._loop = asyncio.get_running_loop()
        self._waiting: Any = None
        self._is_over = False

    def start(self, client: RemoteClient) -> RemoteCore:
        """Return a core once there is an engine that suits; blocks, in a thread of its own."""
        self._waiting = asyncio.run_coroutine_threadsafe(self._again(client), self._loop)
        core: RemoteCore = self._waiting.result()
        return core

    async def _again(self, client: RemoteClient) -> RemoteCore:
        """Wait without an end: an engine that suits no more may be mended, too."""
        while True:
            try:
                return await self.first(client.tell)
            except EngineError as error:
                if self._is_over:
                    raise
                logger.error("%s", error)
                await asyncio.sleep(SAY_EVERY * LOOK_S)

    async def first(self, tell: Callable[[str, RefusedError], None]) -> RemoteCore:
        """Wait for the engine; raises `EngineError` where it does not suit."""
        looks = 0
        while not self._is_over:
            try:
                model = await base_of(self._line, self._wanted, self._prefix)
                return RemoteCore(self._line, model, self._prefix, tell)
            except (GoneError, TimeoutError) as error:
                if looks % SAY_EVERY == 0:
                    logger.warning("waiting for the engine at %s: %s", self._line.url, error)
                looks += 1
                await asyncio.sleep(LOOK_S)
        raise EngineError("the server ends")

    def adopt(self, client: RemoteClient, core: RemoteCore) -> None:
        """Put it behind the client."""
        put_behind(client, core)

    def cpu_s(self, client: RemoteClient) -> float:
        """Return for how long it has been well, which stands for work: it may be others'."""
        well_s: float = client.engine_core.well_s
        return well_s

    def kill(self, client: RemoteClient) -> None:
        """Give the engine up: its samples' connections are closed."""
        client.engine_core.die("it gives no token and no sign of life")

    def kill_starting(self) -> None:
        """Wait no longer."""
        self._is_over = True
        if self._waiting is not None:
            self._waiting.cancel()


@asynccontextmanager
async def open_remote_engine(
    args: argparse.Namespace, settings: Settings
) -> AsyncIterator[tuple[RemoteClient, RemoteCores]]:
    """Wait for the engine at `engine_url`, and leave it as it was at the end of the block."""
    assert settings.engine_url is not None
    config = EngineArgs.from_cli_args(args).create_engine_config()
    key = settings.engine_key.get_secret_value() if settings.engine_key else None
    line = Line(settings.engine_url, key)
    try:
        cores = RemoteCores(line, _wanted(args, settings, config), prefix_of(settings))
        client = RemoteClient(config, lambda made: None)
        try:
            client.engine_core = await _first(cores, client, settings.engine_url)
            yield client, cores
        finally:
            client.shutdown(timeout=0)
            await asyncio.sleep(0)  # for what that called to happen
    finally:
        await line.close()


async def _first(cores: RemoteCores, client: RemoteClient, url: str) -> RemoteCore:
    try:
        return await cores.first(client.tell)
    except EngineError as error:
        raise ConfigError(f"{url}: {error}") from error


def prefix_of(settings: Settings) -> str:
    """Return how the names of this server's adapters begin at an engine that others use, too.

    It is the same after a restart: the engine keeps one series of metrics for each name.
    """
    place = f"{socket.gethostname()}:{settings.data_dir}"
    return f"whet-{hashlib.sha256(place.encode()).hexdigest()[:8]}-"


def _wanted(args: argparse.Namespace, settings: Settings, config: Any) -> Wanted:
    return Wanted(
        context=config.model_config.max_model_len,
        rank=args.max_lora_rank if args.enable_lora else None,
        folder=adapter_folder(settings),
    )


def _as_answered(refused: RefusedError) -> Exception:
    """Return what vLLM's handlers turn into the status that a client is given."""
    if refused.status in PASSED_ON:
        words, status = f"the engine has no room: {refused}", HTTPStatus.SERVICE_UNAVAILABLE
        graceful: Exception = GracefulHTTPError(words, status)
        return graceful
    if refused.status < 500:
        return bad_request(str(refused), None)
    words, status = "the engine failed on this request", HTTPStatus.INTERNAL_SERVER_ERROR
    failed: Exception = GracefulHTTPError(words, status)
    return failed
