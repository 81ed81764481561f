"""A trainer whose replies are another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adaptation.conversation import Conversation, spoken
from adaptation.learning.distillation.replying import Replying
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.trainer import Draw, TrainingJob
from memory.types import Message

LIMITS: Any = (8, 5.0)
ASKED = [spoken(Message(role="user", content="lamp?"))]


class Silent(FakeTrainer):
    """Trains, and is not to reply."""

    async def generate(self, *asked: Any, **how: Any) -> list[str]:
        raise AssertionError("another replies")


class Idle(FakeTrainer):
    """Replies, and is asked nothing else."""

    def __init__(self) -> None:
        super().__init__(answer=lambda turns, adapter: f"under {adapter}")
        self.draws: list[Draw | None] = []
        self.starts = 0

    async def start(self) -> None:
        self.starts += 1

    async def timed(self, *asked: Any) -> Any:
        self.draws.append(asked[-1])
        return await super().timed(*asked)

    async def train(self, *asked: Any) -> Any:
        raise AssertionError("another trains")

    check = measure = align = train


async def test_replies_are_one_s_and_all_else_is_the_other_s(tmp_path: Path) -> None:
    trainer, replier = Silent(), Idle()
    both, told = Replying(trainer, replier), list[tuple[int, int]]()
    await both.start()
    assert replier.starts == 1
    how = "folder", *LIMITS, lambda done, total, loss: told.append((done, total))
    drawn = Draw(seed=3)
    assert await both.generate(ASKED, *how) == ["under folder"]
    assert (await both.timed(ASKED, *how, drawn)).texts == ("under folder",)
    assert replier.draws == [None, drawn]
    answered = (*ASKED[0].messages, Message(role="assistant", content="yes"))
    learned: list[Conversation] = [spoken(*answered)]
    job = TrainingJob(conversations=tuple(learned), output_dir=str(tmp_path))
    assert (await both.train(job, 5.0)).path == str(tmp_path)
    assert await both.check(learned, 5.0) == [None]
    assert len(await both.measure(learned, None, *LIMITS)) == 1
    assert len(await both.align(learned, [0], *LIMITS)) == 1
    assert both.parameters == trainer.parameters
    await both.close()
    assert trainer.closed
    assert replier.closed
