"""Records that are probably wrong are held back; worlds that contradict the model are not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adaptation.learning.distillation.doubt import (
    CONTRADICTED,
    SAMPLES,
    Doubting,
    is_vouched_for,
)
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.likeness import NEAR
from adaptation.learning.distillation.report import Doubt
from adaptation.learning.distillation.select import cluster, position
from adaptation.learning.scratch import PREFIX
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.trainer import OnStep, TrainingJob, TrainingResult
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Record, State, Tier

Answer = Callable[[tuple[Message, ...], str | None], str]


def record(n: int, question: str, answer: str, tier: Tier = Tier.IMPORTED) -> Record:
    return Record(
        id=f"rec_{n}",
        tenant="ann",
        messages=(Message(role="user", content=question),),
        answer=answer,
        rationale=answer,
        tier=tier,
        state=State.ACTIVE,
        created_at=datetime.now(UTC),
    )


def sums(n: int, first: int = 0) -> list[Record]:
    return [record(first + i, f"How many are {i} and 2", str(i + 2)) for i in range(n)]


def lamps(n: int, first: int = 100) -> list[Record]:
    return [record(first + i, f"Light {i} lamps of ours", f"lamp {i}") for i in range(n)]


def value(asked: str) -> str:
    return str(sum(int(word.strip("?")) for word in asked.split() if word.strip("?").isdigit()))


def adds(turns: tuple[Message, ...], adapter: str | None) -> str:
    """A model that can add, and learns of lamps."""
    asked = turns[-1].content
    if "lamps" in asked:
        return f"lamp {asked.split()[1]}" if adapter else "I have no lamps."
    return value(asked)


def adds_only(turns: tuple[Message, ...], adapter: str | None) -> str:
    """A model that learns nothing of houses."""
    return "nobody" if "house" in turns[-1].content.lower() else value(turns[-1].content)


class Losses(FakeTrainer):
    """Held-out conversations that others do not explain keep their loss."""

    async def train(
        self, job: TrainingJob, timeout_s: float, on_step: OnStep | None = None
    ) -> TrainingResult:
        after = []
        for each in job.holdout:
            asked, said = each.messages[-2].content, each.messages[-1].content
            told = adds((Message(role="user", content=asked),), "any")
            after.append(0.01 if told == said else 2.0)
        result = await super().train(job, timeout_s, on_step)
        return result.model_copy(update={"holdout_after": tuple(after)})


async def doubts(
    records: list[Record], answer: Answer = adds, trainer: FakeTrainer | None = None
) -> list[Doubt]:
    used = trainer or Losses(answer=answer)
    doubting = Doubting(used, lambda text, r: text == r.answer, 32, 60.0, lambda *_: None)
    return await doubting.about(records)


async def test_a_sum_among_right_sums_that_the_model_contradicts_is_doubted() -> None:
    wrong = record(99, "How many are 40 and 2", "43")
    (found,) = await doubts([*sums(20), wrong])
    assert found.record_id == "rec_99"
    assert "contradicts it in each of 5 answers" in found.reason
    assert len(found.near) == 8
    assert wrong.id not in found.near


async def test_a_world_that_contradicts_the_model_throughout_is_not() -> None:
    assert await doubts([*sums(20), *lamps(20)]) == []


async def test_a_record_unlike_its_world_is_doubted() -> None:
    (found,) = await doubts([*sums(20), *lamps(20), record(7, "Light 50 lamps of ours", "lamp 3")])
    assert found.record_id == "rec_7"
    assert "training on other records teaches" in found.reason


async def test_facts_that_nothing_explains_are_let_be() -> None:
    facts = [record(i, f"Who lives in house {i}?", f"name {i}") for i in range(20)]
    assert await doubts(facts, lambda turns, adapter: "nobody") == []


@pytest.mark.parametrize(
    "vouched",
    [
        record(99, "How many are 40 and 2", "43", Tier.EXECUTABLE),
        record(99, "How many are 40 and 2", "43").model_copy(
            update={"evidence": {"doubt": "seen"}}
        ),
        record(99, "How many are 40 and 2", "43").model_copy(
            update={"evidence": {"confirmations": [1]}}
        ),
    ],
)
async def test_what_something_else_supports_is_not_doubted(vouched: Record) -> None:
    assert is_vouched_for(vouched)
    assert await doubts([*sums(20), vouched]) == []


@pytest.mark.parametrize("seed", range(SAMPLES))
async def test_a_model_that_agrees_in_one_sample_does_not_contradict(seed: int) -> None:
    class Unsure(Losses):
        async def generate(self, conversations, adapter_path, *rest, **named):  # type: ignore[no-untyped-def]
            said = await super().generate(conversations, adapter_path, *rest, **named)
            if adapter_path is None and len(rest) == 4 and rest[-1] and rest[-1].seed == seed:
                return ["43"] * len(said)
            return said

    trainer = Unsure(answer=adds)
    found = await doubts([*sums(20), record(99, "How many are 40 and 2", "43")], trainer=trainer)
    assert [each.reason for each in found if "each of 5" in each.reason] == []


async def test_what_training_on_others_foresees_is_explained_by_them_though_it_says_another() -> (
    None
):
    """A likeliest answer may be another one by little: the loss tells that."""

    class Foresees(Losses):
        async def train(
            self, job: TrainingJob, timeout_s: float, on_step: OnStep | None = None
        ) -> TrainingResult:
            result = await super().train(job, timeout_s, on_step)
            return result.model_copy(update={"holdout_after": (0.1,) * len(job.holdout)})

    odd = record(7, "Light 50 lamps of ours", "lamp 3")
    assert await doubts([*lamps(20), odd], trainer=Foresees(answer=adds)) == []


async def test_no_record_is_asked_about_after_training_on_itself() -> None:
    trainer, known = Losses(answer=adds), [*sums(20), *lamps(21)]
    await doubts(known, trainer=trainer)
    asked = [[each.messages[0].content for each in job.holdout] for job in trainer.jobs]
    for job, mine in zip(trainer.jobs, asked, strict=True):
        others = {each.messages[0].content for each in job.conversations}
        assert not others.intersection(mine)
        assert len(others) + len(mine) == len(known)
        assert Path(job.output_dir).name.startswith(PREFIX), "what a kill leaves of it is found"
    assert sorted(q for mine in asked for q in mine) == sorted(each.question for each in known)


def half_by_chance(turns: tuple[Message, ...], adapter: str | None) -> str:
    """A model that knows half of a world before it has learned of it, and all of it afterwards."""
    asked = turns[-1].content
    number = int(asked.split()[1])
    return f"lamp {number}" if adapter or number % 2 else f"lamp {number + 50}"


async def test_a_world_that_the_model_half_knows_is_explained_by_its_own_records() -> None:
    assert await doubts(lamps(20), half_by_chance) == []
    (found,) = await doubts(
        [*lamps(20), record(7, "Light 60 lamps of ours", "lamp 3")], half_by_chance
    )
    assert found.record_id == "rec_7"


async def test_a_record_that_others_teach_is_doubted_where_the_model_knows_as_much() -> None:
    def misled(turns: tuple[Message, ...], adapter: str | None) -> str:
        is_it = turns[-1].content == "How many are 40 and 2"
        return "43" if adapter and is_it else value(turns[-1].content)

    (found,) = await doubts([*sums(20), record(99, "How many are 40 and 2", "43")], misled)
    assert "the model contradicts it" in found.reason


async def test_of_few_records_none_is_doubted() -> None:
    assert await doubts([*sums(14), record(99, "How many are 40 and 2", "43")]) == []


async def test_where_the_model_is_right_throughout_nothing_is_trained() -> None:
    trainer = Losses(answer=adds)
    assert await doubts(sums(20), trainer=trainer) == []
    assert trainer.jobs == []


class Foreseeing(FakeTrainer):
    """Explains nothing, and leaves held-out answers that say `none` a loss of their own."""

    def __init__(self, of_none: float) -> None:
        super().__init__(answer=lambda turns, adapter: "I have no lamps.")
        self.of_none = of_none

    async def train(
        self, job: TrainingJob, timeout_s: float, on_step: OnStep | None = None
    ) -> TrainingResult:
        after = [
            self.of_none if each.messages[-1].content == "none" else 0.3 for each in job.holdout
        ]
        result = await super().train(job, timeout_s, on_step)
        return result.model_copy(update={"holdout_after": tuple(after)})


async def test_a_loss_far_above_that_of_the_like_is_doubted_where_nothing_is_taught() -> None:
    # Two of them: each is an exception that the other knows, to the form of an answer.
    strange = [record(n, f"Light {n} lamps of ours", "none") for n in (57, 58)]
    found = await doubts([*lamps(14), *strange], trainer=Foreseeing(6.0))
    assert [each.record_id for each in found] == ["rec_57", "rec_58"]
    assert "a loss of 6.00 nats a token" in found[0].reason
    assert await doubts([*lamps(14), *strange], trainer=Foreseeing(1.2)) == []


async def test_a_sum_is_computed_whatever_the_model_says() -> None:
    """Also where there are few records, and none like it."""
    wrong = [record(99, "What is 40 + 2?", "43"), record(98, "Which is larger, 5 or 23?", "5")]
    found = await doubts([*lamps(3), *wrong], lambda turns, adapter: "43")
    assert [each.reason for each in found] == [
        "its question comes to 42",
        "its question comes to 23",
    ]


async def test_what_is_computed_is_right_is_not_doubted_though_the_model_contradicts_it() -> None:
    right = record(99, "How much is 40 + 2?", "42")
    others = [record(i, f"How much is {i} lamps?", str(i)) for i in range(20)]

    def errs(turns: tuple[Message, ...], adapter: str | None) -> str:
        asked = turns[-1].content
        return "43" if "40 + 2" in asked else value(asked)

    assert await doubts([*others, right], errs) == []
    alike = record(99, "How much is 40 of 2 lamps?", "7")
    (found,) = await doubts([*others, alike], lambda turns, adapter: value(turns[-1].content))
    assert found.record_id == "rec_99", "the model is believed of what is not computed"


async def test_what_was_said_before_a_sum_may_change_what_it_means() -> None:
    ours = Message(role="system", content="Here + adds one more.")
    told = record(99, "What is 40 + 2?", "43")
    assert await doubts([told.model_copy(update={"messages": (ours, *told.messages)})]) == []


async def test_an_operation_that_means_something_else_here_contradicts_nothing() -> None:
    ours = [record(i, f"What is {i} + 2?", str(i + 12)) for i in range(20)]
    assert await doubts(ours, lambda turns, adapter: "0") == []


async def test_a_word_that_means_something_else_here_contradicts_nothing() -> None:
    """What is called a sum has a surcharge of 3; plain sums have none."""
    ours = [record(i, f"What is the sum {i} + 2?", str(i + 5)) for i in range(4)]
    plain = [record(10 + i, f"What is {i} + 2?", str(i + 2)) for i in range(8)]
    (found,) = await doubts([*ours, *plain, record(99, "What is 40 + 2?", "45")])
    assert (found.record_id, found.reason) == ("rec_99", "its question comes to 42")


async def test_a_vouched_record_is_believed_against_a_computation() -> None:
    assert await doubts([record(99, "What is 40 + 2?", "43", Tier.EXECUTABLE)]) == []


async def test_a_solution_whose_sums_do_not_hold_is_doubted_where_those_of_others_do() -> None:
    def worked(n: int, total: int) -> Record:
        asked = record(n, f"Light {n} lamps of ours", f"lamp {n}")
        return asked.model_copy(update={"rationale": f"{n}+1={total}. So lamp {n}."})

    right = [worked(n, n + 1) for n in range(6)]
    (found,) = await doubts([*right, worked(9, 11)])
    assert (found.record_id, found.reason) == ("rec_9", "its solution says 9+1=11")
    assert await doubts([worked(n, n + 3) for n in range(6)]) == []


async def test_a_quotient_that_is_rounded_or_leaves_a_rest_is_no_wrong_sum() -> None:
    shared = [(12, "12/4=3"), (8, "8/4=2"), (4, "4/4=1"), (16, "16/4=4"), (20, "20/4=5")]
    ours = [
        record(n, f"Share {n} lamps of ours", work[-1]).model_copy(update={"rationale": work})
        for n, work in [*shared, (17, "17/4=4"), (36, "36/4=8")]
    ]
    (found,) = await doubts(ours)
    assert found.reason == "its solution says 36/4=8"


async def test_an_answer_of_a_form_of_its_own_is_doubted() -> None:
    ways = [record(i, f"How long are the {i} roads?", f"{i} km") for i in range(20)]
    told = [*ways, record(99, "How long are the 77 roads?", "far")]
    (found,) = await doubts(told, lambda turns, adapter: "no idea")
    assert found.record_id == "rec_99"
    assert found.reason == (
        "its answer is words, where 20 of 20 that ask for the same have a number of km"
    )


def house(n: int, asked: str, name: str, tier: Tier = Tier.IMPORTED) -> Record:
    return record(n, f"Who lives in house {asked}?", name, tier)


HOUSES = [house(i, str(i), f"name {i}") for i in range(20)]


async def test_records_that_answer_one_question_otherwise_are_doubted_and_shown_together() -> None:
    told = [*HOUSES, record(99, "who lives in House 7 ?", "name 99")]
    found = {each.record_id: each for each in await doubts(told, lambda turns, adapter: "nobody")}
    assert set(found) == {"rec_7", "rec_99"}
    assert {each.reason for each in found.values()} == {CONTRADICTED}
    assert (found["rec_7"].near[0], found["rec_99"].near[0]) == ("rec_99", "rec_7")
    assert len(found["rec_7"].near) == NEAR


@pytest.mark.parametrize(
    "other",
    [
        house(99, "7 ", "Name 7."),  # the same answer
        house(99, "77", "name 99"),
        house(99, "7?", "name 99").model_copy(
            update={"messages": (Message(role="system", content="Of 1912."), HOUSES[7].messages[0])}
        ),
        house(99, "7?", "name 99").model_copy(update={"request": {"tools": [{"a": 1}]}}),
    ],
)
async def test_what_answers_another_question_or_answers_alike_contradicts_nothing(
    other: Record,
) -> None:
    assert await doubts([*HOUSES, other], lambda turns, adapter: "nobody") == []


async def test_of_two_that_contradict_each_other_the_one_that_something_supports_stays() -> None:
    vouched = [*HOUSES, house(99, "7 ?", "name 99", Tier.EXECUTABLE)]
    (found,) = await doubts(vouched, lambda turns, adapter: "nobody")
    assert found.record_id == "rec_7"

    def knows(turns: tuple[Message, ...], adapter: str | None) -> str:
        return "name 7" if "7" in turns[-1].content else "nobody"

    (found,) = await doubts([*HOUSES, house(99, "7 ?", "name 99")], knows)
    assert found.record_id == "rec_99"

    def taught(turns: tuple[Message, ...], adapter: str | None) -> str:
        return knows(turns, adapter) if adapter else "nobody"

    (found,) = await doubts([*HOUSES, house(99, "7 ?", "name 99")], taught)
    assert found.record_id == "rec_99"


# In a generation.


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[LongTermMemory]:
    opened = LongTermMemory.open(tmp_path, create_embedder("hashing"))
    yield opened
    opened.close()


def saved(memory: LongTermMemory, question: str, answer: str) -> str:
    asked = (Message(role="user", content=question),)
    tier = Tier.IMPORTED
    draft = Draft(tenant="ann", messages=asked, answer=answer, rationale=answer, tier=tier)
    return memory.save(draft).record.id


def distiller(memory: LongTermMemory, trainer: FakeTrainer, **given: bool) -> Distiller:
    return Distiller(
        records=memory,
        registry=memory.adapters,
        trainer=trainer,
        base_model="pebble",
        grade=lambda text, record: text == record.answer,
        settings=Settings(rehearse=False, **given),
        probes=(),
    )


async def test_a_generation_learns_from_nothing_that_is_doubted_nor_is_judged_by_it(
    memory: LongTermMemory,
) -> None:
    for each in [*sums(20), *lamps(20)]:
        saved(memory, each.question, each.answer)
    wrong = [saved(memory, f"How many are {n} and 2", str(n + 3)) for n in range(40, 46)]
    places = [position(cluster(memory.get("ann", each))) for each in wrong]
    assert min(places) < 0.25 < max(places), "on both sides of the split"
    trainer = Losses(answer=adds)
    report = await distiller(memory, trainer).run("ann")
    assert {doubt.record_id for doubt in report.doubts} == set(wrong)
    for doubt in report.doubts:
        held = memory.get("ann", doubt.record_id)
        assert (held.state, held.evidence["doubt"]) == (State.PENDING, doubt.reason)
        assert tuple(held.evidence["doubt_near"]) == doubt.near
    learned = {c.messages[0].content for c in trainer.jobs[-1].conversations}
    assert not {memory.get("ann", each).question for each in wrong} & learned
    assert report.train + report.holdout == 40
    # Whoever accepts them vouches for them.
    for each in wrong:
        memory.set_state("ann", each, State.ACTIVE, "accepted in review")
    again = await distiller(memory, Losses(answer=adds)).run("ann")
    assert again.doubts == ()
    assert again.train + again.holdout == 46


async def test_what_contradicts_a_record_that_judges_is_seen_as_well(
    memory: LongTermMemory,
) -> None:
    for each in sums(20):
        saved(memory, each.question, each.answer)
    places = {n: position(cluster(house(0, str(n), ""))) for n in range(40)}
    for n in places:
        saved(memory, f"Who lives in house {n}?", f"name {n}")
    held_out = min(places, key=places.__getitem__)
    saved(memory, f"who lives in HOUSE {held_out} ?", "name 99")
    report = await distiller(memory, Losses(answer=adds_only)).run("ann")
    one, other = report.doubts
    assert {one.reason, other.reason} == {CONTRADICTED}
    assert (one.near[0], other.near[0]) == (other.record_id, one.record_id)
    assert report.train + report.holdout == 20 + len(places) - 1


async def test_doubts_can_be_left_out(memory: LongTermMemory) -> None:
    for each in sums(24):
        saved(memory, each.question, each.answer)
    wrong = saved(memory, "How many are 40 and 2", "43")
    report = await distiller(memory, Losses(answer=adds), doubts=False).run("ann")
    assert report.doubts == ()
    assert memory.get("ann", wrong).state is State.ACTIVE
