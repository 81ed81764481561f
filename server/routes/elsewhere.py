"""Answers that another replica gave, and is about to write down: who asks so soon waits for them.

Each server writes its answers down together, a second later at most (`CompletionLog`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from memory.errors import NotFoundError
from memory.history.completions import LINGER_S
from memory.threads import Threads

SOON_S = LINGER_S + 0.5
"""Until what another server has answered is in the database."""
LOOK_S = 0.1
P = ParamSpec("P")
T = TypeVar("T")


class Elsewhere:
    """Looks again for what is not there, where others may be about to bring it."""

    def __init__(self, *, is_shared: bool) -> None:
        """`is_shared` tells whether other servers write to the same database."""
        self._is_shared = is_shared

    async def found(
        self, threads: Threads, look: Callable[P, T], *arguments: P.args, **named: P.kwargs
    ) -> T:
        """Return what `look` returns; raises `NotFoundError` where it still raises that."""
        end = time.monotonic() + (SOON_S if self._is_shared else 0.0)
        while True:
            try:
                return await threads.run(look, *arguments, **named)
            except NotFoundError:
                if time.monotonic() >= end:
                    raise
            await asyncio.sleep(LOOK_S)
