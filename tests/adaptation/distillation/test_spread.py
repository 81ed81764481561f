"""Work that is split over several who work at once: what comes of it is that of one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.conversation import Conversation, spoken
from adaptation.errors import TrainerError, TrainerLostError
from adaptation.learning.distillation import spread
from adaptation.learning.distillation.pieces import Pieces
from adaptation.learning.distillation.spread import LARGEST, Spread, shared_out
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.trainer import Draw, Recipe, TrainingJob
from memory.types import Message

LIMITS: Any = (8, 5.0)


def asked(*questions: str) -> list[Conversation]:
    return [spoken(Message(role="user", content=question)) for question in questions]


def echo(turns: tuple[Message, ...], adapter: str | None) -> str:
    return f"{turns[-1].content} under {'an adapter' if adapter else 'the base'}"


class Crew(FakeTrainer):
    """Says what it is asked; some of its pieces fail, as with a worker that is killed."""

    def __init__(self, lost: int = 0, failure: type[TrainerError] = TrainerLostError) -> None:
        super().__init__(answer=echo)
        self.asked: list[list[str]] = []
        self.at_once, self.most_at_once = 0, 0
        self.lost, self.failure = lost, failure

    async def generate(self, conversations: Sequence[Conversation], *how: Any) -> list[str]:
        self.asked.append([each.messages[-1].content for each in conversations])
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        if self.lost:
            self.lost -= 1
            raise self.failure("there is no reply")
        return await super().generate(conversations, *how)


async def test_replies_come_in_the_order_of_the_questions_by_as_many_as_there_are() -> None:
    crew, told = Crew(), list[tuple[int, int]]()
    three = Spread(crew, 3, Pieces(None))
    said = await three.timed(
        asked(*"abcdefg"), None, *LIMITS, lambda done, total, loss: told.append((done, total))
    )
    assert said.texts == tuple(f"{letter} under the base" for letter in "abcdefg")
    assert sorted(map(len, crew.asked)) == [2, 2, 3]
    assert crew.most_at_once == 3
    assert told[-1] == (7, 7)
    assert said.tokens == 4 * 7
    assert await three.timed([], None, *LIMITS) == await FakeTrainer().timed([], None, *LIMITS)


@given(st.lists(st.sampled_from("abcdef"), max_size=400), st.integers(1, 6))
def test_every_place_is_in_one_share_and_what_repeats_a_prompt_stays_together(
    questions: list[str], width: int
) -> None:
    shares = shared_out(asked(*questions), width)
    assert sorted(place for share in shares for place in share) == list(range(len(questions)))
    holders = [{questions[place] for place in share} for share in shares]
    assert sum(map(len, holders)) == len(set(questions))
    assert len(shares) <= max(width, -(-len(questions) // LARGEST))


async def test_a_piece_whose_worker_was_lost_is_asked_again() -> None:
    crew = Crew(lost=2)
    texts = await Spread(crew, 2, Pieces(None)).generate(asked("a", "b"), None, *LIMITS)
    assert texts == ["a under the base", "b under the base"]
    assert len(crew.asked) == 4


async def test_a_piece_that_breaks_every_worker_ends_the_stage(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spread, "PAUSES_S", (0.0, 0.0))
    crew = Crew(lost=99)
    with pytest.raises(TrainerError, match="no reply"):
        await Spread(crew, 1, Pieces(None)).generate(asked("a"), None, *LIMITS)
    assert len(crew.asked) == 3


async def test_a_piece_that_fails_by_itself_is_not_asked_again() -> None:
    crew = Crew(lost=1, failure=TrainerError)
    with pytest.raises(TrainerError, match="no reply"):
        await Spread(crew, 1, Pieces(None)).generate(asked("a"), None, *LIMITS)
    assert len(crew.asked) == 1


async def test_what_was_found_is_not_asked_again_by_whoever_goes_on(tmp_path: Path) -> None:
    kept, prompts = tmp_path / "pieces", asked(*"abcd")
    draw = Draw(temperature=0.8)
    first = Spread(Crew(), 2, Pieces(kept, ["base"]))
    said = await first.timed(prompts, None, *LIMITS, None, draw)
    crew = Crew()
    again = Spread(crew, 2, Pieces(kept, ["base"]))
    assert await again.timed(prompts, None, *LIMITS, None, draw) == said
    assert await again.measure(prompts, None, 8, 5.0) == await first.measure(prompts, None, 8, 5.0)
    assert await again.align(prompts, [0], 8, 5.0) == await first.align(prompts, [0], 8, 5.0)
    assert await again.check(prompts, 5.0) == [None] * 4
    assert not crew.asked
    await again.timed(prompts, None, *LIMITS, None, Draw(temperature=0.8, first=4))
    assert crew.asked, "another draw is another piece"
    other = Crew()
    await Spread(other, 2, Pieces(kept, ["another"])).timed(prompts, None, *LIMITS, None, draw)
    assert other.asked, "of another base nothing is taken"


async def test_a_training_that_was_done_is_not_done_again(tmp_path: Path) -> None:
    def job(name: str) -> TrainingJob:
        folder = tmp_path / name
        folder.mkdir()
        recipe = Recipe(steps=2)
        return TrainingJob(conversations=tuple(asked("a")), recipe=recipe, output_dir=str(folder))

    kept, one, two = tmp_path / "pieces", FakeTrainer(), FakeTrainer()
    first = await Spread(one, 2, Pieces(kept)).train(job("first"), 5.0)
    again = await Spread(two, 2, Pieces(kept)).train(job("again"), 5.0)
    assert again == first.model_copy(update={"path": str(tmp_path / "again")})
    assert len(one.jobs) == 1
    assert not two.jobs
    name = "adapter_model.safetensors"
    assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def damage(folder: Path) -> None:
    (file,) = folder.iterdir()
    file.write_text("{")


async def test_a_damaged_piece_is_asked_for_anew(tmp_path: Path) -> None:
    crew = Crew()
    one = Spread(crew, 1, Pieces(tmp_path))
    said = await one.generate(asked("a"), None, *LIMITS)
    damage(tmp_path)
    assert await one.generate(asked("a"), None, *LIMITS) == said
    assert len(crew.asked) == 2
