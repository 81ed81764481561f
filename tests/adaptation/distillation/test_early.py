"""What is served is asked while a candidate is trained, where others than the trainer are free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adaptation.conversation import Conversation
from adaptation.errors import DistillationError, TrainerError
from adaptation.learning.distillation.asking import Asking
from adaptation.learning.distillation.at_once import at_once
from adaptation.learning.distillation.early import Early
from adaptation.learning.distillation.far import far_probes
from adaptation.learning.distillation.generation import Distiller
from adaptation.learning.distillation.near import NearProbe
from adaptation.learning.distillation.pieces import Pieces
from adaptation.learning.distillation.replay import PROMPTS
from adaptation.learning.distillation.report import GenerationReport
from adaptation.learning.distillation.sampling import K
from adaptation.learning.distillation.select import Records
from adaptation.learning.distillation.settings import Settings
from adaptation.learning.distillation.spread import Spread
from adaptation.learning.distillation.vetting import Kinds, Vetting
from adaptation.learning.training.fake import FakeTrainer, write_zeros
from adaptation.learning.training.trainer import GeneratingTrainer, TrainingJob, TrainingResult
from memory.types import Message, Record
from memory.versions.adapters import AdapterRegistry

QUICK = Settings(doubts=False, scores=False)
FAR = {probe.question for probe in far_probes()}
ONCE_AND_SAMPLED = 1 + K
Run = Callable[..., Any]


def learns(turns: tuple[Message, ...], adapter: str | None) -> str:
    number = turns[-1].content.split()[2:3]
    return str(int(number[0]) + 5) if adapter and "lamp" in turns[-1].content else "Hello!"


class Watched(FakeTrainer):
    """Notes what is asked while it trains, and may train until all far guards were asked."""

    def __init__(self, answer: Any = learns, breaks: str = "", *, waits: bool = False) -> None:
        super().__init__(answer=answer)
        self.breaks, self.waits = breaks, waits
        self.is_training = False
        self.meanwhile: list[str] = []
        self.under: set[str | None] = set()

    async def train(self, *job: Any, **options: Any) -> TrainingResult:
        self.is_training = True
        async with asyncio.timeout(30):
            while self.waits and ONCE_AND_SAMPLED not in self.counts:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        self.is_training = False
        return await super().train(*job, **options)

    @property
    def counts(self) -> list[int]:
        """How often each far guard was asked meanwhile."""
        return [self.meanwhile.count(question) for question in FAR]

    async def generate(
        self,
        conversations: Sequence[Conversation],
        adapter_path: str | None,
        *how: Any,
        **draw: Any,
    ) -> list[str]:
        asked = [each.messages[-1].content for each in conversations]
        if self.is_training:
            self.meanwhile += asked
            self.under.add(adapter_path)
        if self.breaks in asked:
            raise TrainerError("the guard broke it")
        return await super().generate(conversations, adapter_path, *how, **draw)


@pytest.fixture
def run(
    record: Callable[..., Record],
    records: Callable[[list[Record]], Records],
    registry: AdapterRegistry,
) -> Run:
    async def found(
        trainer: GeneratingTrainer, base: str = "fake", settings: Settings = QUICK
    ) -> GenerationReport:
        memory = records([record(i) for i in range(64)])
        grade = lambda text, one: bool(text == one.answer)  # noqa: E731
        return await Distiller(memory, registry, trainer, base, grade, settings).run("default")

    return found


async def test_what_is_served_is_asked_meanwhile_and_the_outcome_is_that_of_one(run: Run) -> None:
    alone, crew = Watched(), Watched(waits=True)
    one = await run(alone)
    three = await run(Spread(crew, 3, Pieces(None)), "another base")
    assert one.decision == three.decision == "promoted"
    assert (one.guards, one.near_guards, one.sampled) == (
        three.guards,
        three.near_guards,
        three.sampled,
    )
    assert alone.meanwhile == [], "one worker trains"
    assert crew.under == {None}, "a candidate that is not there yet is not asked"
    assert set(crew.counts) == {1, ONCE_AND_SAMPLED}, "all greedily, and some by sixteen samples"


async def test_the_base_says_what_is_rehearsed_while_doubt_trains_on_halves(run: Run) -> None:
    asked = asyncio.Event()

    class Halves(FakeTrainer):
        async def train(self, job: TrainingJob, *how: Any, **more: Any) -> TrainingResult:
            if job.holdout:
                async with asyncio.timeout(30):
                    await asked.wait()
            return await super().train(job, *how, **more)

        async def generate(
            self, conversations: Sequence[Conversation], *how: Any, **draw: Any
        ) -> list[str]:
            if conversations[0].messages[-1].content == PROMPTS[0]:
                asked.set()
            return await super().generate(conversations, *how, **draw)

    crew = Halves(answer=learns)
    report = await run(Spread(crew, 3, Pieces(None)), settings=Settings(scores=False))
    assert report.decision == "promoted"
    assert sum(bool(job.holdout) for job in crew.jobs) == 2
    assert len(crew.jobs[-1].conversations) > report.train, "what was said is rehearsed"


@pytest.mark.parametrize("width", [1, 3])
async def test_what_speaks_against_a_candidate_first_is_all_that_is_told_of_it(
    width: int, tmp_path: Path
) -> None:
    def forgets(turns: tuple[Message, ...], adapter: str | None) -> str:
        return "2" if adapter else "1"

    async def draw(seed: int) -> list[NearProbe]:
        return [NearProbe(f"What is {n} - {n - 1}?", "1", "sums with -") for n in range(40)]

    write_zeros(tmp_path, 1)
    crew = Watched(forgets)
    trainer = Spread(crew, width, Pieces(None)) if width > 1 else crew
    asking = Asking(trainer, QUICK, lambda phase, done, total: None)
    async with Vetting(asking, lambda *_: False, draw, far_probes(), (), None) as vetting:
        vetting.begin()
        found = await vetting.of(str(tmp_path))
    assert found.near is not None
    assert len(found.near.outcome.lost) == 40
    assert found.far is found.sampled is None
    assert len(found.objections) == 1


async def test_what_is_asked_meanwhile_leaves_a_worker_to_the_training() -> None:
    class Crew(FakeTrainer):
        under_way = most = 0

        async def generate(self, conversations: Any, *how: Any) -> list[str]:
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await asyncio.sleep(0)
            self.under_way -= 1
            return await super().generate(conversations, *how)

    crew = Crew()
    three = Spread(crew, 3, Pieces(None))
    asides = [three.beside(), three.beside()]
    prompts = [Conversation(messages=(Message(role="user", content=f"{n}"),)) for n in range(9)]
    await asyncio.gather(
        *(aside.generate([each], None, 8, 5.0) for aside in asides if aside for each in prompts)
    )
    assert crew.most == 2
    assert Spread(crew, 1, Pieces(None)).beside() is None


async def test_what_breaks_meanwhile_breaks_the_generation_only_where_it_is_needed(
    run: Run,
) -> None:
    question = sorted(FAR)[0]
    idle = await run(Spread(Watched(lambda *_: "Hello!", breaks=question), 3, Pieces(None)))
    assert idle.decision == "rejected", "it has learned nothing, and no guard is needed"
    with pytest.raises(DistillationError, match="the guard broke it"):
        await run(Spread(Watched(breaks=question), 3, Pieces(None)))


async def test_what_nobody_came_for_is_given_up() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def never() -> None:
        try:
            begun.set()
            await asyncio.Future()
        finally:
            ended.set()

    early = Early(never)
    await early.end()
    assert not begun.is_set(), "what was not begun is not begun to end it"
    early.begin()
    await begun.wait()
    await early.end()
    assert ended.is_set()


async def test_what_is_given_up_of_several_leaves_its_turn_to_none_of_them() -> None:
    turn, begun = asyncio.Semaphore(1), list[str]()
    is_held = asyncio.Event()

    async def asks(kind: str) -> None:
        async with turn:
            begun.append(kind)
            is_held.set()
            await asyncio.Future()

    near, far, sampled = (Early(partial(asks, kind)) for kind in ("near", "far", "sampled"))
    async with Kinds(near, far, sampled) as kinds:
        kinds.begin()
        await is_held.wait()
    assert begun == ["sampled"]


async def test_of_what_is_asked_at_once_nothing_goes_on_where_one_fails() -> None:
    ended = asyncio.Event()

    async def waits() -> int:
        try:
            return await asyncio.Future()
        finally:
            ended.set()

    async def fails() -> int:
        await asyncio.sleep(0)  # the other has begun by then
        raise TrainerError("it broke")

    with pytest.raises(TrainerError, match="it broke"):
        await at_once([waits(), fails()])
    assert ended.is_set()
