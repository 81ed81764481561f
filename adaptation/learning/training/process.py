"""The real trainer: what is asked of it is done by a process of its own (`resident.py`).

Safe to import in the server: torch is imported in the other process only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from adaptation.conversation import Conversation
from adaptation.errors import TrainerError
from adaptation.learning.training.chat import Template
from adaptation.learning.training.messages import (
    Align,
    Check,
    Generate,
    Measure,
    Step,
    Train,
)
from adaptation.learning.training.resident import Resident
from adaptation.learning.training.trainer import (
    NOTHING,
    Draw,
    Foreseen,
    Generated,
    GeneratingTrainer,
    OnStep,
    Spent,
    Standing,
    TrainingJob,
    TrainingResult,
)


class ResidentTrainer(GeneratingTrainer):
    """Implements `GeneratingTrainer` by what a resident process answers."""

    def __init__(self, resident: Resident) -> None:
        self._resident = resident

    @property
    def status(self) -> str:
        """See `Resident.status`."""
        return self._resident.status

    @property
    def standing(self) -> Standing | None:
        """How many actors do the work; None where the process does, or while there is none."""
        return self._resident.standing

    @property
    def pid(self) -> int | None:
        """Return the id of the running process."""
        return self._resident.pid

    @property
    def parameters(self) -> int | None:
        """Size of the base model, once it is known; see `recipes.recipe_for`."""
        return self._resident.parameters

    @property
    def device_bytes(self) -> int | None:
        """What the base takes of an accelerator's memory; None on a CPU, or while not known."""
        return self._resident.device_bytes

    async def start(self) -> None:
        """Start the process and await that it is ready."""
        await self._resident.start()

    async def close(self) -> None:
        """End the process; the trainer is of no use afterwards."""
        await self._resident.close()

    async def train(
        self,
        job: TrainingJob,
        timeout_s: float,
        on_step: OnStep | None = None,
        spent: Spent | None = None,
    ) -> TrainingResult:
        """Run `job`, beside others; waiting for the trainer counts against `timeout_s`.

        Raises `NoTurnError` at once where too many wait already.
        """
        done = await self._resident.ask(Train(job=job), timeout_s, _telling(on_step, spent))
        if done.result is None:
            raise TrainerError("the trainer answered without a result")
        return done.result

    async def timed(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_new_tokens: int,
        timeout_s: float,
        on_step: OnStep | None = None,
        draw: Draw | None = None,
    ) -> Generated:
        """See `GeneratingTrainer.timed`."""
        if not conversations:
            return NOTHING
        asked = Generate(
            conversations=tuple(conversations),
            adapter=adapter_path,
            max_new_tokens=max_new_tokens,
            draw=draw,
        )
        return (await self._resident.ask(asked, timeout_s, _telling(on_step))).generated or NOTHING

    async def check(
        self, conversations: Sequence[Conversation], timeout_s: float
    ) -> list[str | None]:
        """Return for every conversation why it cannot be learned, None where it can."""
        asked = Check(conversations=tuple(conversations))
        done = await self._resident.ask(asked, timeout_s)
        return list(done.obstacles or ())

    async def measure(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        max_tokens: int,
        timeout_s: float,
    ) -> list[Foreseen]:
        """Return how well every conversation's turns to learn are foreseen, under an adapter."""
        asked = Measure(
            conversations=tuple(conversations), adapter=adapter_path, max_tokens=max_tokens
        )
        return list((await self._resident.ask(asked, timeout_s)).measured or ())

    async def align(
        self,
        conversations: Sequence[Conversation],
        reference: Sequence[int],
        max_tokens: int,
        timeout_s: float,
    ) -> list[float]:
        """Return for every conversation how far learning it would help those of the reference."""
        if not conversations:
            return []
        asked = Align(
            conversations=tuple(conversations), reference=tuple(reference), max_tokens=max_tokens
        )
        return list((await self._resident.ask(asked, timeout_s)).aligned or ())


class ProcessTrainer(ResidentTrainer):
    """Trains in that process itself."""

    def __init__(
        self,
        model: str | Path,
        *,
        template: Template | None = None,
        threads: int | None = None,
        device: str = "auto",
        start_timeout_s: float = 600.0,
    ) -> None:
        arguments = ["--model", str(model), "--device", device]
        if template is not None:
            arguments += ["--template", template.model_dump_json()]
        if threads is not None:
            arguments += ["--threads", str(threads)]
        super().__init__(Resident(arguments, threads, start_timeout_s))


def _telling(on_step: OnStep | None, spent: Spent | None = None) -> Callable[[Step], None]:
    def tell(step: Step) -> None:
        if spent is not None:
            spent.steps, spent.tokens = step.done, step.tokens
        if on_step is not None:
            on_step(step.done, step.total, step.loss)

    return tell
