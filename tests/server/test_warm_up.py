"""The step that is timed at the start is as much work as a request's."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from adaptation.fake_engine import FakeEngine
from adaptation.learning.leases import AdapterLeases
from adaptation.learning.loaded import LoadedAdapters
from adaptation.learning.service.packing import n_rows
from adaptation.learning.training.chat import Chat, Template
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.sequences import to_example
from adaptation.learning.training.trainer import TrainingJob, TrainingResult
from adaptation.pebble import model_path
from adaptation.policy import Policy
from adaptation.services import Services
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from server.startup.warm_up import typical, warm_up


def test_examples_that_are_timed_share_little_of_their_tokens() -> None:
    chat = Chat(AutoTokenizer.from_pretrained(model_path()), Template())
    examples = [to_example(chat, typical(number), 2048) for number in range(16)]
    assert n_rows(examples) > 0.8 * sum(len(each.token_ids) for each in examples)


def test_conversations_that_are_timed_differ_where_the_question_begins() -> None:
    asked = [typical(number).messages[0].content for number in range(16)]
    assert len({question[:2] for question in asked}) == 16


class Slow(FakeTrainer):
    """Has not the time for a step."""

    async def train(self, job: TrainingJob, *rest: Any) -> TrainingResult:
        result = await super().train(job, *rest)
        return result.model_copy(update={"steps": 0, "seconds": 9.0})


@pytest.mark.parametrize(("trainer", "timed"), [(FakeTrainer(), True), (Slow(), False)])
async def test_a_step_that_could_not_be_taken_keeps_no_server_from_starting(
    trainer: FakeTrainer, timed: bool, data_dir: Path, tmp_path: Path
) -> None:
    engine, leases = FakeEngine(lambda query, draw: pytest.fail("no sample")), AdapterLeases(1)
    with closing(LongTermMemory.open(data_dir, create_embedder("hashing"))) as memory:
        loaded = LoadedAdapters(engine, leases)
        services = Services(engine, memory, trainer, leases, loaded, Policy())
        step_s = await warm_up(services, (1, 2, 3))
    assert (step_s is not None) == timed
    assert not any(job.recipe.min_loss for job in trainer.jobs), "a step is taken in any case"
    assert leases.free == 1
    leases.close()


class Steady(FakeTrainer):
    """Prepares for five seconds, and takes a quarter of a second for a step."""

    async def train(self, job: TrainingJob, *rest: Any) -> TrainingResult:
        result = await super().train(job, *rest)
        steps = job.recipe.steps
        return result.model_copy(update={"steps": steps, "seconds": 5.0 + 0.25 * steps})


async def test_what_a_step_takes_is_told_without_what_preparing_takes(data_dir: Path) -> None:
    engine, leases = FakeEngine(lambda query, draw: pytest.fail("no sample")), AdapterLeases(1)
    with closing(LongTermMemory.open(data_dir, create_embedder("hashing"))) as memory:
        loaded = LoadedAdapters(engine, leases)
        services = Services(engine, memory, Steady(), leases, loaded, Policy())
        assert await warm_up(services, (1, 2, 3)) == pytest.approx(0.25)
    leases.close()
