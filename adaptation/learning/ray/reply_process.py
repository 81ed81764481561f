"""What replies for an actor, in a process beside its base: whatever module it was told of.

Adapters are folders of the actor's host. Ray itself is not imported here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from adaptation.errors import TrainerError, TrainerLostError
from adaptation.learning.training.messages import Done, Failed, Generate, Step
from adaptation.learning.training.resident import Resident

PATIENCE_S = 86_400.0
"""Who asks has a deadline, and gives up by it."""


class ReplyProcess:
    """Answers requests for replies by their own ids; its process starts with the first."""

    def __init__(self, resident: Resident) -> None:
        self._resident = resident
        self._asked: dict[int, asyncio.Task[Done]] = {}

    async def ask(self, work: Generate, on_step: Callable[[Step], None]) -> Done | Failed:
        """Have replies drawn; what fails is told."""

        def tell(step: Step) -> None:
            on_step(step.model_copy(update={"id": work.id}))

        task = asyncio.create_task(self._resident.ask(work, PATIENCE_S, tell))
        self._asked[work.id] = task
        try:
            done = await task
        except TrainerError as error:
            is_lost = isinstance(error, TrainerLostError)
            return Failed(id=work.id, error=str(error), is_lost=is_lost)
        except asyncio.CancelledError:
            return Failed(id=work.id, error="the job was cancelled")
        finally:
            del self._asked[work.id]
        return done.model_copy(update={"id": work.id})

    def cancel(self, request_id: int) -> bool:
        """Have a request given up at its next step; False where it is none of these."""
        if request_id not in self._asked:
            return False
        self._asked[request_id].cancel()
        return True
