"""Under which strategy it is booked what a try took that did not answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.learning.training.fake import FakeTrainer
from adaptation.options import Strategy
from adaptation.pipeline import answer
from adaptation.services import Services
from adaptation.types import Draw, Outcome, Query
from adaptation.verifiers import build_verifiers
from memory.history.ledger import effect_of
from memory.memory import LongTermMemory
from memory.types import Trial
from tests.adaptation.lamps import ASK, example_asked, remember_examples

MakeQuery = Callable[..., Query]
Build = Callable[..., Services]


def in_doubt(query: Query, draw: Draw) -> Reply:
    """Whoever is asked says something else each time; only an adapter knows the examples."""
    if isinstance(draw.prompt, tuple) and draw.prompt[-1].content != ASK:
        return Reply(f"#### {example_asked(draw) if draw.adapter else 'unknown'}", tokens=3)
    return Reply(f"#### {draw.index}", tokens=3)


def useless(query: Query, draw: Draw) -> Reply:
    """As `in_doubt`, but an adapter knows nothing: the gate refuses it."""
    is_example = isinstance(draw.prompt, tuple) and draw.prompt[-1].content != ASK
    return Reply("#### unknown" if is_example else f"#### {draw.index}", tokens=3)


async def run(make_query: MakeQuery, built: Services, strategy: str, **more: Any) -> Outcome:
    query = make_query(ASK, strategy=strategy, query_can_be_reworded=True, **more)
    return await answer(query, built)


def costs(outcome: Outcome, strategy: str) -> Trial:
    (found,) = (each for each in outcome.tried if each.strategy == strategy)
    return found


@pytest.mark.parametrize("strategy", ["ttt", "auto"])
async def test_an_adapter_that_the_gate_refuses_is_on_the_account_of_training(
    strategy: str, make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    outcome = await run(make_query, services(FakeEngine(useless)), strategy)
    assert outcome.report.strategy is Strategy.CONSISTENCY
    assert outcome.report.tokens.training > 0
    assert outcome.trial is not None
    votes = 3 * outcome.report.samples.finished
    assert (outcome.trial.trained_tokens, outcome.trial.tokens) == (0, votes)
    tried = costs(outcome, "ttt")
    assert tried.trained_tokens == outcome.report.tokens.training
    assert tried.tokens > votes, "it was examined"
    assert tried.seconds > outcome.trial.seconds
    assert effect_of(tried.right, tried.baseline, tried.same) is None, "nobody judged the answer"


async def test_a_try_that_comes_to_nothing_is_a_tie_where_the_answer_is_judged(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    verifiers = await build_verifiers([{"type": "math", "reference": "1000"}])
    built = services(FakeEngine(useless))
    outcome = await run(make_query, built, "ttt", query_verifiers=verifiers)
    assert outcome.trial is not None
    assert outcome.trial.right is False
    tried = costs(outcome, "ttt")
    assert effect_of(tried.right, tried.baseline, tried.same) == 0, "the vote's answer stands"


async def test_a_training_that_is_given_up_has_a_price_and_no_worth(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    said = ("2", *("1",) * 9)
    engine = FakeEngine(lambda query, draw: Reply(f"#### {said[draw.index % 10]}", tokens=3))
    trainer = FakeTrainer()
    trainer.let_go.clear()
    outcome = await run(make_query, services(engine, trainer, demonstrations=1), "auto")
    assert outcome.report.strategy is Strategy.CONSISTENCY
    assert outcome.trial is not None
    assert outcome.trial.trained_tokens == 0
    tried = costs(outcome, "ttt")
    assert tried.trained_tokens == outcome.report.tokens.training > 0
    assert effect_of(tried.right, tried.baseline, tried.same) is None


async def test_what_answers_has_its_own_price(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    outcome = await run(make_query, services(FakeEngine(in_doubt)), "ttt")
    assert outcome.report.strategy is Strategy.TTT
    assert outcome.trial is not None
    assert outcome.tried == ()
    assert outcome.trial.trained_tokens == outcome.report.tokens.training > 0
    assert outcome.trial.tokens == outcome.report.tokens.generated
