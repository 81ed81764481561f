"""What each strategy does, on the fake engine and a real memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.options import Strategy
from adaptation.pipeline import answer
from adaptation.report import StopReason
from adaptation.strategies import STRATEGIES
from adaptation.types import Draw, Query
from adaptation.verifiers import build_verifiers
from memory.memory import LongTermMemory
from memory.types import Message
from tests.adaptation.lamps import ASK, example_asked, remember_examples
from tests.adaptation.strategies.playing import Build, MakeQuery, asked, final, playing, run


def test_every_strategy_has_its_class() -> None:
    assert set(STRATEGIES) == set(Strategy)
    assert len(STRATEGIES) == 10


@pytest.mark.parametrize("strategy", Strategy)
async def test_every_strategy_answers_and_bills_every_token(
    strategy: Strategy, make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine = playing(lambda told, draw: "42")
    verifiers = await build_verifiers([{"type": "math", "reference": "42"}])
    report = await run(make_query, services(engine), strategy, query_verifiers=verifiers)
    assert report.requested is strategy
    assert report.answer == "42"
    assert report.tokens.generated == engine.tokens
    assert not engine.running


@pytest.mark.parametrize("strategy", [s for s in Strategy if STRATEGIES[s].rewrites])
async def test_what_cannot_be_reworded_is_voted_on_with_the_reason(
    strategy: Strategy, make_query: MakeQuery, services: Build
) -> None:
    verifiers = await build_verifiers([{"type": "math", "reference": "42"}])
    report = await run(
        make_query,
        services(playing(lambda told, draw: "42")),
        strategy,
        query_can_be_reworded=False,
        query_verifiers=verifiers,
    )
    assert report.strategy is Strategy.CONSISTENCY
    assert "only plain messages can be put another way" in report.reason


@pytest.mark.parametrize("strategy", [s for s in Strategy if s is not Strategy.PLAIN])
async def test_the_bound_on_samples_holds(
    strategy: Strategy, make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine = playing(lambda told, draw: str(draw.index))  # nobody ever agrees
    verifiers = await build_verifiers([{"type": "math", "reference": "-1"}])
    report = await run(
        make_query, services(engine), strategy, max_samples=7, query_verifiers=verifiers
    )
    assert report.samples.started <= 7


async def test_plain_alone_is_not_answered_from_memory(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 1)
    built, known = services(playing(lambda told, draw: "42")), "What is 0 lamp 1?"
    stops = {
        name: (await run(make_query, built, name, known)).stop_reason for name in ("plain", "auto")
    }
    assert stops == {"plain": StopReason.SINGLE, "auto": StopReason.REMEMBERED}


# Demonstrations


def taught(told: str, draw: Draw) -> str:
    """Say 7; of the examples the answer, where others are shown before them, and nothing else."""
    if not isinstance(draw.prompt, tuple) or draw.prompt[-1].content == ASK:
        return "7"
    return str(example_asked(draw)) if len(draw.prompt) > 1 else "unknown"


async def test_demonstrations_come_as_turns_before_the_question_the_closest_last(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine = playing(taught)
    report = await run(make_query, services(engine, demonstrations=3), "demonstrations")
    assert report.strategy is Strategy.DEMONSTRATIONS
    messages = engine.drawn[-1].prompt
    assert [m.role for m in messages] == ["user", "assistant"] * 3 + ["user"]
    assert messages[-1].content == ASK
    similarities = [neighbour.similarity for neighbour in report.neighbours]
    assert len(similarities) == 3
    assert similarities == sorted(similarities)


async def test_one_record_is_enough_to_demonstrate(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 1)
    report = await run(make_query, services(playing(lambda told, draw: "7")), "demonstrations")
    assert report.strategy is Strategy.DEMONSTRATIONS
    assert len(report.neighbours) == 1


async def test_without_a_record_demonstrations_vote_and_say_so(
    make_query: MakeQuery, services: Build
) -> None:
    report = await run(make_query, services(playing(lambda told, draw: "7")), "demonstrations")
    assert report.strategy is Strategy.CONSISTENCY
    assert report.reason == "no neighbour in memory can be shown"


@pytest.mark.parametrize("most", [2, 3, 4])
async def test_demonstrations_that_do_not_fit_are_fewer(
    most: int, make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)

    class Narrow(FakeEngine):
        def prompt(self, query: Query, messages: Any) -> object:
            self.failing = (
                {"prompt"} if len(messages) > 3 and messages[-1].content == ASK else set()
            )
            return super().prompt(query, messages)

    engine = Narrow(lambda query, draw: final(taught(asked(draw, query), draw)))
    report = await run(make_query, services(engine, demonstrations=most), "demonstrations")
    assert len(report.neighbours) == 1
    assert report.strategy is Strategy.DEMONSTRATIONS


async def test_a_system_message_stays_first(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 4)
    engine = playing(taught)
    query = make_query(ASK, strategy="demonstrations", query_can_be_reworded=True)
    system = Message(role="system", content="Be brief.")
    await answer(replace(query, messages=(system, *query.messages)), services(engine))
    assert [m.role for m in engine.drawn[-1].prompt][:2] == ["system", "user"]  # type: ignore[attr-defined]


# Best of N


async def test_best_of_n_draws_all_and_takes_the_surest(
    make_query: MakeQuery, services: Build
) -> None:
    def script(told: str, draw: Draw) -> Reply:
        is_sure = draw.index == 3
        text = "9" if is_sure else str(draw.index % 2)
        return Reply(f"#### {text}", logprob=-0.01 if is_sure else -3.0)

    report = await run(make_query, services(playing(script)), "best_of_n", max_samples=6)
    assert (report.answer, report.samples.finished) == ("9", 6)
    assert report.votes[0].weight > report.votes[1].weight
    assert "how sure each sample was" in report.steps[0].text
    assert report.reason is None


async def test_answers_that_pass_a_verifier_come_before_any_score(
    make_query: MakeQuery, services: Build
) -> None:
    def script(told: str, draw: Draw) -> Reply:
        right = draw.index == 2
        return Reply("#### 5" if right else "#### 6", logprob=-4.0 if right else -0.01)

    verifiers = await build_verifiers([{"type": "math", "reference": "5"}])
    report = await run(
        make_query, services(playing(script)), "best_of_n", max_samples=5, query_verifiers=verifiers
    )
    assert report.answer == "5"
    assert report.verification[0].passed


# Refine


async def test_a_critique_that_finds_nothing_wrong_changes_nothing(
    make_query: MakeQuery, services: Build
) -> None:
    def script(told: str, draw: Draw) -> str | Reply:
        return Reply("All steps hold. Verdict: correct") if draw.is_aside else "42"

    engine = playing(script)
    report = await run(make_query, services(engine), "refine")
    assert report.answer == "42"
    assert [step.passed for step in report.steps] == [True]
    assert sum(draw.is_aside for draw in engine.drawn) == 1


async def test_a_critique_does_not_overrule_the_majority(
    make_query: MakeQuery, services: Build
) -> None:
    def script(told: str, draw: Draw) -> str | Reply:
        if draw.is_aside:
            return Reply("The sum is off. Verdict: wrong")
        return "13" if "Something was found wrong" in told else "42"

    report = await run(make_query, services(playing(script)), "refine", max_samples=16)
    assert report.answer == "42"
    assert any(vote.answer == "13" for vote in report.votes), "the revision stood for election"
    assert report.steps[0].passed is False


async def test_a_verifier_does_overrule_it(make_query: MakeQuery, services: Build) -> None:
    verifiers = await build_verifiers([{"type": "math", "reference": "13"}])
    report = await run(
        make_query,
        services(playing(lambda told, draw: "13" if "found wrong" in told else "42")),
        "refine",
        query_verifiers=verifiers,
    )
    assert report.answer == "13"
    assert "differs from the reference" in report.steps[0].text


# Reflexion


async def test_a_failed_try_leaves_a_note_that_the_next_try_sees(
    make_query: MakeQuery, services: Build
) -> None:
    def script(told: str, draw: Draw) -> str | Reply:
        if draw.is_aside:
            return Reply("Carry the ten.")
        return "42" if "Carry the ten." in told and "differs from the reference" in told else "32"

    verifiers = await build_verifiers([{"type": "math", "reference": "42"}])
    report = await run(
        make_query, services(playing(script)), "reflexion", query_verifiers=verifiers
    )
    assert (report.answer, report.stop_reason) == ("42", StopReason.VERIFIED)
    assert [step.kind for step in report.steps] == ["note"]


async def test_notes_of_a_task_reach_its_next_request_and_no_other(
    make_query: MakeQuery, services: Build
) -> None:
    def script(told: str, draw: Draw) -> str | Reply:
        if draw.is_aside:
            return Reply("Carry the ten.")
        return "42" if "Carry the ten." in told else "32"

    verifiers = await build_verifiers([{"type": "math", "reference": "42"}])
    built = services(playing(script))

    async def taking_notes(task: str) -> bool:
        report = await run(
            make_query,
            built,
            "reflexion",
            memory={"task": task, "reuse": False},
            query_verifiers=verifiers,
        )
        return bool(report.steps)

    assert [await taking_notes(task) for task in ("sums", "sums", "words")] == [True, False, True]


async def test_without_a_verifier_there_is_nothing_to_reflect_upon(
    make_query: MakeQuery, services: Build
) -> None:
    report = await run(make_query, services(playing(lambda told, draw: "42")), "reflexion")
    assert report.strategy is Strategy.CONSISTENCY
    assert "no verifier" in report.reason


# Debate


async def test_speakers_hear_the_others_and_the_last_round_counts(
    make_query: MakeQuery, services: Build
) -> None:
    def script(told: str, draw: Draw) -> str:
        if "These are others' answers" in told:
            return "42"
        return "42" if draw.index == 0 else str(draw.index)

    report = await run(make_query, services(playing(script)), "debate")
    assert (report.strategy, report.answer) == (Strategy.DEBATE, "42")
    assert report.votes[0].count == 3
    assert report.steps[0].kind == "round"
    assert report.samples.started == 6


async def test_speakers_who_agree_do_not_go_on(make_query: MakeQuery, services: Build) -> None:
    report = await run(make_query, services(playing(lambda told, draw: "42")), "debate")
    assert report.samples.started == 3


# Decompose


async def test_subquestions_are_asked_in_turn_and_recombined(
    make_query: MakeQuery, services: Build
) -> None:
    def script(told: str, draw: Draw) -> str | Reply:
        if "Which easier questions" in told:
            return Reply("1. How many are red?\n2. How many are blue?")
        if draw.is_aside:
            return Reply("2+3=5." if "red?" in told.rpartition("alone:")[2] else "5+5=10.")
        assert "How many are red? 2+3=5." in told
        return "10"

    report = await run(make_query, services(playing(script)), "decompose")
    (tree,) = report.steps
    assert report.answer == tree.answer == "10"
    assert [child.passed for child in tree.children] == [True, True]


async def test_a_subanswer_with_a_wrong_sum_is_asked_again(
    make_query: MakeQuery, services: Build
) -> None:
    said: list[str] = []

    def script(told: str, draw: Draw) -> str | Reply:
        if "Which easier questions" in told:
            return Reply("- How many are red in all?")
        if draw.is_aside:
            said.append("2+3=6." if not said else "2+3=5.")
            return Reply(said[-1])
        return "5"

    report = await run(make_query, services(playing(script)), "decompose")
    (child,) = report.steps[0].children
    assert (child.answer, child.passed) == ("2+3=5.", True)
    assert len(said) == 2


async def test_a_question_that_is_not_split_is_voted_on(
    make_query: MakeQuery, services: Build
) -> None:
    report = await run(make_query, services(playing(lambda told, draw: "42")), "decompose")
    assert report.strategy is Strategy.CONSISTENCY
    assert report.reason == "the question was not split"


@pytest.mark.parametrize("strategy", ["refine", "reflexion", "debate", "decompose"])
async def test_a_budget_of_tokens_ends_what_is_asked_besides_votes(
    strategy: str, make_query: MakeQuery, services: Build
) -> None:
    engine = playing(lambda told, draw: str(draw.index))  # nobody agrees, so all would go on
    verifiers = await build_verifiers([{"type": "math", "reference": "-1"}])
    report = await run(
        make_query,
        services(engine),
        strategy,
        query_verifiers=verifiers,
        budget={"tokens": 10},
        max_samples=64,
    )
    assert report.stop_reason is StopReason.BUDGET
    assert report.tokens.generated == engine.tokens
    assert engine.tokens < 32
