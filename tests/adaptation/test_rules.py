"""The rule a vote gets: cold at first, then as the tenant's votes fell, above all those nearby."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adaptation.types import Query
from adaptation.voting.ballots import Ballots
from adaptation.voting.rules import Rules, patience
from adaptation.voting.stopping import BetaRule
from memory.embedding.embedder import create_embedder
from memory.errors import StorageUnavailableError
from memory.memory import LongTermMemory
from memory.types import Completion, Draft, Message, Neighbour, PastVote, Tier

MakeQuery = Callable[..., Query]
TWO = Ballots((0, 0))
AGREED = PastVote(leader=6, runner_up=0, rest=0)
SPLIT = PastVote(leader=2, runner_up=2, rest=4)


@pytest.fixture
def memory(data_dir: Path) -> Iterator[LongTermMemory]:
    memory = LongTermMemory.open(data_dir, create_embedder("hashing"))
    yield memory
    memory.close()


def note(memory: LongTermMemory, vote: PastVote, times: int = 60, tenant: str = "default") -> None:
    for number in range(times):
        memory.completions.append(
            Completion(
                id=f"{vote}{number}", tenant=tenant, messages=(), text="", answer=None, vote=vote
            )
        )
    memory.completions.flush()


def neighbour(memory: LongTermMemory, question: str) -> Neighbour:
    messages = (Message(role="user", content=question),)
    draft = Draft(
        tenant="default", messages=messages, answer="1", rationale="1", tier=Tier.IMPORTED
    )
    memory.save(draft)
    return memory.recall("default", question, k=1)[0]


async def sure_of_two(
    rules: Rules, query: Query, *close: Neighbour, trained: bool = False
) -> float:
    """How sure the rule is of a leader with two votes of two."""
    return (await rules.of(query, close, trained=trained)).leader_probability(TWO)


async def test_votes_that_agreed_make_a_rule_sure_and_splits_make_it_doubt(
    memory: LongTermMemory, make_query: MakeQuery
) -> None:
    rules = Rules("bayesian", memory.votes, refresh_s=0)
    cold = await sure_of_two(rules, make_query())
    note(memory, SPLIT)
    doubtful = await sure_of_two(rules, make_query())
    note(memory, AGREED, times=600)
    assert doubtful < cold < await sure_of_two(rules, make_query())
    assert await sure_of_two(rules, make_query(), trained=True) == cold
    assert await sure_of_two(rules, replace(make_query(), tenant="bob")) == cold


async def test_votes_on_questions_like_this_one_count_most(
    memory: LongTermMemory, make_query: MakeQuery
) -> None:
    rules, hard = Rules("bayesian", memory.votes, refresh_s=0), neighbour(memory, "What is hard?")
    note(memory, AGREED, times=200)
    note(memory, SPLIT.model_copy(update={"near": hard.record.id}), times=20)
    assert await sure_of_two(rules, make_query(), hard) < await sure_of_two(rules, make_query())


async def test_a_seeded_request_stops_where_it_stopped_before(
    memory: LongTermMemory, make_query: MakeQuery
) -> None:
    rules, query = Rules("bayesian", memory.votes, refresh_s=0), make_query(query_seed=1)
    before = await sure_of_two(rules, query)
    note(memory, AGREED)
    assert await sure_of_two(rules, query) == before
    assert not rules.learns_from(query)
    assert rules.learns_from(make_query())


async def test_without_storage_the_prior_is_the_cold_one(
    memory: LongTermMemory, make_query: MakeQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = Rules("bayesian", memory.votes, refresh_s=0)
    cold = await sure_of_two(rules, make_query())
    note(memory, AGREED)

    def broken(*_: object, **__: object) -> None:
        raise StorageUnavailableError("the disk is gone")

    monkeypatch.setattr(memory.votes, "count", broken)
    assert await sure_of_two(rules, make_query()) == cold


async def test_a_vote_does_not_wait_for_what_it_can_do_without(
    memory: LongTermMemory, make_query: MakeQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold = await sure_of_two(Rules("bayesian", memory.votes), make_query())
    rules, answered, reads = Rules("bayesian", memory.votes), threading.Event(), []
    note(memory, AGREED)
    count = memory.votes.count

    def slow(*args: Any, **keywords: Any) -> Any:
        reads.append(args)
        answered.wait(30)
        return count(*args, **keywords)

    monkeypatch.setattr(memory.votes, "count", slow)
    for _ in range(2):
        assert await sure_of_two(rules, make_query()) == cold
    answered.set()
    while await sure_of_two(rules, make_query()) == cold:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert len(reads) == 1, "what came too late for one vote is there for the next"
    assert patience(make_query(query_deadline=time.monotonic() + 1)) <= 0.1


async def test_a_rule_without_a_prior_reads_no_votes(
    memory: LongTermMemory, make_query: MakeQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(memory.votes.__class__, "count")
    rules = Rules("beta", memory.votes)
    assert isinstance(await rules.of(make_query(), ()), BetaRule)
    assert not rules.learns_from(make_query())
