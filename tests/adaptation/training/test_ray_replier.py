"""An actor beside whose base another process replies; without Ray and without a model."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from adaptation.conversation import spoken
from adaptation.learning.ray import actor
from adaptation.learning.ray.actor import Seat, TrainerActor
from adaptation.learning.training.chat import Template
from adaptation.learning.training.messages import Check, Done, Failed, Generate
from memory.types import Message
from tests.adaptation.training import light_replier
from tests.adaptation.training.light_replier import FOR_EVER
from tests.adaptation.training.light_worker import LightWorker

WAIT_S = 60.0


@pytest_asyncio.fixture
async def trainer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[TrainerActor]:
    monkeypatch.setattr(actor, "Worker", lambda inbox, options: LightWorker(inbox))
    seat = Seat(
        model="", template=Template(), threads=1, device="cpu", replier=light_replier.__name__
    )
    found = TrainerActor(seat)
    yield found
    assert found._reply_process is not None
    await found._reply_process._resident.close()


def asking(number: int, *questions: str) -> Generate:
    asked = tuple(spoken(Message(role="user", content=each)) for each in questions)
    return Generate(id=number, conversations=asked, adapter=None, max_new_tokens=4)


async def test_replies_are_the_other_process_s_and_keep_the_number_of_who_asked(
    trainer: TrainerActor,
) -> None:
    async with asyncio.timeout(WAIT_S):
        outcome = await trainer.ask(asking(7, "a", "b"))
        other = await trainer.ask(Check(id=8, conversations=()))
    assert isinstance(outcome.reply, Done)
    assert outcome.reply.id == 7
    assert outcome.reply.generated is not None
    assert outcome.reply.generated.texts == ("a", "b")
    assert outcome.step is not None
    assert outcome.step.id == 7
    assert other.reply == Done(id=8, obstacles=())


async def test_a_request_for_replies_that_is_given_up_ends_and_the_next_is_answered(
    trainer: TrainerActor,
) -> None:
    async with asyncio.timeout(WAIT_S):
        work = asyncio.create_task(trainer.ask(asking(1, FOR_EVER)))
        await trainer.steps()
        assert await trainer.cancel(1)
        assert (await work).reply == Failed(id=1, error="the job was cancelled")
        assert isinstance((await trainer.ask(asking(2, "a"))).reply, Done)


async def test_a_process_that_is_killed_is_told_as_lost(trainer: TrainerActor) -> None:
    async with asyncio.timeout(WAIT_S):
        work = asyncio.create_task(trainer.ask(asking(1, FOR_EVER)))
        await trainer.steps()
        assert trainer._reply_process is not None
        pid = trainer._reply_process._resident.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        told = "the offline engine process died (killed by SIGKILL)"
        assert (await work).reply == Failed(id=1, error=told, is_lost=True)
