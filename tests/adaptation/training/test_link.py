"""Whatever is cancelled or raised, and whenever: a job never receives what another's is."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptation.conversation import spoken
from adaptation.errors import TrainerError
from adaptation.learning.training.link import Link
from adaptation.learning.training.messages import REQUEST, Cancel, Done, Failed, Generate, Step
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.trainer import Generated
from memory.types import Message
from tests.adaptation.training.working import LIGHT_WORKER

STEPS = 3
ENDS = ["done", "failed", "cancelled", "late", "raises"]


class FakeWorker:
    """A process as `Link` sees it: answers one request after the other, as the real one does."""

    pid = 2**30
    """Of no process: Linux counts to 2**22."""
    returncode = None

    def __init__(self) -> None:
        self.stdin, self.stdout, self.stderr = self, asyncio.StreamReader(), asyncio.StreamReader()
        self._requests: asyncio.Queue[Generate] = asyncio.Queue()
        self._cancelled: set[int] = set()
        self._working = asyncio.create_task(self._work())

    def write(self, line: bytes) -> None:
        request = REQUEST.validate_json(line)
        if isinstance(request, Cancel):
            self._cancelled.add(request.id)
        elif isinstance(request, Generate):
            self._requests.put_nowait(request)

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def close(self) -> None:
        self._working.cancel()
        self.stdout.feed_eof()
        self.stderr.feed_eof()

    async def wait(self) -> int:
        return 0

    async def _work(self) -> None:
        while True:
            request = await self._requests.get()
            self._say(await self._answer(request))

    async def _answer(self, request: Generate) -> Done | Failed:
        said = request.conversations[0].messages[0].content
        for step in range(STEPS):
            await asyncio.sleep(0)
            if request.id in self._cancelled:
                return Failed(id=request.id, error="the job was cancelled")
            self._say(Step(id=request.id, done=step + 1, total=STEPS))
        return (
            Failed(id=request.id, error=said) if "failed" in said
            else Done(id=request.id, generated=wrote(said))
        )  # fmt: skip

    def _say(self, reply: Step | Done | Failed) -> None:
        self.stdout.feed_data(reply.model_dump_json().encode() + b"\n")


def wrote(*texts: str) -> Generated:
    return Generated(texts=texts, whole=(True,) * len(texts), tokens=len(texts), seconds=0.0)


class LinkToFake(Link):
    """Signals nothing: there is no process of its own behind it."""

    def kill(self, cause: str | None = None) -> None:
        """See above."""


class OopsError(Exception):
    """What a caller's own `on_step` raises."""


async def ask(trainer: ProcessTrainer, number: int, end: str, after: int) -> None:
    """One job that ends as it is told, `after` so many turns of the loop or steps."""
    said = f"{number} {end}"
    question = spoken(Message(role="user", content=said))
    steps = []

    def on_step(done: int, total: int, loss: float | None) -> None:
        steps.append(done)
        if end == "raises" and done > after % STEPS:
            raise OopsError

    timeout_s = 0.001 * after if end == "late" else 60.0
    asking = asyncio.create_task(trainer.generate([question], None, 1, timeout_s, on_step))
    if end == "cancelled":
        for _ in range(after):
            await asyncio.sleep(0)
        asking.cancel()
    try:
        assert await asking == [said]
    except asyncio.CancelledError:
        assert end == "cancelled"
    except OopsError:
        assert end == "raises"
    except TrainerError as failure:
        told = str(failure)
        assert told == said if end == "failed" else end == "late"
    assert steps == sorted(set(steps))  # of no other job


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(ENDS), st.integers(0, 12)), max_size=8), st.booleans())
async def test_no_job_receives_the_result_of_another(
    jobs: list[tuple[str, int]], at_once: bool
) -> None:
    link, trainer = await linked()
    asked = [(i, end, after) for i, (end, after) in enumerate([*jobs, ("done", 0)])]
    if at_once:
        await asyncio.gather(*(ask(trainer, *job) for job in asked))
    else:
        for job in asked:
            await ask(trainer, *job)
    assert trainer._resident._link is link
    link._process.stdin.close()  # type: ignore[union-attr]
    await trainer.close()


async def linked() -> tuple[Link, ProcessTrainer]:
    """A trainer at work with a fake of its process."""
    process: Any = FakeWorker()
    link, trainer = LinkToFake(process), ProcessTrainer("no model")
    trainer._resident._link = link
    return link, trainer


async def test_a_step_that_the_caller_cannot_bear_leaves_the_next_job_alone() -> None:
    link, trainer = await linked()
    await ask(trainer, 1, "raises", 0)
    await ask(trainer, 2, "done", 0)
    link._process.stdin.close()  # type: ignore[union-attr]
    await trainer.close()


async def test_a_link_knows_how_long_steps_take() -> None:
    worker: Any = FakeWorker()
    link = Link(worker)
    own = spoken(Message(role="user", content="own"))
    request = Generate(id=2, conversations=(own,), adapter=None, max_new_tokens=1)
    assert link.pace_s == 0.0
    await link.call(request, lambda step: None)
    assert link.pace_s < 0.15
    worker._working.cancel()  # it is slow from now on
    asked = asyncio.create_task(
        link.call(
            Generate(id=3, conversations=(), adapter=None, max_new_tokens=1), lambda step: None
        )
    )
    await asyncio.sleep(0.2)
    worker.stdout.feed_data(Done(id=3, generated=wrote()).model_dump_json().encode() + b"\n")
    await asked
    assert link.pace_s >= 0.15
    worker.close()


async def test_the_trainer_starts_in_a_folder_with_packages_named_like_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adaptation.learning.training.link.WORKER", LIGHT_WORKER)
    for evil in ("memory", "server", "adaptation"):
        (tmp_path / evil).mkdir()
        (tmp_path / evil / "__init__.py").write_text("raise SystemExit('the app was imported')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    trainer = ProcessTrainer(tmp_path, threads=1, device="cpu")
    await trainer.start()
    assert trainer.status == "ready"
    await trainer.close()


async def test_what_is_said_to_another_request_is_dropped() -> None:
    worker: Any = FakeWorker()
    link = Link(worker)
    worker.stdout.feed_data(
        Done(id=1, generated=wrote("another's")).model_dump_json().encode() + b"\n"
    )
    own = spoken(Message(role="user", content="own"))
    request = Generate(id=2, conversations=(own,), adapter=None, max_new_tokens=1)
    done = await link.call(request, lambda step: None)
    worker.close()
    assert done.generated == wrote("own")
