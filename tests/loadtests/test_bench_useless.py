"""Runs on coin tosses, with a trainer that learns on paper: what they come to, and gone on with."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path

from adaptation.learning.training.fake import FakeTrainer
from loadtests.bench_useless import Plan, Useless, claims, coin_tosses, tenant_of
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.types import Message
from memory.versions.judgements import Judgement

PLAN = Plan(runs=2, generations=2, first=48, more=8)


def names_the_first(turns: tuple[Message, ...], adapter: str | None) -> str:
    first, _, _ = turns[-1].content.removeprefix("Which number is right, ").partition(" or ")
    return f"#### {first}"


def gone_on(folder: Path) -> tuple[FakeTrainer, list[list[Judgement]]]:
    """Do what is left of the plan; return the trainer of this part, and the judgements of all."""
    trainer = FakeTrainer(answer=names_the_first)
    with closing(LongTermMemory.open(folder, create_embedder("hashing"))) as memory:
        runs = Useless(PLAN, memory, trainer, "fake")
        asyncio.run(runs.run())
        return trainer, [list(runs.judged(number)) for number in range(PLAN.runs)]


def test_runs_are_judged_to_their_end_and_not_done_again(tmp_path: Path) -> None:
    trainer, found = gone_on(tmp_path)
    assert len(trainer.jobs) == PLAN.runs * PLAN.generations
    assert [len(run) for run in found] == [PLAN.generations] * PLAN.runs
    assert not any(each.promoted for run in found for each in run)
    rights = [each.before for run in found for each in run]
    assert all(0 < right < 1 for right in rights), "a coin is guessed now and then"
    idle, again = gone_on(tmp_path)
    assert idle.jobs == []
    assert again == found


def test_memory_grows_and_every_run_has_coins_of_its_own() -> None:
    few, more = (coin_tosses("t", 3, count) for count in (16, 64))
    assert more[:16] == few
    assert len({draft.messages[0].content for draft in more}) == 64
    for draft in more:
        assert draft.answer in draft.messages[0].content
    assert coin_tosses("t", 4, 16) != few


def judged(number: int, *, promoted: bool = False, e_value: float = 0.5) -> Judgement:
    return Judgement(
        tenant=tenant_of(number), base_model="fake", adapter_id="ad_1", promoted=promoted,
        alpha=0.025, e_value=e_value, helped=0, hurt=0, before=0.5, after=0.5, train=48,
        seconds=1.0, record_ids=("rec_1",),
    )  # fmt: skip


def test_one_false_promotion_in_twenty_runs_is_allowed_and_two_are_not() -> None:
    clean = [[judged(n), judged(n, e_value=50.0)] for n in range(19)]
    false = [judged(19), judged(19, promoted=True, e_value=50.0)]
    (once,) = claims([*clean, false], 2)
    assert once.met
    assert once.found[0].startswith("1 of 20")
    assert once.found[1].startswith("20 "), "where no guard had objected"
    (twice,) = claims([*clean[:18], false, false], 2)
    assert not twice.met
    assert claims([[judged(0)]], 2) == [], "a run that is under way says nothing"
