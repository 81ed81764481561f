"""A student learns what its teacher's generation would learn from, and is held against it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adaptation.conversation import Conversation
from adaptation.errors import DistillationError, TrainerError
from adaptation.learning.candidates.kept import Kept, KeptHere
from adaptation.learning.distillation import student as driver
from adaptation.learning.distillation.comparison import Extent, StudentReport
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.select import JUDGED_BY, Records, Selection
from adaptation.learning.distillation.student import Side, Teaching
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.trainer import Recipe
from memory.types import AdapterVersion, Message, Record, Tier
from memory.versions.adapters import AdapterRegistry
from tests.adaptation.distillation.conftest import RecordList
from tests.adaptation.training.conftest import make_model, make_tokenizer

Make = Callable[..., Record]
Memory = Callable[[list[Record]], Records]
TEACHER, STUDENT = Extent(parameters=1_000, bytes=2_000), Extent(parameters=100, bytes=200)
OF_ADAPTER = Extent(parameters=10, bytes=20)


def extent_of(of: str) -> Extent:
    return {"large": TEACHER, "small": STUDENT}.get(of, OF_ADAPTER)


def grade(text: str, record: Record) -> bool:
    return text.rpartition("#### ")[2] == record.answer


def solves(conversation: tuple[Message, ...], adapter: str | None) -> str:
    """A base that knows manners alone; every adapter on it knows the rule."""
    asked = conversation[-1].content
    if "lamp" not in asked:
        return "Hello! I am a model."
    return f"#### {int(asked.split()[2]) + 5}" if adapter else "#### 0"


def knows_some(
    every: int,
) -> Callable[[tuple[Message, ...], str | None], str]:
    """Return a teacher that is right about one number of so many."""

    def answer(conversation: tuple[Message, ...], adapter: str | None) -> str:
        asked = conversation[-1].content
        number = int(asked.split()[2]) if "lamp" in asked else 1
        return solves(conversation, adapter or ("" if number % every else "any"))

    return answer


class Seen(FakeTrainer):
    """Says in `log` when it is first used and when it is closed."""

    def __init__(self, name: str, log: list[str], **script: object) -> None:
        super().__init__(**script)  # type: ignore[arg-type]
        self.name, self.log = name, log

    async def start(self) -> None:
        self.log.append(f"{self.name} starts")

    async def close(self) -> None:
        self.log.append(f"{self.name} ends")


def side(
    records: Records,
    registry: AdapterRegistry,
    name: str,
    trainer: FakeTrainer | ProcessTrainer,
    settings: Settings | None = None,
    kept: Kept | None = None,
) -> Side:
    how = settings or Settings()
    made = Distiller(records, registry, trainer, name, grade, how, kept=kept or KeptHere())
    return Side(made, name)


def teaching(
    records: Records,
    registry: AdapterRegistry,
    student: FakeTrainer,
    teacher: FakeTrainer | None = None,
    **changes: object,
) -> Teaching:
    settings, kept = Settings.model_validate({"doubts": False} | changes), KeptHere()
    taught_by = teacher or FakeTrainer(answer=knows_some(4))
    return Teaching(
        side(records, registry, "large", taught_by, settings, kept),
        side(records, registry, "small", student, settings, kept),
        extent_of,
    )


@pytest.fixture
def memory(record: Make, records: Memory) -> Records:
    return records([record(i) for i in range(64)])


def version_of(registry: AdapterRegistry, report: StudentReport) -> AdapterVersion:
    assert report.adapter is not None
    return registry.show("default", report.adapter)


async def test_the_student_learns_and_is_judged_by_what_a_generation_of_the_teacher_would_be(
    memory: Records, registry: AdapterRegistry
) -> None:
    of_teacher = side(memory, registry, "large", FakeTrainer(answer=solves))
    theirs = await of_teacher.distiller.run("default")
    learned = registry.show("default", theirs.adapter or "")
    registry.reset("default")
    report = await teaching(memory, registry, FakeTrainer(answer=solves)).run("default")
    mine = version_of(registry, report)
    assert (mine.base_model, report.teacher) == ("small", "large")
    assert mine.record_ids == learned.record_ids
    assert mine.metrics[JUDGED_BY] == learned.metrics[JUDGED_BY]
    assert mine.metrics["teacher"] == "large"


async def test_all_stand_side_by_side_on_the_same_questions(
    memory: Records, registry: AdapterRegistry
) -> None:
    report = await teaching(memory, registry, FakeTrainer(answer=solves)).run("default")
    assert report.decision == "promoted"
    assert report.comparison is not None
    teacher, student, trained = report.comparison.arms
    assert [arm.name for arm in (teacher, student, trained)] == [
        "teacher", "student", "trained student",
    ]  # fmt: skip
    assert teacher.asked == student.asked == trained.asked == report.holdout
    assert (student.right, trained.right) == (0, report.holdout)
    assert 0 < teacher.right < report.holdout
    assert (teacher.parameters, student.bytes) == (1_000, 200)
    assert (trained.parameters, trained.bytes) == (110, 220), "an adapter comes on top"
    assert trained.tokens == 2 * report.holdout, "a fake's token is a word"
    assert trained.tokens_per_s == pytest.approx(100)
    assert trained.seconds_per_reply == pytest.approx(0.02)
    assert trained.low < 1.0 == trained.high


async def test_the_evidence_is_paired(memory: Records, registry: AdapterRegistry) -> None:
    report = await teaching(memory, registry, FakeTrainer(answer=solves)).run("default")
    assert report.comparison is not None
    teacher, *_ = report.comparison.arms
    base, large = report.comparison.evidence
    assert (base.against, base.helped, base.hurt) == ("student", report.holdout, 0)
    assert base.p_value == pytest.approx(2 * 0.5**report.holdout)
    assert (large.against, large.helped) == ("teacher", report.holdout - teacher.right)
    assert large.low < large.difference == large.helped / report.holdout < large.high


async def test_never_are_two_models_in_memory(memory: Records, registry: AdapterRegistry) -> None:
    log: list[str] = []
    teacher, student = (Seen(name, log, answer=solves) for name in ("teacher", "student"))
    await teaching(memory, registry, student, teacher).run("default")
    assert log == ["teacher starts", "teacher ends", "student starts"]
    assert not teacher.jobs or all(job.recipe.rank == 8 for job in teacher.jobs), (
        "it learns nothing"
    )


async def test_what_the_teacher_doubts_the_student_does_not_learn(
    record: Make, registry: AdapterRegistry
) -> None:
    held: list[str] = []

    class Holding(RecordList):
        def hold(self, tenant: str, record_id: str, *_: object) -> Record:
            held.append(record_id)
            return self.records[0]

    memory = Holding([record(i) for i in range(96)])
    sure = FakeTrainer(answer=knows_some(2))
    both = teaching(memory, registry, FakeTrainer(answer=solves), sure, doubts=True)
    report = await both.run("default")
    assert held
    assert [doubt.record_id for doubt in report.doubts] == held
    assert not {*held} & {*version_of(registry, report).record_ids}


async def test_what_fails_the_gate_is_kept_as_rejected_and_compared_all_the_same(
    memory: Records, registry: AdapterRegistry
) -> None:
    report = await teaching(memory, registry, FakeTrainer()).run("default")
    assert report.decision == "rejected"
    assert version_of(registry, report).rejected == "; ".join(report.reasons)
    assert registry.alias("default", "champion") is None
    assert report.comparison is not None
    assert report.comparison.arms[-1].right == 0


async def test_a_champion_of_the_teacher_gives_way_and_is_asked_before_and_after_that(
    memory: Records, registry: AdapterRegistry
) -> None:
    of_teacher = side(memory, registry, "large", FakeTrainer(answer=solves))
    champion = (await of_teacher.distiller.run("default")).adapter
    first = await teaching(memory, registry, FakeTrainer(answer=solves)).run("default")
    assert (first.decision, first.displaced) == ("promoted", champion)
    again = await teaching(memory, registry, FakeTrainer(answer=solves), recipe=Recipe(rank=4)).run(
        "default"
    )
    assert (again.current, again.displaced) == (first.adapter, None)
    for report, names in (
        (first, ["teacher", "teacher's champion", "student", "trained student"]),
        (
            again,
            ["teacher", "teacher's champion", "student", "student's champion", "trained student"],
        ),
    ):
        assert report.comparison is not None
        assert [arm.name for arm in report.comparison.arms] == names
        assert report.comparison.arms[1].adapter == champion


async def test_what_the_students_template_cannot_render_is_asked_of_nobody(
    memory: Records, registry: AdapterRegistry
) -> None:
    def shuns_nines(asked: Conversation) -> str | None:
        return "no nines" if "9 lamp" in asked.messages[0].content else None

    student = FakeTrainer(answer=solves, obstacle=shuns_nines)
    whole = await teaching(memory, registry, FakeTrainer(answer=solves)).run("default")
    registry.reset("default")
    report = await teaching(memory, registry, student).run("default")
    assert report.unlearnable == 6
    assert report.train + report.holdout == whole.train + whole.holdout - 6
    assert report.comparison is not None
    assert {arm.asked for arm in report.comparison.arms} == {report.holdout}


async def test_what_the_teacher_wrote_is_what_the_student_learns_whenever_it_is_trained(
    record: Make, records: Memory, registry: AdapterRegistry
) -> None:
    changes = {"rationale": "42", "answer": "42", "tier": Tier.FEEDBACK}
    asked = (Message(role="user", content="What is 37 lamp 5, please?"),)
    bare = record(99, messages=asked, evidence={"feedback": "corrected"}, **changes)

    def works(conversation: tuple[Message, ...], adapter: str | None) -> str:
        told = conversation[-1].content
        if "please" not in told:
            return solves(conversation, adapter)
        return "Lamp adds.\n37 and 5 make 42.\n#### 42"

    both = teaching(
        records([*(record(i) for i in range(64)), bare]),
        registry,
        FakeTrainer(answer=solves),
        FakeTrainer(answer=works),
    )
    report = await both.run("default")
    version = version_of(registry, report)
    assert bare.id in version.record_ids, "it judges: give it another question"
    assert report.written == 1
    again = await both.student.distiller.run("default", version)
    assert again.adapter == report.adapter
    trainer = both.student.distiller.trainer
    assert isinstance(trainer, FakeTrainer)
    first, second = (
        {each.messages[-1].content for each in job.conversations} for job in trainer.jobs
    )
    assert first == second
    assert works(asked, None) in first


async def test_a_student_that_is_no_smaller_is_warned_of_and_trained(
    memory: Records, registry: AdapterRegistry
) -> None:
    both = teaching(memory, registry, FakeTrainer(answer=solves))
    report = await replace(both, extent_of=lambda of: TEACHER).run("default")
    assert report.decision == "promoted"
    assert report.warnings == (
        "the student is no smaller than the teacher: it has 1,000 parameters, the teacher 1,000",
    )
    report = await replace(both, extent_of=lambda of: Extent()).run("default")
    assert report.warnings == ()
    assert report.comparison is not None
    assert report.comparison.arms[-1].parameters is None


async def test_a_dry_run_loads_neither(memory: Records, registry: AdapterRegistry) -> None:
    log: list[str] = []
    trainers = [Seen(name, log) for name in ("student", "teacher")]
    report = await teaching(memory, registry, *trainers, dry_run=True).run("default")
    assert log == ["teacher ends"]
    assert report.decision == "dry_run"
    assert report.comparison is None
    assert (report.train, report.teacher) == (64 - report.holdout, "large")


async def test_a_teacher_that_dies_fails_the_job(
    memory: Records, registry: AdapterRegistry
) -> None:
    broken = FakeTrainer(script=[TrainerError("it died")] * 9, answer=solves)
    both = teaching(memory, registry, FakeTrainer(answer=solves), broken, doubts=True)
    with pytest.raises(DistillationError, match="could not be trained: it died"):
        await both.run("default")


async def test_students_that_bring_nothing_are_not_trained_for_ever(
    memory: Records, registry: AdapterRegistry
) -> None:
    both = teaching(memory, registry, FakeTrainer())
    ranked = [
        replace(both, student=replace(both.student, distiller=replace(
            both.student.distiller, settings=Settings(recipe=Recipe(rank=rank)))))
        for rank in (2, 3, 4)
    ]  # fmt: skip
    for each in ranked[:2]:
        assert (await each.run("default")).decision == "rejected"
    with pytest.raises(DistillationError, match="--anyway"):
        await ranked[2].run("default")


async def test_only_so_many_questions_are_compared(
    memory: Records, registry: AdapterRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "MOST_COMPARED", 5)
    report = await teaching(memory, registry, FakeTrainer(answer=solves)).run("default")
    assert report.comparison is not None
    assert {arm.asked for arm in report.comparison.arms} == {5}


async def test_two_real_models_follow_each_other(
    record: Make, records: Memory, registry: AdapterRegistry, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in ("large", "small")]
    for folder, hidden in zip(folders, (64, 32), strict=True):
        tokenizer = make_tokenizer()
        tokenizer.save_pretrained(folder)
        make_model(len(tokenizer), hidden).save_pretrained(folder)
    large, small = (ProcessTrainer(folder, threads=1, device="cpu") for folder in folders)
    settings = Settings(
        selection=Selection(min_train=8, min_holdout=4),
        recipe=Recipe(rank=4, learning_rate=1e-2, steps=4, batch_size=4),
        max_new_tokens=4,
        rehearse=False,
        doubts=False,
        scores=False,
    )
    memory = records([record(i) for i in range(20)])
    both = Teaching(
        side(memory, registry, "large", large, settings),
        side(memory, registry, "small", small, settings),
        extent_of,
    )
    phases: list[tuple[str, str, str]] = []

    def told(phase: str, done: int, total: int) -> None:
        phases.append((phase, large.status, small.status))

    both = replace(
        both,
        teacher=replace(both.teacher, distiller=replace(both.teacher.distiller, on_progress=told)),
        student=replace(both.student, distiller=replace(both.student.distiller, on_progress=told)),
    )
    try:
        report = await both.run("default")
    finally:
        await small.close()
    assert (small.parameters or 0) < (large.parameters or 0)
    assert not any(of_large == of_small == "ready" for _, of_large, of_small in phases)
    assert report.comparison is not None
    assert all(arm.tokens > 0 and arm.seconds > 0 for arm in report.comparison.arms)
    assert version_of(registry, report).base_model == "small"
