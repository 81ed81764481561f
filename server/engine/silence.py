"""How long the engine has given no sign of life, though it should.

vLLM's own health check sees a process that ended. One that hangs looks well: what tells is that
tokens no longer come, or, while there is nothing to generate, that no call is answered.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Any, Protocol

LOOK_S = 0.5
BUSY_SHARE = 0.05
"""Share of one processor: an engine that works as much may be in a long step."""
BUSY_FACTOR = 40
"""Factor by which it may take longer: a large model reads a long prompt on a CPU in one step."""
ANSWER_S = 1.0


class Clock(Protocol):
    """Tells the processor time of an engine."""

    def cpu_s(self, client: Any) -> float:
        """Return it."""
        ...


class Silence:
    """Looks at the requests of vLLM's client, and at how far each has come.

    Time counts by looks, not by the clock: a machine that slept is no engine that hangs.
    """

    def __init__(self, client: Any, cores: Clock, stall_s: float) -> None:
        """An idle engine is stuck after `stall_s`, one at work `BUSY_FACTOR` times as late."""
        self._client, self._cores, self._stall_s = client, cores, stall_s
        self._silent_s = 0.0
        self._marks: deque[tuple[float, float]] = deque()
        """For the last `stall_s` of silence: its length so far, and the processor time by then."""
        self._seen: object = None
        self._call: asyncio.Task[Any] | None = None
        self._answers = 0

    def forget(self) -> None:
        """Begin anew, with another engine."""
        self._silent_s, self._seen = 0.0, None
        if self._call is not None:
            self._call.cancel()
            self._call = None

    async def is_stuck(self, passed_s: float = LOOK_S) -> bool:
        """Look, `passed_s` after the last look; say whether the engine has to be given up."""
        seen = self._signs()
        if seen != self._seen:
            self._seen, self._silent_s = seen, 0.0
            self._marks = deque([(0.0, self._cores.cpu_s(self._client))])
            return False
        self._silent_s += passed_s
        spent_s = self._spent_lately()
        if self._silent_s < self._stall_s:
            return False
        is_busy = spent_s > BUSY_SHARE * self._stall_s
        if is_busy and self._silent_s < BUSY_FACTOR * self._stall_s:
            return False
        return not await self._rests()

    def _spent_lately(self) -> float:
        """Return the processor time of the last `stall_s`: what was spent before says nothing of
        an engine that was stopped since."""
        now = self._cores.cpu_s(self._client)
        self._marks.append((self._silent_s, now))
        while len(self._marks) > 2 and self._marks[1][0] <= self._silent_s - self._stall_s:
            self._marks.popleft()
        return now - self._marks[0][1]

    def _signs(self) -> object:
        """Return what differs from look to look while the engine lives."""
        states = self._client.output_processor.request_states
        if states:
            return {key: _tokens(state) for key, state in states.items()}
        if self._call is None or self._call.done():
            self._call = asyncio.create_task(self._asked())
            self._answers += 1
        return self._answers

    async def _asked(self) -> bool:
        """Have the engine answer; whether it was told to rest."""
        with suppress(Exception):  # its death is another's business
            return bool(await self._client.is_sleeping())  # or paused
        return False

    async def _rests(self) -> bool:
        """Whether an operator has the engine hold its requests back."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                return await self._asked()
        return False


def _tokens(state: Any) -> int:
    return state.detokenizer.num_output_tokens() if state.detokenizer is not None else 0
