"""How `auto` chooses, on the fake engine and a real memory and ledger."""

from __future__ import annotations

from collections.abc import Callable

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.learning.overlap import DECIDED
from adaptation.learning.training.fake import FakeTrainer
from adaptation.options import Strategy
from adaptation.pipeline import answer
from adaptation.report import Report, StopReason
from adaptation.services import Services
from adaptation.types import Draw, Query
from adaptation.verifiers import build_verifiers
from memory.history.ledger import effect_of
from memory.memory import LongTermMemory
from memory.types import Trial
from tests.adaptation.lamps import ASK, example_asked, remember_examples

MakeQuery = Callable[..., Query]
Build = Callable[..., Services]


def divided(base: tuple[str, ...] = ("1", "2"), shown: str = "7") -> FakeEngine:
    """The base is in doubt; an adapter knows the examples and says 9; demonstrations `shown`."""

    def script(query: Query, draw: Draw) -> Reply:
        if draw.adapter is not None:
            return Reply(f"#### {example_asked(draw) or 9}")
        is_shown = isinstance(draw.prompt, tuple) and len(draw.prompt) > 1
        if isinstance(draw.prompt, tuple) and draw.prompt[-1].content != ASK:  # an example is asked
            return Reply(f"#### {example_asked(draw) if is_shown else 'unknown'}")
        return Reply(f"#### {shown if is_shown else base[draw.index % len(base)]}")

    return FakeEngine(script)


def note(memory: LongTermMemory, strategy: str, near: str | None, helped: int, hurt: int) -> None:
    effects = [True] * helped + [False] * hurt
    memory.ledger.note(
        "default",
        [
            (
                f"{strategy}-{near}-{number}",
                Trial(strategy=strategy, near=near, right=good, baseline=not good, same=False),
            )
            for number, good in enumerate(effects)
        ],
    )


async def asked(make_query: MakeQuery, built: Services, **more: object) -> Report:
    query = make_query(ASK, strategy="auto", query_can_be_reworded=True, **more)
    return (await answer(query, built)).report


async def test_without_evidence_a_vote_in_doubt_trains(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    report = await asked(make_query, services(divided()))
    assert (report.strategy, report.answer) == (Strategy.TTT, "9")
    assert report.baseline is not None
    assert not report.baseline.same


async def test_demonstrations_that_are_sure_need_no_training(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine, trainer = divided(base=tuple("12345678")), FakeTrainer()
    trainer.let_go.clear()
    report = await asked(make_query, services(engine, trainer))
    assert (report.strategy, report.answer) == (Strategy.DEMONSTRATIONS, "7")
    assert report.reason == DECIDED
    assert engine.history == []
    assert report.samples.started <= 12, "half of what was left was for training"


async def test_training_awaits_demonstrations_that_earlier_requests_saw_help(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    trainer = FakeTrainer()
    trainer.let_go.clear()
    built = services(divided(base=tuple("12345678")), trainer)
    first = await asked(make_query, built)
    begun = len(trainer.jobs)
    second = await asked(make_query, built)
    assert first.strategy is second.strategy is Strategy.DEMONSTRATIONS
    assert (begun, len(trainer.jobs)) == (1, 1)
    assert (first.reason, second.reason) == (DECIDED, None)


async def test_training_that_hurt_is_paused_and_demonstrations_go_on(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    note(memory, "ttt", None, helped=1, hurt=6)
    engine = divided()
    report = await asked(make_query, services(engine))
    assert (report.strategy, report.answer) == (Strategy.DEMONSTRATIONS, "7")
    assert engine.history == [], "nothing was trained, nor begun to be"


async def test_demonstrations_stand_for_election_beside_the_votes_before_them(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    """The votes lean to 1; with demonstrations no two agree."""
    remember_examples(memory, 12)
    note(memory, "ttt", None, helped=0, hurt=6)

    def script(query: Query, draw: Draw) -> Reply:
        is_shown = isinstance(draw.prompt, tuple) and len(draw.prompt) > 1
        if isinstance(draw.prompt, tuple) and draw.prompt[-1].content != ASK:
            return Reply(f"#### {example_asked(draw) if is_shown else 'unknown'}")
        said = 100 + draw.index if is_shown else (1, 1, 2, 1, 3, 1, 4, 1)[draw.index % 8]
        return Reply(f"#### {said}")

    report = await asked(make_query, services(FakeEngine(script)))
    assert report.strategy is Strategy.DEMONSTRATIONS
    assert report.answer == "1"
    assert report.stop_reason is StopReason.EXHAUSTED, "together they are in doubt"
    assert report.baseline is not None
    assert report.baseline.same


async def test_where_all_has_hurt_the_vote_goes_on(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    for strategy in ("ttt", "demonstrations"):
        note(memory, strategy, None, helped=0, hurt=6)
    report = await asked(make_query, services(divided()))
    assert report.strategy is Strategy.CONSISTENCY
    assert report.samples.finished == 16


async def test_what_is_proven_near_is_done_without_a_vote_before_it(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    (nearest,) = memory.recall("default", ASK, k=1)
    note(memory, "demonstrations", nearest.record.id, helped=6, hurt=0)
    engine = divided()
    report = await asked(make_query, services(engine))
    assert report.strategy is Strategy.DEMONSTRATIONS
    assert all(draw.prompt is not None for draw in engine.drawn)


async def test_what_training_is_too_dear_for_is_not_begun(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine = divided()
    report = await asked(make_query, services(engine, sample_price=0.5))
    assert report.strategy is Strategy.CONSISTENCY
    assert report.adapter is None or not report.adapter.accepted


async def test_an_answer_that_verifiers_pass_stands_against_a_later_one_that_they_do_not(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    verifiers = await build_verifiers([{"type": "math", "reference": "1"}])
    built = services(divided())
    query = make_query(ASK, strategy="auto", query_can_be_reworded=True, query_verifiers=verifiers)
    found = await answer(query, built)
    assert (found.report.strategy, found.report.answer) == (Strategy.CONSISTENCY, "1")
    (tried,) = (each for each in found.tried if each.strategy == "ttt")
    assert effect_of(tried.right, tried.baseline, tried.same) == -1


async def test_a_shadow_tries_training_beside_a_vote_that_needs_none(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    verifiers = await build_verifiers([{"type": "math", "reference": "9"}])
    engine = divided(base=("1",))
    quiet = await asked(make_query, services(engine), query_verifiers=verifiers)
    assert quiet.strategy is Strategy.CONSISTENCY
    shadowed = await asked(
        make_query, services(divided(base=("1",)), shadow_share=1.0), query_verifiers=verifiers
    )
    assert (shadowed.strategy, shadowed.answer) == (Strategy.TTT, "9")
    assert shadowed.baseline is not None
    assert shadowed.baseline.passed is False


async def test_a_vote_of_which_one_answer_passes_stands_against_training_that_has_none(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    verifiers = await build_verifiers([{"type": "math", "reference": "2"}])
    engine = divided(base=("1", "2", "1"))
    report = await asked(make_query, services(engine), query_verifiers=verifiers)
    assert any(draw.adapter for draw in engine.drawn), "training was tried"
    assert (report.strategy, report.answer) == (Strategy.CONSISTENCY, "2")
    assert report.verification is not None
    assert report.verification[0].passed


async def test_what_is_proven_but_rejected_here_gives_way_to_a_vote_that_passes(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    (nearest,) = memory.recall("default", ASK, k=1)
    note(memory, "demonstrations", nearest.record.id, helped=6, hurt=0)
    verifiers = await build_verifiers([{"type": "math", "reference": "1"}])
    report = await asked(make_query, services(divided(base=("1",))), query_verifiers=verifiers)
    assert (report.strategy, report.answer) == (Strategy.CONSISTENCY, "1")
    assert report.samples.started <= 16


async def test_nothing_is_tried_beside_a_vote_that_a_budget_has_ended(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    verifiers = await build_verifiers([{"type": "math", "reference": "9"}])
    engine = divided(base=("1",))
    report = await asked(
        make_query,
        services(engine, shadow_share=1.0),
        query_verifiers=verifiers,
        budget={"tokens": 5},
    )
    assert report.stop_reason is StopReason.BUDGET
    assert engine.history == [], "no adapter was made that nothing could be drawn through"


async def test_what_an_adapter_cost_is_told_where_demonstrations_answer(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine = divided()
    engine.failing = {"load"}
    report = await asked(make_query, services(engine))
    assert (report.strategy, report.answer) == (Strategy.DEMONSTRATIONS, "7")
    assert report.adapter is not None
    assert not report.adapter.accepted


async def test_a_shadow_tries_what_least_is_known_of_and_only_where_it_may_be_noted(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    note(memory, "ttt", None, helped=1, hurt=0)
    verifiers = await build_verifiers([{"type": "math", "reference": "7"}])

    async def shadowed(**options: object) -> Report:
        built = services(divided(base=("1",)), shadow_share=1.0)
        return await asked(make_query, built, query_verifiers=verifiers, memory=options)

    assert (await shadowed(write=False)).strategy is Strategy.CONSISTENCY
    found = await shadowed(reuse=False)
    assert (found.strategy, found.answer) == (Strategy.DEMONSTRATIONS, "7")


async def test_a_vote_that_goes_on_is_charged_once_for_samples_that_failed_before(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    for strategy in ("ttt", "demonstrations"):
        note(memory, strategy, None, helped=0, hurt=6)

    def script(query: Query, draw: Draw) -> Reply:
        return Reply(f"#### {draw.index % 2}", error="no room" if draw.index in (2, 3) else None)

    report = await asked(make_query, services(FakeEngine(script)))
    assert (report.samples.started, report.samples.finished) == (16, 14)
