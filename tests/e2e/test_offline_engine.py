"""Replies by vLLM's offline batches beside those of the trainer's own decoder, both real."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from adaptation.conversation import Conversation, spoken
from adaptation.errors import TrainerError
from adaptation.learning.distillation.replying import Replying
from adaptation.learning.training.adapter_files import CONFIG
from adaptation.learning.training.process import ProcessTrainer, ResidentTrainer
from adaptation.learning.training.trainer import Draw, Recipe, TrainingJob
from adaptation.pebble import model_path
from memory.types import Message
from server.jobs.kinds.distill import make_replier
from server.jobs.of_base import OfBase
from tests.adaptation.learning.generating import generation

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUESTIONS = (
    *("What is 12 + 30?", "What is 87 - 58?", "What is 9 * 7?", "What is 5 + 5 + 5?"),
    *("Hello", "Who are you?", "Name three colours.", "Count to five.", "Sort 3, 1, 2."),
    *("Tom has 12 apples. He buys 7 more. How many apples does Tom have?", "What is 8 + 46?"),
    "Is 7 prime?",
)
TIED = 1
"""Replies that may differ where two tokens are about as likely: bf16 products of other sizes round
otherwise."""
MOST, WAIT_S = 48, 300.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trainer() -> AsyncIterator[ProcessTrainer]:
    found = ProcessTrainer(model_path(), threads=1, device="cpu")
    yield found
    await found.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[ResidentTrainer]:
    found = make_replier(OfBase(model=str(model_path())), "cpu")
    yield found
    await found.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def adapter(trainer: ProcessTrainer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder of an adapter that answers every question otherwise than the base."""
    folder = tmp_path_factory.mktemp("adapter")
    answer = Message(role="assistant", content="The lamp is on.")
    learned = [Conversation(messages=(*each.messages, answer)) for each in asked()[::2]]
    recipe = Recipe(learning_rate=5e-3, steps=24, min_loss=0.0)
    job = TrainingJob(conversations=tuple(learned), recipe=recipe, output_dir=str(folder))
    await trainer.train(job, WAIT_S)
    return str(folder)


def asked() -> list[Conversation]:
    return [spoken(Message(role="user", content=each)) for each in QUESTIONS]


async def test_greedy_replies_are_those_of_the_trainer_s_own_decoder_under_an_adapter_too(
    trainer: ProcessTrainer, engine: ResidentTrainer, adapter: str
) -> None:
    said, told = [], list[int]()
    for folder in (None, adapter, None):
        own = await trainer.timed(asked(), folder, MOST, WAIT_S)
        found = await engine.timed(
            asked(), folder, MOST, WAIT_S, lambda done, total, loss: told.append(done)
        )
        pairs = zip(own.texts, found.texts, strict=True)
        assert sum(one != other for one, other in pairs) <= TIED
        said.append(found)
    assert told == [*range(1, len(QUESTIONS) + 1)] * 3
    base, adapted, again = said
    assert again.texts == base.texts, "nothing of an adapter is left"
    assert sum("lamp" in text for text in adapted.texts) > len(QUESTIONS) / 2
    assert not any("lamp" in text for text in base.texts)
    assert all(base.whole)


async def test_a_reply_that_is_cut_off_is_not_whole_and_one_that_ends_is(
    trainer: ProcessTrainer, engine: ResidentTrainer
) -> None:
    for most in (1, 3, MOST):
        own = await trainer.timed(asked()[:4], None, most, WAIT_S)
        found = await engine.timed(asked()[:4], None, most, WAIT_S)
        assert found.model_dump(exclude={"seconds"}) == own.model_dump(exclude={"seconds"})


async def test_draws_are_the_same_twice_and_go_on_where_earlier_ones_ended(
    engine: ResidentTrainer,
) -> None:
    async def drawn(times: int, **which: int) -> tuple[str, ...]:
        draw = Draw(temperature=2.0, **which)
        return (await engine.timed(asked() * times, None, MOST, WAIT_S, draw=draw)).texts

    n, four = len(QUESTIONS), await drawn(4, seed=3)
    assert await drawn(4, seed=3) == four
    assert len({*four}) > n
    for first in (0, 1):
        one = await drawn(1, seed=3, first=first)
        before = four[first * n : (first + 1) * n]
        assert sum(a != b for a, b in zip(one, before, strict=True)) <= TIED
    assert await drawn(4, seed=4) != four


async def test_what_cannot_be_asked_is_told_and_the_engine_lives_on(
    engine: ResidentTrainer, adapter: str, tmp_path: Path
) -> None:
    await engine.start()
    pid = engine.pid
    shutil.copytree(adapter, tmp_path / "broken")
    text = (tmp_path / "broken" / CONFIG).read_text()
    (tmp_path / "broken" / CONFIG).write_text(text.replace('"r": 8', '"r": 128'))
    for folder, why in ((tmp_path / "none", "holds no adapter"), (tmp_path / "broken", "rank")):
        with pytest.raises(TrainerError, match=why) as told:
            await engine.generate(asked(), str(folder), MOST, WAIT_S)
        assert told.type is TrainerError, "no engine was lost"
    long = spoken(Message(role="user", content="lamp " * 5_000))
    answered = await engine.timed([long, asked()[0]], None, MOST, WAIT_S)
    assert answered.texts[0] == "", "it is beyond the context"
    assert answered.whole == (False, True)
    with pytest.raises(TrainerError, match="outlasted its time"):
        await engine.generate(asked() * 200, None, MOST, 0.2, draw=Draw(temperature=1.5))
    assert await engine.generate(asked()[:1], None, MOST, WAIT_S) == [answered.texts[1]]
    with pytest.raises(TrainerError, match="replies, and does nothing else"):
        await engine.check(asked(), WAIT_S)
    assert engine.pid == pid


async def test_a_generation_decides_as_one_by_the_trainer_s_decoder(
    engine: ResidentTrainer, data_dir: Path, tmp_path: Path
) -> None:
    """Last: the generation ends both of its processes."""
    shutil.copytree(data_dir, tmp_path / "copy")
    alone = await generation(
        ProcessTrainer(model_path(), device="cpu", threads=1), tmp_path / "copy"
    )
    own = ProcessTrainer(model_path(), device="cpu", threads=1)
    by_vllm = await generation(Replying(own, engine), data_dir)
    print(by_vllm.told, alone.told)
    assert by_vllm.report.decision == alone.report.decision
    assert by_vllm.report.accuracy == alone.report.accuracy
    with pytest.raises(TrainerError, match="the offline engine is closed"):
        await engine.generate(asked(), None, MOST, WAIT_S)
