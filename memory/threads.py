"""A few threads for one kind of work, for an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class Threads:
    """Runs what would hold the loop up; more than there are threads waits, in its order."""

    def __init__(self, name: str, size: int) -> None:
        # Never shut down: idle threads end with their executor, and a busy one must not be cut off.
        self._pool = ThreadPoolExecutor(size, name)

    async def run(self, work: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Return what `work` returns; whoever stops waiting leaves a call that has begun to end.

        It finds the context variables of its caller.
        """
        call = partial(copy_context().run, partial(work, *arguments, **keywords))
        return await asyncio.get_running_loop().run_in_executor(self._pool, call)
