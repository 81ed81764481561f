"""A generation that aims at a suite: what it learns from first, and what it is judged by."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from adaptation.errors import DistillationError
from adaptation.evaluation.suites import SuiteError, suite_named
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split, split_of
from adaptation.learning.candidates.scoring import by_wording
from adaptation.learning.distillation.budget import MOST_USES
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.registry import JudgementList
from adaptation.learning.distillation.select import Records, Selection, select
from adaptation.learning.distillation.target import Target, hard_enough, target_named
from adaptation.learning.training.fake import FakeTrainer
from memory.types import Message, Record
from memory.versions.adapters import AdapterRegistry
from memory.versions.judgements import Judgement

Make = Callable[..., Record]
Memory = Callable[[list[Record]], Records]
NAME = "house_rules/507"


@pytest.fixture(scope="module")
def target() -> Target:
    return target_named(NAME)


def never(text: str, record: Record) -> bool:
    """Grade the tenant's own records."""
    return False


def learns(target: Target) -> Callable[[tuple[Message, ...], str | None], str]:
    """Return a model whose every adapter knows the target, and whose base knows only manners."""
    known = {each.question: each.rationale for each in target.problems.values()}

    def answer(conversation: tuple[Message, ...], adapter: str | None) -> str:
        asked = conversation[-1].content
        return known.get(asked, "Hello! I am a model.") if adapter else "Hello! I am a model."

    return answer


def of_world(record: Make, count: int) -> list[Record]:
    suite = suite_named("house_rules")
    drawn = suite.problems(count, split=Split.MEMORY, seed=0, level=1, world=507)
    return [_record(record, number, each) for number, each in enumerate(drawn)]


def _record(record: Make, number: int, solved: Solved) -> Record:
    asked = (Message(role="user", content=solved.question),)
    said = {"answer": solved.answer, "rationale": solved.rationale, "task": solved.task}
    return record(number, id=f"rec_of_world_{number}", messages=asked, **said)


@pytest.fixture
def memory(record: Make, records: Memory) -> Records:
    return records([record(i) for i in range(40)] + of_world(record, 40))


def test_a_target_asks_development_questions_only(target: Target) -> None:
    assert len(target.problems) > 50
    for each in target.questions("ann"):
        assert split_of(each.question) is Split.DEVELOPMENT, "whet eval measures by others"
        assert (each.tenant, each.task) == ("ann", NAME)
    assert list(target.problems) == list(target_named(NAME).problems), "the same every time"


def test_without_a_world_the_worlds_of_development_are_meant() -> None:
    tasks = {each.task for each in target_named("jargon", most=60).problems.values()}
    assert tasks == {f"jargon/{world}" for world in range(500, 506)}
    assert {each.task for each in target_named("stories", most=8).problems.values()} == {"stories"}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("house_rule", "there are stories, .*house_rules"),
        ("", "there are stories"),
        ("house_rules/", "is no world"),
        ("house_rules/1000", "below 1000"),
        ("house_rules/٣", "is no world"),
        ("stories/3", "has no worlds"),
        ("rg:../x", "is no family"),
    ],
)
def test_what_is_no_target_is_refused_with_what_there_is(name: str, said: str) -> None:
    with pytest.raises(SuiteError, match=said):
        target_named(name)


def test_questions_that_a_record_asks_or_that_judged_too_often_do_not_judge(
    target: Target, record: Make
) -> None:
    questions = target.questions("default")
    learned = record(1, messages=(Message(role="user", content=f" {questions[0].question} "),))
    uses = {questions[1].id: MOST_USES, questions[2].id: 1}
    found = target.fresh("default", [learned], uses, {questions[3].id})
    assert {each.id for each in questions} - {each.id for each in found} == {
        questions[place].id for place in (0, 1, 3)
    }
    assert found[-1].id == questions[2].id, "the least used judge first"


def test_replies_are_judged_by_the_suite_and_other_records_as_ever(
    target: Target, record: Make
) -> None:
    right = target.grading(lambda text, record: text == "mine")
    question = target.questions("default")[0]
    assert right(question.rationale, question)
    assert right(f"#### {question.answer}.00", question)
    assert not right("mine", question)
    assert right("mine", record(1))


def test_what_is_near_the_target_is_selected_first(target: Target, memory: Records) -> None:
    few = Selection(max_train=16)

    def near(some: object) -> list[float]:
        return target.nearness(some, by_wording)  # type: ignore[arg-type]

    assert any("lamp" in each.question for each in select(memory, "default", few).train)
    chosen = select(memory, "default", few, near=near)
    assert {each.task for each in chosen.train} == {NAME}
    assert chosen.holdout == select(memory, "default", few).holdout, "held out as ever"


async def test_development_questions_of_the_target_judge_and_the_report_says_so(
    target: Target, memory: Records, registry: AdapterRegistry
) -> None:
    trainer, kept = FakeTrainer(answer=learns(target)), JudgementList()
    known = (memory, registry, trainer, "fake", never, Settings(doubts=False))
    report = await Distiller(*known, judgements=kept, target=target).run("default")
    assert report.decision == "promoted", report.reasons
    assert report.target is not None
    assert (report.target.name, report.target.level) == (NAME, target.level)
    assert report.target.questions == report.holdout
    assert report.target.asked == report.asked
    assert report.target.right == report.accuracy
    assert report.accuracy is not None
    assert (report.accuracy.base, report.accuracy.candidate) == (0.0, 1.0)
    (judgement,) = kept.kept
    assert set(judgement.record_ids) <= set(target.problems), "the budget counts each question"
    assert registry.show("default", report.adapter or "").metrics["target"]["name"] == NAME
    trained = {each.messages[0].content for each in trainer.jobs[-1].conversations}
    assert not trained & {each.question for each in target.questions("default")}
    held = select(memory, "default", Selection()).holdout
    assert not trained & {each.question for each in held}, "what was held out stays held out"


def judged(target: Target, before: float, asked: int | None = None) -> Judgement:
    return Judgement(
        tenant="default",
        base_model="fake",
        adapter_id="ad_1",
        promoted=True,
        alpha=0.05,
        e_value=1.0,
        helped=0,
        hurt=0,
        before=before,
        after=before,
        train=1,
        seconds=1.0,
        record_ids=tuple(target.problems)[:asked],
    )


def test_a_target_that_is_nearly_all_answered_is_drawn_harder_as_long_as_there_is_harder(
    target: Target,
) -> None:
    second = hard_enough(target, [judged(target, 0.97, 32)])
    assert (target.level, second.level) == (1, 2)
    assert not second.problems.keys() & target.problems.keys(), "other questions"
    assert all(split_of(each.question) is Split.DEVELOPMENT for each in second.problems.values())
    assert hard_enough(target, []) is target
    assert hard_enough(target, [judged(target, 0.9, 32)]) is target
    assert hard_enough(target, [judged(second, 0.97, 32)]) is target, "of other questions"
    all_answered = [judged(each, 1.0, 32) for each in (target, second, target_named(NAME, 3))]
    assert hard_enough(target, all_answered).level == 3 == target.suite.levels[-1]
    assert hard_enough(target, [*all_answered[:2], judged(second, 0.1, 32)]).level == 3


async def test_a_target_that_has_judged_too_often_is_an_error_before_anything_is_trained(
    target: Target, memory: Records, registry: AdapterRegistry
) -> None:
    one = judged(target, before=0.0)
    trainer, spent = FakeTrainer(answer=learns(target)), JudgementList([one] * MOST_USES)
    run = Distiller(
        memory, registry, trainer, "fake", never, Settings(), judgements=spent, target=target
    )
    with pytest.raises(DistillationError, match=f"0 of .* questions of {NAME} may judge"):
        await run.run("default")
    assert not trainer.jobs


async def test_a_dry_run_says_what_would_judge(
    target: Target, memory: Records, registry: AdapterRegistry
) -> None:
    trainer = FakeTrainer()
    known = (memory, registry, trainer, "fake", never, Settings(dry_run=True))
    report = await Distiller(*known, target=target).run("default")
    assert report.target is not None
    assert report.target.questions == report.holdout > 0
    assert report.target.right is None
    assert not trainer.jobs


def test_questions_that_come_with_tools_are_asked_with_them() -> None:
    found = target_named("tool_calls", most=8)
    assert all(each.request["tools"] for each in found.questions("ann"))
    right = found.grading(never)
    assert all(right(each.rationale, each) for each in found.questions("ann"))
    vectors = found.nearness(found.questions("ann"), by_wording)
    assert np.allclose(vectors, 1.0, atol=1e-5)
