"""Generations that nobody watches, with a trainer that learns on paper: what is kept, and gone on
with.
"""

import asyncio
from contextlib import closing
from pathlib import Path

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import up_to
from adaptation.learning.distillation.settings import Settings
from adaptation.learning.training.fake import FakeTrainer
from loadtests.loop import picture
from loadtests.loop.generations import Loop, Plan
from loadtests.loop.place import Place
from loadtests.loop.sampling import Sampler
from loadtests.measure.loop import claims, runs_of
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.types import Message

FACTS = SUITES["facts"]
PLAN = Plan(
    generations=3, first=64, more=4, questions=4, everyday=1, world=507, seed=0,
    settings=Settings(doubts=False),
)  # fmt: skip
ANSWERS = {
    each.question: each.rationale
    for split in (Split.MEMORY, Split.DEVELOPMENT)
    for each in up_to(128, FACTS, split=split, seed=0, level=FACTS.default_level, world=507)
}


def knows(turns: tuple[Message, ...], adapter: str | None) -> str:
    question = turns[-1].content
    known = ANSWERS.get(question) if adapter else None
    return known or ("#### 0" if question in ANSWERS else "Hello! I am a model.")


def left_alone(folder: Path) -> tuple[Place, FakeTrainer]:
    """Do what is left of the plan, and return where it is kept, and the trainer of this part."""
    place, trainer = Place(folder), FakeTrainer(answer=knows)
    with closing(LongTermMemory.open(place.memory, create_embedder("hashing"))) as memory:
        sampler = Sampler(trainer, len, seed=0)
        loop = Loop(PLAN, place, memory, sampler, "fake", lambda phase, done, total: None)
        asyncio.run(loop.run(FACTS))
    return place, trainer


def test_a_run_is_promoted_halts_and_is_not_done_again(tmp_path: Path) -> None:
    place, trainer = left_alone(tmp_path / "run")
    assert len(trainer.jobs) >= 1
    found = place.generations
    assert [each.number for each in found] == [0, 1, 2, 3]
    assert found[1].decision == "promoted"
    assert {each.served for each in found[1:]} == {found[1].served}
    assert [each.version for each in place.asked] == ["base", found[1].served]

    runs = runs_of(found, place.asked)
    assert {claim.name: claim.met for claim in claims(runs, 0.7)}["facts: the target over "
        "generations"]  # fmt: skip
    picture.draw(runs, "fake", 0.7, tmp_path / "one.svg")
    picture.draw(runs, "fake", 0.7, tmp_path / "two.svg")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()

    again, idle = left_alone(tmp_path / "run")
    assert idle.jobs == []
    assert again.generations == found


def test_a_version_that_was_not_asked_yet_is_asked_when_the_run_goes_on(tmp_path: Path) -> None:
    place, _ = left_alone(tmp_path / "run")
    asked = place.folder / "asked.jsonl"
    whole = asked.read_bytes()
    asked.write_bytes(whole[: whole.index(b"\n") + 9])
    again, idle = left_alone(tmp_path / "run")
    assert idle.jobs == []
    assert asked.read_bytes() == whole
    assert len(again.asked) == 2
