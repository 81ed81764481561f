from collections.abc import Callable
from pathlib import Path

import pytest

from adaptation.conversation import spoken
from adaptation.errors import TrainerError
from adaptation.learning.training.adapter_files import read_config
from adaptation.learning.training.fake import FakeTrainer, pretend
from adaptation.learning.training.trainer import TrainingJob
from memory.types import Message

Job = Callable[..., TrainingJob]


async def test_the_fake_writes_a_valid_adapter_and_keeps_the_job(tmp_path: Path, job: Job) -> None:
    trainer = FakeTrainer()
    result = await trainer.train(job(tmp_path), 1)
    assert read_config(tmp_path)["r"] == result.rank == 8
    assert trainer.jobs == [job(tmp_path)]


async def test_the_fake_follows_its_script(tmp_path: Path, job: Job) -> None:
    scripted = pretend(job(tmp_path)).model_copy(update={"steps": 1})
    trainer = FakeTrainer([TrainerError("out of memory"), scripted])
    with pytest.raises(TrainerError, match="out of memory"):
        await trainer.train(job(tmp_path), 1)
    assert (await trainer.train(job(tmp_path), 1)).steps == 1


async def test_the_fake_can_be_held_until_the_time_is_up(tmp_path: Path, job: Job) -> None:
    trainer = FakeTrainer()
    trainer.let_go.clear()
    with pytest.raises(TrainerError, match="outlasted"):
        await trainer.train(job(tmp_path), 0.01)


async def test_the_fake_generates_what_it_is_told() -> None:
    trainer = FakeTrainer(answer=lambda turns, adapter: turns[-1].content.upper())
    question = spoken(Message(role="user", content="hello"))
    assert await trainer.generate([question], None, 4, 1) == ["HELLO"]
