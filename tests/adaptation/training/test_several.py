"""Processes of one base beside each other: who is asked, and that it makes no difference."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from adaptation.conversation import Conversation, spoken
from adaptation.errors import TrainerError
from adaptation.learning.distillation.pieces import Pieces
from adaptation.learning.distillation.spread import Spread
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.several import Several
from adaptation.learning.training.trainer import Draw, Generated, GeneratingTrainer
from adaptation.pebble import model_path
from memory.types import Message

LIMITS: Any = (24, 120.0)


def asked(*questions: str) -> list[Conversation]:
    return [spoken(Message(role="user", content=question)) for question in questions]


async def test_two_processes_say_and_foresee_what_one_does() -> None:
    """The built-in model, in bf16 where the processor has that."""
    prompts = asked(*(f"What is {n} + {n * 7 % 11}?" for n in range(9)), "Hi there!", "Hi there!")
    answer = Message(role="assistant", content="It is 4.")
    said = [each.of((*each.messages, answer)) for each in prompts]
    processes = [ProcessTrainer(model_path(), threads=1, device="cpu") for _ in range(2)]
    both = Spread(Several(processes), 2, Pieces(None))

    async def told(trainer: GeneratingTrainer) -> tuple[Any, ...]:
        greedy = await trainer.generate(prompts, None, *LIMITS)
        drawn = await trainer.generate(prompts, None, *LIMITS, draw=Draw(seed=3))
        return greedy, drawn, await trainer.measure(said, None, 100, 120.0)

    try:
        await both.start()
        assert processes[0].pid != processes[1].pid
        assert await told(both) == await told(processes[0])
        assert both.parameters == processes[1].parameters
    finally:
        await both.close()
    assert [each.status for each in processes] == ["closed", "closed"]


class Slow(FakeTrainer):
    """Answers once it may, and counts what it was asked."""

    def __init__(self, may: asyncio.Event) -> None:
        super().__init__(answer=lambda *_: "Hello!")
        self.may, self.asked = may, 0

    async def timed(self, conversations: Sequence[Conversation], *how: Any) -> Generated:
        self.asked += 1
        await self.may.wait()
        return await super().timed(conversations, *how)


async def test_what_is_asked_goes_to_the_one_with_least_to_do() -> None:
    gates = [asyncio.Event() for _ in range(3)]
    crew = [Slow(gate) for gate in gates]
    several = Several(crew)
    async with asyncio.TaskGroup() as group:
        tasks = []
        for n in range(3):
            tasks.append(group.create_task(several.timed(asked("a"), None, *LIMITS)))
            await asyncio.sleep(0)
            assert [each.asked for each in crew] == [1] * (n + 1) + [0] * (2 - n)
        gates[1].set()
        await tasks[1]
        await several.timed(asked("b"), None, *LIMITS)
        assert [each.asked for each in crew] == [1, 2, 1]
        for gate in gates:
            gate.set()
    assert several._under_way == [0, 0, 0]


async def test_one_that_cannot_start_says_so(tmp_path: Path) -> None:
    nowhere = ProcessTrainer(tmp_path / "nowhere", device="cpu")
    several = Several([FakeTrainer(), nowhere])
    with pytest.raises(TrainerError, match="there is no folder"):
        await several.start()
    await several.close()
    assert nowhere.status == "closed"
