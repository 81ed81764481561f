"""What is made of verifiers that are late or cannot run: they have said nothing of an answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from adaptation.errors import VerifierError
from adaptation.fake_engine import FakeEngine, Reply
from adaptation.pipeline import answer
from adaptation.report import StopReason, VerifierReport
from adaptation.services import Services
from adaptation.types import Draw, Outcome, Query
from memory.history.ledger import effect_of
from memory.memory import LongTermMemory
from memory.types import Tier
from tests.adaptation.lamps import ASK, adapted_engine, remember_examples

MakeQuery = Callable[..., Query]
Build = Callable[..., Services]


@dataclass
class Silent:
    """Passes what it knows, and is silent about the rest: it cannot run, or takes for ever."""

    known: tuple[str, ...] = ()
    is_slow: bool = False
    type: str = "silent"
    tier: Tier | None = Tier.EXECUTABLE
    runs_programs: bool = False
    asked: list[str | None] = field(default_factory=list)

    async def verify(self, *, question: str, text: str, answer: str | None) -> VerifierReport:
        self.asked.append(answer)
        if answer in self.known:
            return VerifierReport(type=self.type, passed=True, detail="known")
        if self.is_slow:
            await asyncio.Event().wait()
        raise VerifierError("there is no sandbox")


async def run(make_query: MakeQuery, built: Services, strategy: str, **more: Any) -> Outcome:
    query = make_query(ASK, strategy=strategy, query_can_be_reworded=True, **more)
    return await answer(query, built)


def soon() -> float:
    return time.monotonic() + 0.3


def always(text: str) -> FakeEngine:
    return FakeEngine(lambda query, draw: Reply("It is." if draw.is_aside else f"#### {text}"))


@pytest.mark.parametrize("is_slow", [False, True])
async def test_an_answer_that_nobody_judged_is_not_noted_as_wrong(
    is_slow: bool, make_query: MakeQuery, services: Build
) -> None:
    outcome = await run(
        make_query,
        services(always("1")),
        "consistency",
        query_verifiers=(Silent(is_slow=is_slow),),
        query_deadline=soon(),
    )
    assert outcome.trial is not None
    assert outcome.trial.right is None
    assert outcome.report.verification is not None
    assert outcome.report.memory is not None
    assert outcome.report.memory.saved is None, "nor is it kept as verified"


async def test_a_late_verifier_leaves_no_note_for_the_requests_that_follow(
    make_query: MakeQuery, services: Build
) -> None:
    built = services(always("1"))
    outcome = await run(
        make_query,
        built,
        "reflexion",
        memory={"task": "sums"},
        query_verifiers=(Silent(is_slow=True),),
        query_deadline=soon(),
    )
    assert outcome.report.stop_reason is StopReason.DEADLINE
    assert outcome.report.steps is None
    assert built.memory.notes.of("default", "sums") == ()


@pytest.mark.parametrize("strategy", ["reflexion", "refine"])
async def test_a_verifier_that_cannot_run_finds_nothing_to_mend(
    strategy: str, make_query: MakeQuery, services: Build
) -> None:
    engine = always("1")
    outcome = await run(make_query, services(engine), strategy, query_verifiers=(Silent(),))
    assert outcome.report.answer == "1"
    assert not any(step.passed is False for step in outcome.report.steps or ())
    assert not any(draw.is_aside for draw in engine.drawn)
    assert outcome.report.samples.started <= 16


@pytest.mark.parametrize("is_slow", [False, True])
async def test_what_was_not_judged_in_time_is_no_evidence_against_training(
    is_slow: bool, make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine = adapted_engine()
    taught = engine.script

    def doubting(query: Query, draw: Draw) -> Reply:
        return taught(query, draw) if draw.adapter else Reply(f"#### {draw.index % 2 + 1}")

    engine.script = doubting
    built = services(engine)
    verifier = Silent(known=("1",), is_slow=is_slow)
    outcome = await run(
        make_query,
        built,
        "auto",
        query_verifiers=(verifier,),
        query_deadline=time.monotonic() + 3,
    )
    assert "9" in verifier.asked
    assert outcome.report.answer == "1"
    (tried,) = (each for each in outcome.tried if each.strategy == "ttt")
    assert tried.trained_tokens > 0, "its price is known all the same"
    assert tried.right is None
    assert effect_of(tried.right, tried.baseline, tried.same) is None
