"""The processes that vLLM's engine works in: started again, watched, killed.

vLLM starts them once, for a client that dies with them. Here a client outlives its core: another
one is put in its place, and whoever holds the client goes on with it.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
from typing import Any

import psutil
from vllm.v1.engine.core_client import EngineCoreClient
from vllm.v1.executor import Executor

from server.engine.launch import EngineArgs

NAME = "EngineCore"
"""What vLLM calls these processes."""


class Cores:
    """Starts and ends what does the work behind vLLM's client."""

    mended = "started again"

    def __init__(self, args: argparse.Namespace) -> None:
        """`args` are those that the first core was started with."""
        self._args = args

    def start(self, client: Any) -> Any:
        """Return a new core, and block until it is ready; vLLM raises what it finds wrong."""
        config = EngineArgs.from_cli_args(self._args).create_engine_config()
        executor = Executor.get_class(config)
        return EngineCoreClient.make_async_mp_client(config, executor, client.log_stats)

    def adopt(self, client: Any, core: Any) -> None:
        """Put `core` behind `client`, whose requests of before have ended with the old one."""
        old = client.engine_core
        put_behind(client, core)
        old.resources.ctx.destroy(linger=0)  # its threads and descriptors

    def cpu_s(self, client: Any) -> float:
        """Return the processor time of the core's processes so far."""
        spent = 0.0
        for process in self._family(client):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                spent += times.user + times.system
        return spent

    def kill(self, client: Any) -> None:
        """End the core at once, its workers included; vLLM notices."""
        for process in self._family(client):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def kill_starting(self) -> None:
        """End cores that are being started; `start` then raises."""
        for process in multiprocessing.active_children():
            if process.name.startswith(NAME):
                process.kill()

    def _family(self, client: Any) -> list[psutil.Process]:
        manager, found = client.engine_core.resources.engine_manager, []
        for core in getattr(manager, "processes", ()):
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(core.pid)
                found += [process, *process.children(recursive=True)]
        return found


def put_behind(client: Any, core: Any) -> None:
    """Have `client` ask `core` from now on; what is left of its requests is forgotten."""
    processor = client.output_processor
    processor.abort_requests(list(processor.request_states), internal=True)
    processor.parent_requests.clear()
    client.engine_core, client.output_handler = core, None
    client._run_output_handler()
