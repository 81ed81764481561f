"""Harder questions judge once the usual ones are nearly all answered."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from adaptation.learning.candidates.kept import KeptHere
from adaptation.learning.candidates.scoring import by_wording
from adaptation.learning.distillation.budget import History
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.hardest import Foretold
from adaptation.learning.distillation.registry import JudgementList
from adaptation.learning.distillation.report import GenerationReport
from adaptation.learning.distillation.select import Records, Selection, select
from adaptation.learning.training.fake import FakeTrainer
from memory.types import Message, Record
from memory.versions.adapters import AdapterRegistry
from memory.versions.candidates import Candidate, Scores
from memory.versions.judgements import Judgement

Make = Callable[..., Record]
Memory = Callable[[list[Record]], Records]
HARD = "Which rope holds the old anchor of ship {}?"


@pytest.fixture
def both(record: Make) -> list[Record]:
    """Easy questions about lamps, and hard ones about ropes."""
    ropes = [
        record(i, messages=(Message(role="user", content=HARD.format(i)),)) for i in range(200, 300)
    ]
    return [*(record(i) for i in range(100)), *ropes]


def is_hard(record: Record) -> bool:
    return "rope" in record.question


def scored(record: Record, difficulty: float) -> Candidate:
    scores = Scores(
        tier=record.tier,
        difficulty=difficulty,
        perplexity=1.0,
        novelty=1.0,
        influence=0.0,
        tokens=4,
    )
    return Candidate(
        tenant="default",
        base_model="fake",
        adapter_id="ad_0",
        record_id=record.id,
        content="",
        chosen=True,
        scores=scores,
    )


def judged(before: float, asked: int = 32) -> Judgement:
    return Judgement(
        tenant="default",
        base_model="fake",
        adapter_id="ad_0",
        promoted=False,
        alpha=0.02,
        e_value=1.0,
        helped=0,
        hurt=0,
        before=before,
        after=before,
        train=9,
        seconds=1.0,
        record_ids=tuple(f"other_{i}" for i in range(asked)),
    )


def test_a_question_is_as_hard_as_those_like_it_whatever_its_own_answers_were(
    both: list[Record],
) -> None:
    rates = {record.id: 0.25 if is_hard(record) else 1.0 for record in both}
    held = [both[3], both[150]]
    learned = [record for record in both if record not in held]
    misleading = rates | {held[0].id: 0.0, held[1].id: 1.0}
    assert Foretold(misleading, by_wording)(held, learned) == [1.0, 0.25]
    assert Foretold({}, by_wording)(held, learned) == [0.0, 0.0]


def test_the_hardest_judge_first_and_which_are_held_out_stays(
    both: list[Record], records: Memory
) -> None:
    rates = Foretold({r.id: 0.0 if is_hard(r) else 1.0 for r in both}, by_wording)
    usual = select(records(both), "default", Selection())
    harder = select(records(both), "default", Selection(), rates=rates)
    n_hard = sum(map(is_hard, usual.holdout))
    assert 0 < n_hard < len(usual.holdout)
    assert all(map(is_hard, harder.holdout[:n_hard]))
    assert not any(map(is_hard, harder.holdout[n_hard:]))
    assert harder.train == usual.train
    assert (usual.hardest_first, harder.hardest_first) == (False, True)
    few = select(records(both), "default", Selection(max_holdout=8), rates=rates)
    assert all(map(is_hard, few.holdout))


async def _asked_first(
    both: list[Record], memory: Records, registry: AdapterRegistry, before: float
) -> tuple[GenerationReport, list[str]]:
    asked: list[str] = []

    def nothing(turns: tuple[Message, ...], adapter: str | None) -> str:
        asked.append(turns[-1].content)
        return "####"

    kept = KeptHere(considered=[scored(r, 0.0 if is_hard(r) else 1.0) for r in both])
    distiller = Distiller(
        memory,
        registry,
        FakeTrainer(answer=nothing),
        "fake",
        lambda text, record: text == record.answer,
        Settings(doubts=False, scores=False, rehearse=False, bare="learn"),
        probes=(),
        judgements=JudgementList([judged(before)]),
        kept=kept,
    )
    return await distiller.run("default"), asked


@pytest.mark.parametrize(("before", "hardest_first"), [(0.97, True), (0.9, False)])
async def test_after_saturation_a_generation_is_judged_by_harder_questions(
    both: list[Record],
    records: Memory,
    registry: AdapterRegistry,
    before: float,
    *,
    hardest_first: bool,
) -> None:
    report, asked = await _asked_first(both, records(both), registry, before)
    assert report.hardest_first == hardest_first
    assert all("rope" in question for question in asked[:16]) == hardest_first


def test_harder_questions_judge_on_though_they_are_not_nearly_all_answered() -> None:
    assert History((judged(0.97), judged(0.5))).saturated
    assert not History((judged(0.5),)).saturated
    aimed = judged(0.97).model_copy(
        update={"record_ids": tuple(f"question_{i}" for i in range(32))}
    )
    assert not History((aimed,)).saturated, "a suite judged, not the usual questions"
