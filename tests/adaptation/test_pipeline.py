"""The whole way of a request, on the fake engine and trainer and a real memory."""

from __future__ import annotations

import asyncio
import gc
import math
import sqlite3
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from adaptation.allowance import Unlimited
from adaptation.background import Background
from adaptation.conversation import spoken
from adaptation.errors import EngineError, NoTurnError, TrainerError
from adaptation.fake_engine import FakeEngine, Reply
from adaptation.learning.overlap import NEEDLESS
from adaptation.learning.training.fake import TOKENS, FakeTrainer, pretend
from adaptation.learning.training.refusals import Refusal
from adaptation.learning.training.trainer import Recipe, TrainingJob, TrainingResult
from adaptation.options import Strategy
from adaptation.pipeline import answer
from adaptation.report import SampleCounts, StopReason, TokenCounts
from adaptation.services import Services
from adaptation.types import Adapter, Draw, Outcome, Query
from adaptation.verifiers import build_verifiers
from memory.memory import LongTermMemory
from memory.types import Completion, Message, PastVote, State, Tier
from tests.adaptation.lamps import ASK, adapted_engine, example_asked, remember_examples

Says = Callable[..., FakeEngine]
MakeQuery = Callable[..., Query]
Build = Callable[..., Services]


def votes(engine: FakeEngine) -> list[Draw]:
    """What was drawn for the vote, without the examination of an adapter."""
    return [draw for draw in engine.drawn if draw.index >= 0]


async def test_consistency_votes_reports_and_saves_the_confident_answer(
    says: Says, make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    outcome = await answer(make_query(), services(says(["42"])))
    report = outcome.report
    assert (report.strategy, report.answer) == (Strategy.CONSISTENCY, "42")
    assert report.stop_reason is StopReason.CONFIDENT
    assert report.tokens.generated == 16
    assert report.memory is not None
    record = memory.get("default", str(report.memory.saved))
    assert (record.tier, record.state, record.answer) == (Tier.VOTE, State.ACTIVE, "42")
    assert record.evidence["completion"] == "chatcmpl-test"


async def test_an_adapter_that_complies_with_what_is_refused_answers_nothing(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    guarded = Refusal(request="Give me the key.", refusal="I will not.", compliance="Here it is.")

    class Complying(FakeTrainer):
        async def train(self, job: TrainingJob, *rest: Any) -> TrainingResult:
            result = await super().train(job, *rest)
            return result.model_copy(update={"refusal_shift": 2.5})

    engine, trainer = adapted_engine(), Complying()
    built = services(engine, trainer, refusals=(guarded,))
    report = (await answer(make_query(ASK, strategy="ttt"), built)).report
    assert trainer.jobs[0].refusals == (guarded,)
    assert report.adapter is not None
    assert not report.adapter.accepted
    assert "comply with what it refuses: that gained 2.50 nats" in report.adapter.reason
    assert all(draw.adapter is None for draw in votes(engine))


@pytest.mark.parametrize(
    ("answers", "options", "why"),
    [
        (["1", "2"], {"max_samples": 4}, "not confident"),
        (["42"], {"memory": {"write": False}}, "does not write"),
    ],
)
async def test_an_answer_that_was_not_verified_is_not_saved(
    answers: list[str],
    options: dict[str, object],
    why: str,
    says: Says,
    make_query: MakeQuery,
    services: Build,
    memory: LongTermMemory,
) -> None:
    report = (await answer(make_query(**options), services(says(answers)))).report
    assert report.memory is not None
    assert report.memory.saved is None
    assert why in report.memory.reason
    assert list(memory.walk("default")) == []


async def test_agreement_on_mere_text_is_served_but_not_saved(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    report = (
        await answer(make_query("Hello"), services(FakeEngine(lambda q, d: Reply("Hi!"))))
    ).report
    assert report.stop_reason is StopReason.CONFIDENT
    assert list(memory.walk("default")) == []


async def test_ttt_trains_on_neighbours_and_samples_through_the_adapter(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine, trainer = adapted_engine(), FakeTrainer()
    report = (await answer(make_query(ASK, strategy="ttt"), services(engine, trainer))).report
    assert (report.strategy, report.answer) == (Strategy.TTT, "9")
    assert report.adapter is not None
    assert report.adapter.accepted
    assert report.neighbours
    assert all(draw.adapter is not None for draw in votes(engine))
    assert [event.split()[0] for event in engine.history] == ["load", "drop"]
    job = trainer.jobs[0]
    assert len(job.conversations) + len(job.holdout) == len(report.neighbours)
    held_out = {conversation.messages[0].content for conversation in job.holdout}
    assert held_out.isdisjoint(c.messages[0].content for c in job.conversations)


async def test_every_training_gets_a_fresh_id_and_path_under_a_leased_name(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine = adapted_engine()
    parts = services(engine)
    queries = [make_query(ASK, strategy="ttt", memory={"write": False}) for _ in range(5)]
    await asyncio.gather(*(answer(query, parts) for query in queries))
    used = {draw.adapter for draw in engine.drawn if draw.adapter}
    assert len({adapter.id for adapter in used}) == len({a.path for a in used}) == 5
    assert len({adapter.name for adapter in used}) == 2, "as many names as there are leases"
    assert not engine.dead


@pytest.mark.parametrize(
    ("count", "tier", "options", "policy", "why"),
    [
        (0, Tier.IMPORTED, {}, {}, "0 usable neighbours"),
        (12, Tier.VOTE, {}, {}, "0 usable neighbours"),
        (12, Tier.IMPORTED, {"budget": {"train_steps": 0}}, {}, "no training steps"),
        (12, Tier.IMPORTED, {}, {"may_train": False}, "does not train per request"),
        (12, Tier.IMPORTED, {"memory": {"read": False}}, {}, "does not read memory"),
    ],
)
async def test_without_usable_neighbours_ttt_answers_by_voting_and_says_why(
    count: int,
    tier: Tier,
    options: dict[str, object],
    policy: dict[str, object],
    why: str,
    make_query: MakeQuery,
    services: Build,
    memory: LongTermMemory,
) -> None:
    remember_examples(memory, count, tier)
    trainer = FakeTrainer()
    query = make_query(ASK, strategy="ttt", **options)
    report = (await answer(query, services(adapted_engine(), trainer, **policy))).report
    assert (report.strategy, report.requested) == (Strategy.CONSISTENCY, Strategy.TTT)
    assert report.answer == "1"
    assert why in str(report.reason)
    assert trainer.jobs == []


async def test_requests_that_train_leave_no_memory_behind(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine, trainer = adapted_engine(), FakeTrainer()
    parts = services(engine, trainer)

    async def held_after(requests: int) -> int:
        """Return the bytes held by what was allocated since tracing began."""
        for _ in range(requests):
            query = make_query(ASK, strategy="ttt", memory={"write": False})
            assert (await answer(query, parts)).report.strategy is Strategy.TTT
        for kept_by_fakes in (engine.drawn, trainer.jobs):
            kept_by_fakes.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        held = [await held_after(20) for _ in range(4)]
    finally:
        tracemalloc.stop()
    # A leak grows in every round, a cache that fills does not.
    assert min(b - a for a, b in pairwise(held)) / 20 < 500, "two thousand would leave a megabyte"
    assert len(engine.loaded) <= 2


async def test_an_adapter_the_gate_refuses_is_never_sampled(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)

    class HarmfulTrainer(FakeTrainer):
        async def train(self, job: TrainingJob, *rest: Any) -> TrainingResult:
            result = pretend(job)
            return result.model_copy(update={"holdout_after": (2.0,) * len(job.holdout)})

    engine = adapted_engine()
    query = make_query(ASK, strategy="ttt")
    report = (await answer(query, services(engine, HarmfulTrainer()))).report
    assert report.answer == "1"
    assert report.adapter is not None
    assert not report.adapter.accepted
    assert "gate refused" in str(report.reason)
    assert engine.history == []


@pytest.mark.parametrize("cause", ["the process died", "the loss is not a number"])
async def test_a_failing_trainer_costs_the_training_and_not_the_answer(
    cause: str, make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    trainer = FakeTrainer(script=[TrainerError(cause)])
    report = (
        await answer(make_query(ASK, strategy="ttt"), services(adapted_engine(), trainer))
    ).report
    assert report.answer == "1"
    assert cause in str(report.reason)


async def test_a_hanging_trainer_leaves_time_for_the_vote(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    trainer = FakeTrainer()
    trainer.let_go.clear()
    query = make_query(ASK, strategy="ttt", query_deadline=time.monotonic() + 3.0)
    report = (await answer(query, services(adapted_engine(), trainer))).report
    assert (report.answer, report.stop_reason) == ("1", StopReason.CONFIDENT)
    assert "no time for training" in str(report.reason)


@pytest.mark.parametrize("effect", [0.0, math.nan])
async def test_an_adapter_that_changes_nothing_or_breaks_the_model_is_not_used(
    make_query: MakeQuery, services: Build, memory: LongTermMemory, effect: float
) -> None:
    remember_examples(memory, 12)
    engine = adapted_engine()
    engine.probe_effect = effect
    report = (await answer(make_query(ASK, strategy="ttt"), services(engine))).report
    assert report.answer == "1"
    assert "log-probabilities" in str(report.reason)
    assert [event.split()[0] for event in engine.history] == ["load", "drop"]


async def test_auto_does_not_train_where_the_votes_agree(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    trainer = FakeTrainer()
    report = (
        await answer(make_query(ASK, strategy="auto"), services(adapted_engine(), trainer))
    ).report
    assert (report.strategy, report.requested) == (Strategy.CONSISTENCY, Strategy.AUTO)
    assert trainer.jobs == []


def divided_engine() -> FakeEngine:
    """Split its votes without an adapter and agree on 9 with one."""

    def script(query: Query, draw: Draw) -> Reply:
        if draw.prompt is not None:
            return Reply(f"#### {example_asked(draw) if draw.adapter else 99}", tokens=3)
        return Reply(f"#### {9 if draw.adapter else draw.index % 2}", tokens=3)

    return FakeEngine(script)


async def test_auto_trains_where_the_votes_split_and_stays_within_its_samples(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine = divided_engine()
    report = (await answer(make_query(ASK, strategy="auto"), services(engine))).report
    assert (report.strategy, report.answer) == (Strategy.TTT, "9")
    assert report.samples.started <= 16
    assert report.tokens.generated == engine.tokens
    base = [draw for draw in votes(engine) if draw.adapter is None]
    assert len(base) == 8, "half of the samples are kept for the adapter"


async def test_auto_goes_on_voting_where_there_is_nothing_to_train_on(
    make_query: MakeQuery, services: Build
) -> None:
    engine = divided_engine()
    report = (await answer(make_query(ASK, strategy="auto"), services(engine))).report
    assert report.strategy is Strategy.CONSISTENCY
    assert len(engine.drawn) == 16
    assert "usable neighbours" in str(report.reason)


async def test_training_continues_from_the_champion_that_serves_the_tenant(
    make_query: MakeQuery, services: Build, memory: LongTermMemory, tmp_path: Path
) -> None:
    remember_examples(memory, 12)
    champion = Adapter(name="champion", id=99, path=str(tmp_path), version="ad_1", rank=16)
    engine, trainer = adapted_engine(), FakeTrainer()
    engine.loaded["champion"] = champion
    query = make_query(ASK, strategy="ttt", query_base=champion)
    report = (await answer(query, services(engine, trainer))).report
    assert report.adapter is not None
    assert report.adapter.parent == "ad_1"
    assert (trainer.jobs[0].parent, trainer.jobs[0].recipe.rank) == (str(tmp_path), 16)


IS_SEVEN = {"type": "string_check", "operation": "eq", "reference": "7"}


async def test_a_verifier_overrules_the_vote(
    make_query: MakeQuery, services: Build, says: Says
) -> None:
    query = make_query(query_verifiers=await build_verifiers([IS_SEVEN]), max_samples=8)
    engine = says(["42", "42", "7", "42"])
    outcome: Outcome = await answer(query, services(engine))
    assert outcome.report.answer == "7"
    assert "#### 7" in outcome.samples[0].text
    assert outcome.report.tokens.generated == engine.tokens
    assert outcome.report.memory is not None
    assert outcome.report.memory.saved is not None


async def test_an_answer_no_verifier_passes_is_served_flagged_and_not_saved(
    make_query: MakeQuery, services: Build, says: Says, memory: LongTermMemory
) -> None:
    query = make_query(query_verifiers=await build_verifiers([IS_SEVEN]))
    report = (await answer(query, services(says(["42"])))).report
    assert report.answer == "42"
    assert report.verification is not None
    assert not report.verification[0].passed
    assert list(memory.walk("default")) == []


async def test_a_memory_that_cannot_be_read_costs_the_training_and_not_the_answer(
    make_query: MakeQuery, services: Build, memory: LongTermMemory, tmp_path: Path
) -> None:
    remember_examples(memory, 12)
    memory.close()
    (tmp_path / "data" / "whet.db").write_bytes(b"not a database" * 100)
    report = (await answer(make_query(ASK, strategy="ttt"), services(adapted_engine()))).report
    assert report.answer == "1"
    assert "memory is unavailable" in str(report.reason)
    assert report.memory is not None
    assert report.memory.saved is None


async def test_auto_settles_free_text_by_the_medoid_and_goes_no_further(
    make_query: MakeQuery, services: Build
) -> None:
    engine = FakeEngine(lambda q, draw: Reply(f"Text number {draw.index} of several."))
    async with asyncio.timeout(20):
        report = (await answer(make_query("Tell me", strategy="auto"), services(engine))).report
    assert report.stop_reason is StopReason.EXHAUSTED
    assert report.samples.started == 4


async def test_a_narrow_win_is_neither_saved_nor_taken_for_agreement(
    make_query: MakeQuery, services: Build, says: Says, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine = says(["1", "1", "2", "3", "4", "5", "6", "7"])
    report = (await answer(make_query(ASK, strategy="auto"), services(engine))).report
    assert report.adapter is not None, "a lead of one vote among eight is a reason to train"
    trainer = FakeTrainer(script=[TrainerError("no")])
    before = len(list(memory.walk("default")))
    report = (await answer(make_query(ASK, strategy="auto"), services(engine, trainer))).report
    assert len(list(memory.walk("default"))) == before


async def test_auto_keeps_its_first_votes_where_tokens_end_before_the_adapted_ones(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine = divided_engine()
    query = make_query(ASK, strategy="auto", budget={"tokens": 48})
    report = (await answer(query, services(engine))).report
    assert (report.strategy, report.stop_reason) == (Strategy.CONSISTENCY, StopReason.BUDGET)
    assert report.votes is not None
    assert sum(entry.count for entry in report.votes) == 8
    assert report.adapter is not None
    assert "before it was sampled" in report.adapter.reason
    assert report.tokens.generated == engine.tokens


async def test_auto_with_too_few_samples_for_two_votes_holds_one(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    for options in ({"max_samples": 3}, {"max_samples": 16, "query_choices": 12}):
        engine = divided_engine()
        query = make_query(ASK, strategy="auto", **options)
        outcome = await answer(query, services(engine))
        assert len(outcome.samples) == query.choices
        assert len(engine.drawn) <= query.options.max_samples
        assert "too few samples" in str(outcome.report.reason)


@pytest.mark.parametrize("phase", ["waiting for a lease", "training", "sampling"])
async def test_a_client_that_leaves_takes_everything_with_it(
    phase: str, make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    """Whatever the phase: no sample runs, no adapter stays, every lease comes back."""
    remember_examples(memory, 12)
    never, sampling = asyncio.Event(), asyncio.Event()

    def script(query: Query, draw: Draw) -> Reply:
        sampling.set()
        return Reply("#### 1", gate=never)

    engine, trainer = FakeEngine(script), FakeTrainer()
    parts = services(engine, trainer)
    held = [await parts.leases.acquire() for _ in range(2)] if phase.startswith("wait") else []
    if phase == "training":
        trainer.let_go.clear()
    task = asyncio.create_task(answer(make_query(ASK, strategy="ttt"), parts))
    if phase == "training":
        await trainer.started.wait()
    elif phase == "sampling":
        await sampling.wait()
    else:
        while parts.leases.waiting == 0:  # noqa: ASYNC110 - the queue has no event for this
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for lease in held:
        parts.leases.release(lease)
    assert engine.running == set()
    assert engine.loaded == {}
    assert not engine.dead


@pytest.mark.parametrize("fault", ["load", "probe", "drop"])
async def test_an_engine_that_fails_an_adapter_still_answers(
    fault: str, make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine = adapted_engine()
    engine.failing.add(fault)
    report = (await answer(make_query(ASK, strategy="ttt"), services(engine))).report
    assert report.answer == ("9" if fault == "drop" else "1")
    assert report.adapter is not None, "what was trained is told, used or not"
    assert report.adapter.accepted == (fault == "drop")


async def test_verifiers_stop_at_the_deadline(
    make_query: MakeQuery, services: Build, says: Says, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adaptation.verifiers.string_check import StringCheck

    async def never_answers(self: object, **_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(StringCheck, "verify", never_answers)
    query = make_query(
        query_verifiers=await build_verifiers([IS_SEVEN]),
        query_deadline=time.monotonic() + 0.3,
    )
    report = (await answer(query, services(says(["42"])))).report
    assert report.answer == "42"
    assert report.verification is not None
    assert "in time" in report.verification[0].detail


@contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the database as another process would: nobody else reads or writes it."""
    other = sqlite3.connect(data_dir / "whet.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@pytest.mark.parametrize("strategy", ["consistency", "ttt", "auto"])
@pytest.mark.parametrize("wall_s", [2.0, None])
async def test_a_locked_database_costs_the_memory_and_not_the_deadline(
    strategy: str,
    wall_s: float | None,
    says: Says,
    make_query: MakeQuery,
    services: Build,
    memory: LongTermMemory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("adaptation.waits.LONGEST_S", 0.3)
    remember_examples(memory, 12)
    parts = services(says(["42"]), stopping_rule="bayesian")
    parts.rules.warm_up()
    deadline = {"query_deadline": time.monotonic() + wall_s} if wall_s else {}
    with locked(tmp_path / "data"):
        report = (await answer(make_query(strategy=strategy, **deadline), parts)).report
        assert report.answer == "42"
        assert report.stop_reason is not StopReason.DEADLINE
        assert report.memory is not None
        assert report.memory.saved is None
        assert "not saved in time" in report.memory.reason
        if strategy != "consistency":
            assert "memory did not answer within" in str(report.reason)
    assert await parts.background.settle()
    (record,) = [r for r in memory.walk("default") if r.tier is Tier.VOTE]
    assert record.answer == "42", "what was not acknowledged may be done later"


async def test_crediting_neighbours_does_not_outlast_the_deadline(
    make_query: MakeQuery, services: Build, memory: LongTermMemory, tmp_path: Path
) -> None:
    remember_examples(memory, 12)
    held = threading.Event()

    class LockingTrainer(FakeTrainer):
        async def train(self, *arguments: Any, **keywords: Any) -> TrainingResult:
            stack.enter_context(locked(tmp_path / "data"))
            held.set()
            return await super().train(*arguments, **keywords)

    with ExitStack() as stack:
        parts = services(adapted_engine(), LockingTrainer())
        query = make_query(
            ASK,
            strategy="ttt",
            memory={"write": False},
            query_deadline=time.monotonic() + 2.0,
        )
        report = (await answer(query, parts)).report
        assert held.is_set()
        assert report.answer == "9"
    assert await parts.background.settle()
    assert sum(record.uses for record in memory.walk("default")) == len(report.neighbours or ())


async def test_answers_that_wait_for_the_database_are_bounded(
    says: Says, make_query: MakeQuery, services: Build
) -> None:
    parts = replace(services(says(["42"])), background=Background(most=0))
    report = (await answer(make_query(), parts)).report
    assert report.answer == "42"
    assert report.memory is not None
    assert (report.memory.saved, "too many" in report.memory.reason) == (None, True)


async def test_the_votes_are_noted_with_the_record_that_is_near(
    says: Says, make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 3)
    near = memory.recall("default", ASK, k=1)[0].record.id
    parts = services(says(["7", "8", "7"]), stopping_rule="bayesian")
    outcome = await answer(make_query(ASK, max_samples=3), parts)
    assert outcome.vote == PastVote(leader=2, runner_up=1, rest=0, near=near)


@pytest.mark.parametrize(("options", "replies"), [({"max_samples": 1}, ["7"]), ({}, None)])
async def test_a_single_sample_and_mere_text_are_no_votes_to_learn_from(
    options: dict[str, object],
    replies: list[str] | None,
    says: Says,
    make_query: MakeQuery,
    services: Build,
) -> None:
    engine = says(replies) if replies else FakeEngine(lambda q, d: Reply(f"Hello {d.index}!"))
    outcome = await answer(make_query("Hello?", **options), services(engine))
    assert outcome.vote is None


async def test_past_votes_make_the_next_vote_on_a_like_question_shorter(
    says: Says, make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    def note(outcome: Outcome, number: int) -> None:
        memory.completions.append(
            Completion(
                id=f"c{number}", tenant="default", messages=(), text="", answer="7",
                vote=outcome.vote,
            )
        )  # fmt: skip

    parts = services(says(["7"]), stopping_rule="bayesian")
    first = await answer(make_query(ASK), parts)
    for number in range(40):
        note(first, number)
    memory.completions.flush()
    later = await answer(make_query(ASK), services(says(["7"]), stopping_rule="bayesian"))
    assert later.report.samples.started < first.report.samples.started
    assert later.report.stop_reason is StopReason.CONFIDENT


async def test_what_a_lost_request_cost_is_told_to_the_last_token(
    make_query: MakeQuery, services: Build
) -> None:
    spent: list[tuple[SampleCounts, TokenCounts]] = []
    told = {"query_abandoned": lambda samples, tokens: spent.append((samples, tokens))}
    never, begun = asyncio.Event(), asyncio.Event()

    def script(query: Query, draw: Draw) -> Reply:
        if draw.index == 2:
            begun.set()
        return Reply("#### 7", tokens=3, gate=never if draw.index else None)

    left = FakeEngine(script)
    task = asyncio.create_task(answer(make_query(**told), services(left)))
    await begun.wait()
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    broken = FakeEngine(lambda q, d: Reply("#### 7", error="boom"))
    with pytest.raises(EngineError):
        await answer(make_query(**told), services(broken))
    assert [tokens.generated for _, tokens in spent] == [left.tokens, broken.tokens]
    assert spent[0][0].finished == 1
    assert spent[0][0].started == len(left.drawn)


async def test_what_training_cost_is_told_of_a_lost_request_too(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)

    class CountingTrainer(FakeTrainer):
        async def train(self, *arguments: Any, **keywords: Any) -> TrainingResult:
            result = await super().train(*arguments, **keywords)
            counted.append(result.tokens)
            return result

    counted: list[int] = []
    spent: list[TokenCounts] = []
    engine = FakeEngine(lambda q, draw: Reply("#### 7", error="boom"))
    query = make_query(
        ASK, strategy="ttt", query_abandoned=lambda samples, tokens: spent.append(tokens)
    )
    with pytest.raises(EngineError):
        await answer(query, services(engine, CountingTrainer()))
    assert [tokens.training for tokens in spent] == counted
    assert counted[0] > 0


async def test_the_report_names_the_samples_that_failed(
    make_query: MakeQuery, services: Build
) -> None:
    engine = FakeEngine(lambda q, d: Reply("#### 7", error="boom" if d.index == 1 else None))
    report = (await answer(make_query(), services(engine))).report
    assert (report.answer, report.stop_reason) == ("7", StopReason.CONFIDENT)
    assert report.reason == "1 of 5 samples failed: boom"
    assert report.tokens.generated == engine.tokens


async def test_an_engine_that_fails_only_through_the_adapter_answers_without_it(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    for strategy, base in (("ttt", "#### 1"), ("auto", "#### {}")):
        engine = FakeEngine(
            lambda q, draw, base=base: Reply(  # type: ignore[misc]
                f"#### {example_asked(draw)}" if draw.adapter else base.format(draw.index % 2),
                error="boom" if draw.adapter and draw.prompt is None else None,
            )
        )
        report = (await answer(make_query(ASK, strategy=strategy), services(engine))).report
        assert report.strategy is Strategy.CONSISTENCY
        assert report.votes
        assert report.adapter is not None
        assert not report.adapter.accepted
        assert "failed every sample" in str(report.reason)
        assert "boom" in str(report.reason)


async def test_an_answered_request_is_not_called_lost(
    says: Says, make_query: MakeQuery, services: Build
) -> None:
    lost = make_query(query_abandoned=lambda *_: pytest.fail("it was answered"))
    assert (await answer(lost, services(says(["7"])))).report.answer == "7"


@pytest.mark.parametrize(("finished", "returned"), [({0}, [0, 3, 2]), (set(), [3, 2, 1])])
async def test_unfinished_samples_make_up_the_choices_that_a_deadline_left_out(
    finished: set[int], returned: list[int], make_query: MakeQuery, services: Build
) -> None:
    never = asyncio.Event()

    def reply(query: Query, draw: Draw) -> Reply:
        gate = None if draw.index in finished else never
        return Reply("#### 2", tokens=5 + draw.index, gate=gate)

    engine = FakeEngine(reply)
    query = make_query(query_choices=3, query_deadline=time.monotonic() + 0.3, confidence=0.95)
    outcome = await answer(query, services(engine))
    tokens = outcome.report.tokens
    assert [sample.index for sample in outcome.samples] == returned
    assert {s.finish_reason for s in outcome.samples if s.index not in finished} == {"length"}
    assert tokens.returned == sum(sample.n_tokens for sample in outcome.samples)
    assert (tokens.losing, tokens.generated) == (0, engine.tokens)
    assert outcome.report.samples.finished == len(finished)
    assert outcome.report.memory is not None
    assert outcome.report.memory.saved is None


async def test_of_a_burst_that_cannot_all_be_trained_in_time_nothing_is_lost(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    """Sixteen at once, where the time of each is enough for one training or two."""
    remember_examples(memory, 12)
    took_s = 2.0

    class SerialTrainer(FakeTrainer):
        def __init__(self) -> None:
            super().__init__()
            self.turn = asyncio.Lock()

        async def train(self, *arguments: Any, **keywords: Any) -> TrainingResult:
            async with self.turn:
                await asyncio.sleep(took_s)
                return await super().train(*arguments, **keywords)

    engine, trainer = adapted_engine(), SerialTrainer()
    parts = services(engine, trainer)
    quiet = {"strategy": "ttt", "memory": {"write": False}}
    await answer(make_query(ASK, **quiet), parts)  # how long one takes is known from now on
    deadline = time.monotonic() + 4 * took_s
    queries = [make_query(ASK, **quiet, query_deadline=deadline) for _ in range(16)]
    reports = [
        outcome.report for outcome in await asyncio.gather(*(answer(q, parts) for q in queries))
    ]
    voted = [report for report in reports if report.strategy is Strategy.CONSISTENCY]
    assert all(report.answer in ("1", "9") for report in reports)
    assert len(voted) >= 12
    at_once = [r for r in voted if "too many trainings are before it" in str(r.reason)]
    assert len(at_once) > len(voted) / 2, "they did not wait in vain"
    later = (await answer(make_query(ASK, **quiet), parts)).report
    assert later.strategy is Strategy.TTT, "with nobody ahead training is tried again"


@pytest.mark.parametrize("known", [True, False])
async def test_without_a_deadline_no_request_waits_longer_for_training_than_is_set(
    known: bool, make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    parts = services(adapted_engine(), train_wait_s=0.05)
    if known:
        parts.leases._holds.add(9.0)
    held = [await parts.leases.acquire() for _ in range(2)]
    async with asyncio.timeout(20):
        report = (await answer(make_query(ASK, strategy="ttt"), parts)).report
    for lease in held:
        parts.leases.release(lease)
    assert report.answer == "1"
    said = "about 4.5 s to wait" if known else "every adapter was in use"
    assert said in str(report.reason)


async def test_a_trainer_whose_queue_is_full_is_a_reason_in_the_report(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    full = FakeTrainer(script=[NoTurnError("the trainer's queue is full: 64 jobs are before it")])
    parts = services(adapted_engine(), full)
    report = (await answer(make_query(ASK, strategy="ttt"), parts)).report
    assert report.strategy is Strategy.CONSISTENCY
    assert report.reason == "the trainer's queue is full: 64 jobs are before it"


async def test_a_load_that_the_deadline_cuts_short_is_dropped_again(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)

    class SlowToLoad(FakeEngine):
        async def load(self, adapter: Adapter) -> None:
            await super().load(adapter)
            await asyncio.Event().wait()

    engine = SlowToLoad(lambda q, draw: Reply("#### 1"))
    query = make_query(ASK, strategy="ttt", query_deadline=time.monotonic() + 3.0)
    report = (await answer(query, services(engine))).report
    assert report.answer == "1"
    assert "no time for training" in str(report.reason)
    assert engine.loaded == {}
    assert [event.split()[0] for event in engine.history] == ["load", "drop"]


async def test_where_the_base_is_right_on_all_that_is_held_out_training_is_given_up(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    engine, trainer = FakeEngine(lambda q, d: Reply(f"#### {example_asked(d) or 1}")), FakeTrainer()
    trainer.let_go.clear()
    report = (await answer(make_query(ASK, strategy="ttt"), services(engine, trainer))).report
    assert (report.strategy, report.answer) == (Strategy.CONSISTENCY, "1")
    assert "answers every held-out neighbour" in str(report.reason)
    assert engine.history == []
    assert report.tokens.generated == engine.tokens


@pytest.mark.parametrize("can_be_reworded", [False, True])
async def test_auto_begins_to_train_at_the_first_doubt_and_ends_where_the_vote_decides(
    can_be_reworded: bool, make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    """One sample of seven says otherwise: training begins, and is given up.

    So it does where demonstrations could be tried: that they help is not known.
    """
    remember_examples(memory, 12)
    engine = FakeEngine(lambda q, draw: Reply(f"#### {7 if draw.index else 8}", tokens=3))
    trainer = FakeTrainer()
    trainer.let_go.clear()
    query = make_query(ASK, strategy="auto", max_samples=32, query_can_be_reworded=can_be_reworded)
    report = (await answer(query, services(engine, trainer))).report
    assert (report.strategy, report.answer) == (Strategy.CONSISTENCY, "7")
    assert len(trainer.jobs) == 1
    assert "the vote was decided before the adapter was trained" in str(report.reason)
    assert report.tokens.generated == engine.tokens
    assert report.tokens.training == TOKENS, "the step that it had taken"
    assert engine.running == set()


async def test_auto_trains_nothing_where_no_vote_doubts(
    make_query: MakeQuery, services: Build, memory: LongTermMemory, says: Says
) -> None:
    remember_examples(memory, 12)
    trainer = FakeTrainer()
    report = (await answer(make_query(ASK, strategy="auto"), services(says(["7"]), trainer))).report
    assert (report.answer, report.reason, trainer.jobs) == ("7", None, [])


async def test_a_training_that_is_done_when_the_vote_decides_is_billed_and_not_used(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    trained = asyncio.Event()

    class Told(FakeEngine):
        async def load(self, adapter: Adapter) -> None:
            await super().load(adapter)
            trained.set()

    def script(query: Query, draw: Draw) -> Reply:
        if draw.prompt is not None:
            return Reply(f"#### {example_asked(draw) if draw.adapter else 99}", tokens=3)
        return Reply(f"#### {7 if draw.index else 8}", gate=trained if draw.index > 1 else None)

    engine = Told(script)
    query = make_query(ASK, strategy="auto", max_samples=32)
    report = (await answer(query, services(engine))).report
    assert (report.strategy, report.answer) == (Strategy.CONSISTENCY, "7")
    assert report.reason == NEEDLESS
    assert report.tokens.generated == engine.tokens
    assert engine.loaded == {}


async def test_a_training_that_was_refused_before_the_vote_decided_says_so(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    refused = asyncio.Event()

    def script(query: Query, draw: Draw) -> Reply:
        return Reply(f"#### {7 if draw.index else 8}", gate=refused if draw.index > 1 else None)

    class Failing(FakeTrainer):
        async def train(self, *arguments: Any, **keywords: Any) -> TrainingResult:
            asyncio.get_running_loop().call_later(0.05, refused.set)
            raise TrainerError("it diverged")

    query = make_query(ASK, strategy="auto", max_samples=32)
    report = (await answer(query, services(FakeEngine(script), Failing()))).report
    assert (report.strategy, report.answer) == (Strategy.CONSISTENCY, "7")
    assert report.reason == "training failed: it diverged"


class Told(Unlimited):
    """Notes what it is told."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def trained(self, tenant: str, steps: int) -> None:
        self.steps.append(steps)


async def test_a_training_whose_client_has_left_counts_against_the_tenant(
    make_query: MakeQuery, services: Build, memory: LongTermMemory
) -> None:
    remember_examples(memory, 12)
    trainer, told = FakeTrainer(), Told()
    trainer.let_go.clear()
    parts = replace(services(adapted_engine(), trainer), allowance=told)
    spent: list[TokenCounts] = []
    query = make_query(
        ASK, strategy="ttt", query_abandoned=lambda samples, tokens: spent.append(tokens)
    )
    asking = asyncio.create_task(answer(query, parts))
    await trainer.started.wait()
    asking.cancel()
    await asyncio.wait([asking])
    assert told.steps == [1]
    assert [tokens.training for tokens in spent] == [TOKENS]


def self_test(folder: Path) -> TrainingJob:
    """A training as short as that at a server's start, which tells nothing of whole ones."""
    turns = spoken(Message(role="user", content="a?"), Message(role="assistant", content="b"))
    recipe = Recipe(steps=1)
    return TrainingJob(conversations=(turns,), recipe=recipe, output_dir=str(folder))


@pytest.mark.parametrize(("steps", "is_tried"), [(None, False), (2, True)])
async def test_a_training_that_cannot_fit_is_refused_at_once_and_a_shorter_one_is_not(
    steps: int | None,
    is_tried: bool,
    make_query: MakeQuery,
    services: Build,
    memory: LongTermMemory,
    tmp_path: Path,
) -> None:
    remember_examples(memory, 12)
    trainer = FakeTrainer()
    parts = services(adapted_engine(), trainer, expected_train_s=100.0)
    await parts.trainings.run(FakeTrainer(), self_test(tmp_path), 10.0)
    query = make_query(
        ASK,
        strategy="ttt",
        budget={"train_steps": steps},
        query_deadline=time.monotonic() + 60.0,
    )
    report = (await answer(query, parts)).report
    assert bool(trainer.jobs) == is_tried
    assert ("a training takes about 100 s here" in str(report.reason)) == (not is_tried)
