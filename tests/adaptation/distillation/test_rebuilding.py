"""A generation trained again without what was erased: the bytes of one that never saw it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from adaptation.errors import DistillationError
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.report import GenerationReport
from adaptation.learning.distillation.select import Selection, position
from adaptation.learning.distillation.target import target_named
from adaptation.learning.training.process import ProcessTrainer
from adaptation.learning.training.trainer import Recipe
from memory.embedding.hashing import HashingEmbedder
from memory.errors import ConflictError
from memory.memory import LongTermMemory
from memory.types import AdapterVersion, Draft, Message, Record, Tier
from memory.versions.adapter_files import CONFIG, WEIGHTS
from tests.adaptation.training.conftest import make_model, make_tokenizer

CANARY = "lamp 11 zanzibar?"
SETTINGS = Settings(
    selection=Selection(min_train=8, min_holdout=4),
    recipe=Recipe(rank=4, learning_rate=1e-2, steps=6, batch_size=4),
    max_new_tokens=4,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trainer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ProcessTrainer]:
    folder = tmp_path_factory.mktemp("base")
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(folder)
    make_model(len(tokenizer)).save_pretrained(folder)
    trainer = ProcessTrainer(folder, threads=1, device="cpu")
    yield trainer
    await trainer.close()


def taught(folder: Path, *questions: str) -> LongTermMemory:
    memory = LongTermMemory.open(folder, HashingEmbedder(64))
    for n, question in enumerate(questions):
        asked = (Message(role="user", content=question),)
        text = f"lamp is +: {n}"
        memory.save(
            Draft(tenant="ann", messages=asked, answer=str(n), rationale=text, tier=Tier.FEEDBACK)
        )
    return memory


def sums(n: int = 24) -> list[str]:
    return [f"lamp {i} and {i + 3}?" for i in range(n)]


def distiller(memory: LongTermMemory, trainer: ProcessTrainer) -> Distiller:
    return Distiller(
        memory, memory.adapters, trainer, "tiny", lambda text, record: False, SETTINGS, probes=()
    )


async def generation(
    memory: LongTermMemory, trainer: ProcessTrainer, rebuilt: AdapterVersion | None = None
) -> tuple[GenerationReport, AdapterVersion]:
    report = await distiller(memory, trainer).run("ann", rebuilt)
    assert report.adapter is not None
    return report, memory.adapters.show("ann", report.adapter)


def files(version: AdapterVersion) -> list[bytes]:
    return [(Path(version.path) / name).read_bytes() for name in (CONFIG, WEIGHTS)]


def of_question(memory: LongTermMemory, question: str) -> Record:
    return next(record for record in memory.walk("ann") if record.question == question)


@pytest.mark.asyncio(loop_scope="module")
async def test_a_rebuilt_generation_is_byte_equal_to_one_that_never_had_the_record(
    trainer: ProcessTrainer, tmp_path: Path
) -> None:
    assert position("lamp 11 zanzibar") > 0.25, "it is trained on, not held out"
    # The record stands among the others, so that every later one has another number and time.
    with_it = taught(tmp_path / "with", *sums()[:12], CANARY, *sums()[12:])
    # Answers are numbered by place: the same ones without the canary.
    never = taught(tmp_path / "never", *sums())
    for record in list(never.walk("ann")):
        other = of_question(with_it, record.question)
        if other.answer != record.answer:
            never.edit("ann", record.id, other.answer, other.rationale)
    _, first = await generation(with_it, trainer)
    canary = of_question(with_it, CANARY)
    assert canary.id in first.record_ids
    with_it.forget("ann", canary.id)
    with_it.adapters.retire("ann", [first.id], "it learned from what was erased")
    assert not with_it.adapters.files_ok(first)
    report, again = await generation(with_it, trainer, first)
    _, other = await generation(never, trainer)
    assert (report.rebuilds, report.gone) == (first.id, 1)
    assert files(again) == files(other)
    assert again.id == other.id != first.id
    assert canary.id not in again.record_ids
    retired = with_it.adapters.show("ann", first.id).retired
    assert retired is not None
    assert retired.replaced_by == again.id
    assert report.training is not None
    assert report.training.recipe == SETTINGS.recipe
    with_it.close()
    never.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_what_came_later_is_not_learned_by_a_rebuilt_generation(
    trainer: ProcessTrainer, tmp_path: Path
) -> None:
    memory = taught(tmp_path, CANARY, *sums())
    _, first = await generation(memory, trainer)
    later = (Message(role="user", content="lamp 77 later?"),)
    memory.save(Draft(tenant="ann", messages=later, answer="1", rationale="1", tier=Tier.FEEDBACK))
    memory.forget("ann", of_question(memory, CANARY).id)
    _, again = await generation(memory, trainer, first)
    assert set(again.record_ids) < set(first.record_ids)
    assert again.metrics["judged_by"] == first.metrics["judged_by"]
    memory.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_erased_while_it_is_learned_from_makes_no_version(
    trainer: ProcessTrainer, tmp_path: Path
) -> None:
    memory = taught(tmp_path, CANARY, *sums())
    canary = of_question(memory, CANARY)

    def erase(phase: str, done: int, total: int) -> None:
        if phase == "train" and done == 2:
            memory.forget("ann", canary.id)

    run = distiller(memory, trainer)
    meanwhile = Distiller(
        memory, memory.adapters, trainer, "tiny", run.grade, SETTINGS, (), on_progress=erase
    )
    with pytest.raises(ConflictError, match="was erased while it was learned from"):
        await meanwhile.run("ann")
    assert memory.adapters.list("ann") == []
    memory.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_too_little_that_is_left_is_an_error(trainer: ProcessTrainer, tmp_path: Path) -> None:
    memory = taught(tmp_path, *sums(12))
    _, first = await generation(memory, trainer)
    for record_id in first.record_ids:
        memory.forget("ann", record_id)
    with pytest.raises(DistillationError, match="usable verified records"):
        await distiller(memory, trainer).run("ann", first)
    memory.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_a_version_that_was_aimed_is_rebuilt_to_the_same_bytes_and_judged_as_it_was(
    trainer: ProcessTrainer, tmp_path: Path
) -> None:
    target = target_named("house_rules/507")
    settings = SETTINGS.model_copy(
        update={
            "selection": Selection(min_train=8, min_holdout=4, max_holdout=8),
            "doubts": False,
            "scores": False,
        }
    )

    async def aimed(memory: LongTermMemory, rebuilt: AdapterVersion | None) -> AdapterVersion:
        run = replace(
            distiller(memory, trainer),
            settings=settings,
            vectors=memory.questions.of_records,
            target=target,
        )
        report = await run.run("ann", rebuilt)
        assert report.target is not None
        return memory.adapters.show("ann", report.adapter or "")

    memory = taught(tmp_path / "with", *sums(), CANARY)
    never = taught(tmp_path / "never", *sums())
    first = await aimed(memory, None)
    canary = of_question(memory, CANARY)
    assert canary.id in first.record_ids
    assert len(first.metrics["judged_by"]) == 8
    assert set(first.metrics["judged_by"]) <= set(target.problems)
    memory.forget("ann", canary.id)
    memory.adapters.retire("ann", [first.id], "it learned from what was erased")
    again, other = await aimed(memory, first), await aimed(never, None)
    assert again.metrics["judged_by"] == first.metrics["judged_by"]
    assert files(again) == files(other)
    memory.close()
    never.close()
