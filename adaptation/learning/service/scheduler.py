"""Which jobs train next, and one step of all of them at once: jobs join and leave between steps.

Jobs are taken in the order they came, as many as a step has room for; none overtakes another. What
breaks one job's part of a step breaks that job alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from adaptation.errors import TrainerError
from adaptation.learning.service.asking import Ask, Losses, answer
from adaptation.learning.service.base import Base
from adaptation.learning.service.job import Control, Training, prepare, train
from adaptation.learning.training.trainer import TrainingJob, TrainingResult

OnEnd = Callable[[TrainingResult | Exception], None]


@dataclass(frozen=True)
class Room:
    """How much trains at once."""

    tokens: int
    """In one forward pass; a job that has more in a step trains alone, in several passes."""
    jobs: int


ROOM = {"cpu": Room(4_096, 16), "cuda": Room(32_768, 64)}
"""By the type of device. A CPU is busy with a thousand tokens: with more every job ends later, and
only the small operations in between are saved."""


class Task:
    """A job under way, and what it asks for now."""

    def __init__(self, job: TrainingJob, control: Control, on_end: OnEnd) -> None:
        self.control = control
        self.ask: Ask | None = None
        """None before the start and after the end."""
        self.cost = 0
        """The most that one step can take of a pass, in tokens, once that is known."""
        self._job, self._on_end = job, on_end
        self._training: Training | None = None

    @property
    def has_begun(self) -> bool:
        """Whether it has been prepared, or has failed at that."""
        return self._training is not None

    def begin(self, base: Base) -> None:
        """Prepare, and go on to the first ask."""

        def training() -> Training:
            prepared = prepare(base, self._job)
            self.cost = prepared.cost
            return (yield from train(base, prepared, self.control))

        self._training = training()
        self.go_on(None)

    def go_on(self, found: Losses | Exception | None) -> None:
        """Have what was asked for, up to the next ask or the end."""
        assert self._training is not None
        self.ask = None
        try:
            if isinstance(found, Exception):
                self.ask = self._training.throw(found)
            else:
                self.ask = self._training.send(found)  # type: ignore[arg-type]
        except StopIteration as end:
            self._on_end(end.value)
        except Exception as error:  # noqa: BLE001  the end of one job: the others go on
            self._on_end(error)

    def give_up(self, reason: str) -> None:
        """End before the first step."""
        if self._training is not None:
            self._training.close()
        self._on_end(TrainerError(reason))


class Scheduler:
    """Trains what is submitted, one `step` at a time."""

    def __init__(self, base: Base, room: Room | None = None) -> None:
        self._base = base
        self._room = room or ROOM.get(base.device.type, ROOM["cuda"])
        self._waiting: deque[Task] = deque()
        self._live: list[Task] = []

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to train."""
        return not (self._waiting or self._live)

    def submit(self, job: TrainingJob, control: Control, on_end: OnEnd) -> None:
        """Have a job wait for its turn; `on_end` is told its result, or what went wrong."""
        self._waiting.append(Task(job, control, on_end))

    def step(self) -> None:
        """Take in what there is room for, and let every live job have what it asks for."""
        self._dismiss()
        self._take_in()
        asks = [task.ask for task in self._live if task.ask is not None]
        for task, found in zip(self._live, self._answers(asks), strict=True):
            task.go_on(found)
        self._live = [task for task in self._live if task.ask is not None]

    def _dismiss(self) -> None:
        """End what waits in vain: given up, or without the time for a step."""
        kept: deque[Task] = deque()
        for task in self._waiting:
            if task.control.cancelled.is_set():
                task.give_up("the job was cancelled")
            elif self._live and task.control.is_late():
                task.give_up("the trainer was busy until too little of the time was left")
            else:
                kept.append(task)
        self._waiting = kept

    def _take_in(self) -> None:
        while self._waiting and len(self._live) < self._room.jobs:
            task = self._waiting[0]
            if not task.has_begun:
                task.begin(self._base)
            taken = sum(live.cost for live in self._live)
            if task.ask and self._live and taken + task.cost > self._room.tokens:
                return
            self._waiting.popleft()
            if task.ask:
                self._live.append(task)

    def _answers(self, asks: Sequence[Ask]) -> Sequence[Losses | Exception]:
        """Answer all at once; where that breaks, one after the other to find whose fault it is."""
        try:
            return answer(self._base, asks, self._room.tokens)
        except torch.AcceleratorError:
            raise  # beyond repair
        except Exception as error:  # noqa: BLE001  of one job: the others go on
            for ask in asks:
                ask.adapter.forget()
            if isinstance(error, torch.OutOfMemoryError):
                self._base.free_memory()
            if len(asks) == 1:
                return [error]
        return [found for ask in asks for found in self._answers([ask])]
