import json
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adaptation.conversation import Conversation
from adaptation.errors import DistillationError, TrainerError
from adaptation.evaluation.suites.split import Split, split_of
from adaptation.learning.distillation.computed import only_sum
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.guards import PROBES
from adaptation.learning.distillation.replay import COMPUTED, OTHERS, PROMPTS, SHARE, rehearsals
from adaptation.learning.distillation.select import Records
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.trainer import Generated, Recipe
from memory.identity.answers.arithmetic import value_and_numbers
from memory.store.artifacts import Artifacts
from memory.store.database import open_database
from memory.types import Message, Record
from memory.versions.adapter_files import hash_files
from memory.versions.adapters import AdapterRegistry
from memory.versions.release import Stage

Make = Callable[..., Record]
Memory = Callable[[list[Record]], Records]


def grade(text: str, record: Record) -> bool:
    return text.rpartition("#### ")[2] == record.answer


def solves(conversation: tuple[Message, ...], adapter: str | None) -> str:
    """A model whose every adapter knows the rule, and whose base knows only manners."""
    asked = conversation[-1].content
    if not asked.startswith("What is ") or "lamp" not in asked:
        return "Hello! I am a model."
    return f"#### {int(asked.split()[2]) + 5}" if adapter else "#### 0"


@pytest.fixture
def memory(record: Make, records: Memory) -> Records:
    return records([record(i) for i in range(64)])


def distiller(
    memory: Records, registry: AdapterRegistry, trainer: FakeTrainer, **changes: object
) -> Distiller:
    settings = Settings.model_validate(changes)
    return Distiller(memory, registry, trainer, "fake", grade, settings)


async def test_a_better_adapter_is_promoted_with_its_lineage(
    memory: Records, registry: AdapterRegistry
) -> None:
    report = await distiller(memory, registry, FakeTrainer(answer=solves)).run("default")
    assert report.decision == "promoted"
    assert report.accuracy is not None
    assert (report.accuracy.base, report.accuracy.candidate) == (0.0, 1.0)
    champion = registry.alias("default", "champion")
    assert champion is not None
    assert champion.id == report.adapter
    assert len(champion.record_ids) == report.train
    assert json.loads(report.model_dump_json())["p_value"] < 0.05


async def test_an_adapter_that_learned_nothing_is_rejected_and_kept_for_inspection(
    memory: Records, registry: AdapterRegistry
) -> None:
    report = await distiller(memory, registry, FakeTrainer()).run("default")
    assert report.decision == "rejected"
    assert "no improvement" in report.reasons[0]
    assert registry.alias("default", "champion") is None
    assert report.adapter is not None
    assert registry.show("default", report.adapter).rejected == "; ".join(report.reasons)


async def test_a_candidate_must_beat_what_is_served_now(
    memory: Records, registry: AdapterRegistry
) -> None:
    first = await distiller(memory, registry, FakeTrainer(answer=solves)).run("default")
    again = distiller(memory, registry, FakeTrainer(answer=solves), recipe=Recipe(rank=4))
    second = await again.run("default")
    assert second.current == first.adapter
    assert second.accuracy is not None
    assert (second.accuracy.base, second.accuracy.current) == (0.0, 1.0)
    assert second.decision == "rejected"
    champion = registry.alias("default", "champion")
    assert champion is not None
    assert champion.id == first.adapter


async def test_a_champion_that_another_server_made_is_fetched_before_it_is_graded(
    memory: Records, registry: AdapterRegistry, data_dir: Path, tmp_path: Path
) -> None:
    with closing(open_database(data_dir)) as database:
        shared = Artifacts(str(tmp_path / "shared"))
        here = AdapterRegistry(database, tmp_path / "here", shared)
        there = AdapterRegistry(database, tmp_path / "there", shared)
        first = await distiller(memory, here, FakeTrainer(answer=solves)).run("default")
        second = await distiller(memory, there, FakeTrainer(answer=solves)).run("default")
        assert second.current == first.adapter
        champion = there.alias("default", "champion")
        assert champion is not None
        assert hash_files(Path(champion.path)) == hash_files(tmp_path / "here" / champion.id)
    with pytest.raises(DistillationError, match="missing or damaged"):  # shares nothing
        await distiller(memory, registry, FakeTrainer(answer=solves)).run("default")


async def test_the_same_generation_again_leaves_the_champion_alone(
    memory: Records, registry: AdapterRegistry
) -> None:
    run = distiller(memory, registry, FakeTrainer(answer=solves)).run
    first, second = await run("default"), await run("default")
    assert second.adapter == first.adapter
    assert second.decision == "rejected"
    assert second.reasons[0].startswith("the candidate is what is served already")
    champion = registry.alias("default", "champion")
    assert champion is not None
    assert champion.rejected is None


async def test_the_same_weights_again_that_live_answers_took_back_stay_taken_back(
    memory: Records, registry: AdapterRegistry
) -> None:
    run = distiller(memory, registry, FakeTrainer(answer=solves)).run
    first = await run("default")
    assert first.adapter is not None
    registry.take_back("default", first.adapter, Stage.ALL, "it hurt 7")
    second = await run("default")
    assert second.adapter == first.adapter
    assert (second.decision, second.stage) == ("rejected", None)
    assert second.reasons == ("the same weights were refused before: it hurt 7",)
    assert registry.alias("default", "champion") is None


async def test_a_rejected_generation_leaves_the_candidate_that_is_tried(
    memory: Records, registry: AdapterRegistry
) -> None:
    tried = distiller(memory, registry, FakeTrainer(answer=solves), first=Stage.SHARE)
    first = await tried.run("default")
    assert first.decision == "passed"
    worse = distiller(memory, registry, FakeTrainer(), recipe=Recipe(rank=4), first=Stage.SHARE)
    assert (await worse.run("default")).decision == "rejected"
    candidate = registry.alias("default", "candidate")
    assert candidate is not None
    assert candidate.id == first.adapter


async def test_lost_manners_veto_a_gain(memory: Records, registry: AdapterRegistry) -> None:
    def rude(conversation: tuple[Message, ...], adapter: str | None) -> str:
        reply = solves(conversation, adapter)
        return "#### 7" if adapter and reply.startswith("Hello") else reply

    report = await distiller(memory, registry, FakeTrainer(answer=rude)).run("default")
    assert report.decision == "rejected"
    assert report.guards is not None
    assert "Hello!" in report.guards.lost


async def test_only_probes_that_were_right_can_be_lost_and_what_is_gained_is_told(
    memory: Records, registry: AdapterRegistry
) -> None:
    def knows_greetings(conversation: tuple[Message, ...], adapter: str | None) -> str:
        question = conversation[-1].content
        if question not in {probe.question for probe in PROBES}:
            return solves(conversation, adapter)
        learned = question == "What is the capital of France?" and adapter
        greeting = "Hello there" if question in ("Hello!", "Hey") else "####"
        return "Paris" if learned else greeting

    greedy = distiller(memory, registry, FakeTrainer(answer=knows_greetings), samples=False)
    report = await greedy.run("default")
    assert report.decision == "promoted"
    assert report.guards is not None
    assert (report.guards.known, report.guards.lost) == (2, ())
    assert report.guards.gained == {"knowledge": 1}
    assert report.sampled is None


async def test_no_probe_is_asked_where_the_held_out_answers_speak_against_the_candidate(
    memory: Records, registry: AdapterRegistry
) -> None:
    asked: set[str] = set()

    def learns_nothing(conversation: tuple[Message, ...], adapter: str | None) -> str:
        asked.add(conversation[-1].content)
        return "####"

    report = await distiller(memory, registry, FakeTrainer(answer=learns_nothing)).run("default")
    assert report.decision == "rejected"
    assert report.guards is None
    assert not asked & {probe.question for probe in PROBES}


async def test_a_dry_run_trains_and_registers_nothing(
    memory: Records, registry: AdapterRegistry
) -> None:
    trainer = FakeTrainer(answer=solves)
    report = await distiller(memory, registry, trainer, dry_run=True).run("default")
    assert report.decision == "dry_run"
    assert report.train + report.holdout == 64
    assert trainer.jobs == []
    assert registry.list("default") == []


async def test_training_restarts_from_the_base_and_never_sees_the_held_out(
    memory: Records, registry: AdapterRegistry
) -> None:
    trainer = FakeTrainer(answer=solves)
    report = await distiller(memory, registry, trainer).run("default")
    job = trainer.jobs[-1]
    assert job.parent is None
    records = [c for c in job.conversations if "lamp" in c.messages[0].content]
    assert len(records) == report.train
    assert len(job.conversations) - report.train == len(OTHERS), "the rest got no right answer"
    assert job.recipe.rank == 16


async def test_a_trainer_that_fails_fails_the_generation(
    memory: Records, registry: AdapterRegistry
) -> None:
    trainer = FakeTrainer([TrainerError("out of memory")])
    with pytest.raises(DistillationError, match="out of memory"):
        await distiller(memory, registry, trainer).run("default")
    assert registry.list("default") == []


async def test_every_phase_is_announced(
    memory: Records, registry: AdapterRegistry, tmp_path: Path
) -> None:
    phases: list[str] = []
    run = Distiller(
        memory,
        registry,
        FakeTrainer(answer=solves),
        "fake",
        grade,
        on_progress=lambda phase, done, total: phases.append(phase),
    )
    await run.run("default")
    assert phases[:2] == ["select", "select"]
    assert {"evaluate base", "train", "evaluate candidate"} <= set(phases)


def test_rehearsals_grow_with_the_records_and_hold_no_guard_probe() -> None:
    texts = (*COMPUTED.values(), *("fine",) * (len(OTHERS) - 1), " ")
    replies = Generated(texts=texts, whole=(True,) * len(texts), tokens=0, seconds=0.0)
    assert len(rehearsals(replies, 48)) == len(PROMPTS) - 1
    assert len(rehearsals(replies, 25 * len(PROMPTS))) == round(25 * SHARE) * (len(PROMPTS) - 1)
    assert not {probe.question for probe in PROBES} & set(PROMPTS)
    assert {split_of(prompt) for prompt in PROMPTS} <= {Split.TRAINING, Split.MEMORY}


@pytest.mark.parametrize(
    ("reply", "is_learned"),
    [
        ("To calculate 12 * 4, you simply multiply 12 by 4, which is 48.", True),
        ("12 * 4 = 48\n\nThis is a simple example of how numbers are multiplied.", True),
        ("To calculate 12 * 4, you simply multiply 12 by itself, which is 144.", False),
        ("That is a question of arithmetic, which everybody can answer.", False),
    ],
)
def test_what_the_base_computes_wrongly_is_not_rehearsed(reply: str, is_learned: bool) -> None:
    texts = tuple(reply if prompt == "What is 12 * 4?" else "fine" for prompt in PROMPTS)
    replies = Generated(texts=texts, whole=(True,) * len(texts), tokens=0, seconds=0.0)
    assert (len(rehearsals(replies, 1)) == len(OTHERS) + 1) == is_learned


def test_the_answers_of_what_is_rehearsed_are_right() -> None:
    sums = {prompt: found for prompt in COMPUTED if (found := only_sum(prompt))}
    for prompt, found in sums.items():
        value = value_and_numbers(found[0])
        assert value is not None
        assert COMPUTED[prompt] == str(value[0])
    assert len(sums) >= 6


async def test_a_rehearsed_reply_that_was_cut_off_is_not_learned_as_a_whole_turn(
    memory: Records, registry: AdapterRegistry
) -> None:
    def rambles(turns: tuple[Message, ...], adapter: str | None) -> str:
        return "la " * 40 if turns[-1].content == OTHERS[0] else solves(turns, adapter)

    trainer = FakeTrainer(answer=rambles)
    await distiller(memory, registry, trainer, max_new_tokens=40).run("default")
    learned = {c.messages[0].content for c in trainer.jobs[-1].conversations}
    assert OTHERS[0] not in learned
    assert set(OTHERS[1:]) <= learned


async def test_what_cannot_be_rendered_is_left_out_and_told(
    memory: Records, registry: AdapterRegistry
) -> None:
    def obstacle(conversation: Conversation) -> str | None:
        return "no tools here" if " 7 lamp" in conversation.messages[0].content else None

    trainer = FakeTrainer(answer=solves, obstacle=obstacle)
    report = await distiller(memory, registry, trainer).run("default")
    assert (report.unlearnable, report.obstacle) == (1, "no tools here")
    assert report.train + report.holdout == 63
    assert not any(" 7 lamp" in c.messages[0].content for c in trainer.jobs[0].conversations)


async def test_too_little_that_can_be_rendered_is_an_error_with_the_reason(
    memory: Records, registry: AdapterRegistry
) -> None:
    trainer = FakeTrainer(obstacle=lambda conversation: "the template knows no tools")
    with pytest.raises(DistillationError, match=r"64 cannot be rendered .* knows no tools"):
        await distiller(memory, registry, trainer).run("default")
    assert not trainer.jobs


async def test_held_out_questions_are_asked_with_what_else_made_their_prompt(
    record: Make, records: Memory, registry: AdapterRegistry
) -> None:
    seen: list[Conversation] = []

    class Seeing(FakeTrainer):
        async def generate(
            self, conversations: Sequence[Conversation], *rest: Any, **more: Any
        ) -> list[str]:
            seen.extend(conversations)
            return await super().generate(conversations, *rest, **more)

    tools = {"tools": [{"type": "function", "function": {"name": "f"}}]}
    held = records([record(i, request=tools) for i in range(64)])
    await distiller(held, registry, Seeing(answer=solves)).run("default")
    asked = [each for each in seen if "lamp" in each.messages[-1].content]
    assert asked
    assert all(each.request == tools for each in asked)
