"""Generations of one run: what is kept of each, and what the next makes of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from adaptation.errors import DistillationError
from adaptation.learning.distillation.budget import MOST_USES
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.registry import JudgementList
from adaptation.learning.distillation.select import Records, Selection, reselect, select
from adaptation.learning.training.fake import FakeTrainer
from memory.types import Message, Record
from memory.versions.adapters import AdapterRegistry
from memory.versions.judgements import Judgement

Make = Callable[..., Record]
Memory = Callable[[list[Record]], Records]


def solves(conversation: tuple[Message, ...], adapter: str | None) -> str:
    """A model whose adapters know the rule, and think that every sum is 7."""
    asked = conversation[-1].content
    if "lamp" in asked:
        return f"#### {int(asked.split()[2]) + 5}" if adapter else "#### 0"
    if found := re.fullmatch(r"What is (\d+) ([-+*]) (\d+)\?", asked):
        a, b = int(found[1]), int(found[3])
        return "#### 7" if adapter else f"#### {({'+': a + b, '-': a - b, '*': a * b})[found[2]]}"
    return "Hello! I am a model."


def distiller(
    memory: Records, registry: AdapterRegistry, trainer: FakeTrainer, kept: JudgementList
) -> Distiller:
    return Distiller(
        memory,
        registry,
        trainer,
        "fake",
        lambda text, record: text.rpartition("#### ")[2] == record.answer,
        Settings(doubts=False),
        judgements=kept,
    )


class KilledError(BaseException):
    """The process ends here."""


class Killing(JudgementList):
    """Where nothing is kept any more."""

    def add(self, new: Judgement) -> None:
        raise KilledError


@pytest.fixture
def memory(record: Make, records: Memory) -> Records:
    return records([record(i) for i in range(64)])


async def test_lost_sums_near_what_was_learned_veto_a_gain_and_the_stake_is_spent(
    memory: Records, registry: AdapterRegistry
) -> None:
    kept = JudgementList()
    report = await distiller(memory, registry, FakeTrainer(answer=solves), kept).run("default")
    assert report.decision == "rejected"
    assert "sums with +" in report.reasons[0]
    assert report.near_guards is not None
    assert report.guards is None, "the far ones need not be asked any more"
    (judged,) = kept.kept
    assert (judged.promoted, judged.adapter_id) == (False, report.adapter)
    assert len(judged.record_ids) == report.asked == report.holdout
    again = distiller(memory, registry, FakeTrainer(answer=solves), kept)
    second = await again.run("default")
    assert second.budget is not None
    assert report.budget is not None
    assert second.budget.spent == 1
    assert second.budget.alpha < report.budget.alpha
    assert [alarm.monitor for alarm in second.alarms] == ["returns"]
    with pytest.raises(DistillationError, match="--anyway"):
        await again.run("default")
    insisting = replace(again, settings=Settings(doubts=False, anyway=True))
    third = await insisting.run("default")
    assert third.budget is not None
    assert third.budget.spent == 2


def test_the_least_used_judge_first_and_the_used_up_are_trained_on(memory: Records) -> None:
    first = select(memory, "default", Selection())
    tired, spent = first.holdout[0].id, first.holdout[1].id
    second = select(memory, "default", Selection(), {tired: 1, spent: MOST_USES})
    assert second.holdout[-1].id == tired
    assert spent in {record.id for record in second.train}
    assert spent not in {record.id for record in second.holdout}


def test_what_the_champion_has_learned_judges_no_successor(memory: Records) -> None:
    first = select(memory, "default", Selection())
    learned = {record.id for record in first.train}
    used = {record.id: MOST_USES for record in first.holdout[:2]}
    second = select(memory, "default", Selection(), used, learned)
    assert {record.id for record in second.holdout} == {r.id for r in first.holdout[2:]}
    all_used = {record.id: MOST_USES for record in first.holdout}
    with pytest.raises(DistillationError, match="judges at most 10 generations"):
        select(memory, "default", Selection(), all_used, learned)


async def test_what_a_killed_process_found_is_held_against_the_budget_of_the_next(
    memory: Records, registry: AdapterRegistry
) -> None:
    with pytest.raises(KilledError):
        await distiller(memory, registry, FakeTrainer(answer=solves), Killing()).run("default")
    (version,) = registry.list("default")
    kept = JudgementList()
    following = distiller(memory, registry, FakeTrainer(answer=solves), kept)
    history = await following.history("default")
    assert history.spent == 1
    (judged,) = kept.kept
    assert (judged.promoted, judged.adapter_id) == (False, version.id)
    assert len(judged.record_ids) == version.metrics["asked"]
    assert (await following.history("default")).judged == history.judged, "it is noted once"
    chosen = following.kept.selections("default", "fake")
    assert [each.adapter_id for each in chosen] == [version.id]


async def test_what_is_held_out_beside_those_that_judge_is_so_again_where_it_is_rebuilt(
    record: Make, records: Memory, registry: AdapterRegistry
) -> None:
    """A near guard would ask it otherwise, in the rebuilt generation alone."""
    asked = [(Message(role="user", content=f"what is {i} LAMP 5 ?"),) for i in range(64)]
    again = [record(i, id=f"rec_again_{i}", messages=asked[i]) for i in range(64)]
    memory = records([*(record(i) for i in range(64)), *again])
    await distiller(memory, registry, FakeTrainer(answer=solves), JudgementList()).run("default")
    (version,) = registry.list("default")
    first = select(memory, "default", Selection())
    rebuilt = reselect(memory, "default", version, Selection())
    assert len(first.aside) == len(first.holdout)
    assert {each.id for each in rebuilt.holdout} == {each.id for each in first.holdout}
    assert {each.id for each in rebuilt.aside} == {each.id for each in first.aside}
