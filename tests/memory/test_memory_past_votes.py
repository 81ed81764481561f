"""How past votes fell: what is counted, for whom, and what is forgotten."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from memory.history import past_votes
from memory.memory import LongTermMemory
from memory.types import Completion, PastVote

Build = Callable[..., Completion]


def keep(memory: LongTermMemory, *completions: Completion) -> None:
    for each in completions:
        memory.completions.append(each)
    memory.completions.flush()


def test_a_vote_comes_back_with_its_completion(memory: LongTermMemory, completion: Build) -> None:
    vote = PastVote(leader=3, runner_up=1, rest=2, trained=True, near="rec_1")
    keep(memory, completion("c1", vote=vote), completion("c2"))
    assert memory.completions.get("ann", "c1").vote == vote
    assert memory.completions.get("ann", "c2").vote is None


def test_votes_are_counted_by_tenant_by_training_and_by_nearness(
    memory: LongTermMemory, completion: Build
) -> None:
    split = PastVote(leader=2, runner_up=1, rest=1, near="rec_2")
    agreed = PastVote(leader=4, runner_up=0, rest=0, near="rec_1")
    keep(
        memory,
        completion("c1", vote=split),
        completion("c2", vote=agreed),
        completion("c3", vote=agreed),
        completion("c4"),
        completion("c5", vote=agreed.model_copy(update={"trained": True})),
        completion("c6", vote=agreed, tenant="bob"),
    )
    count = memory.votes.count
    assert count("ann", trained=False) == Counter({(4, 0, 0): 2, (2, 1, 1): 1})
    assert count("ann", trained=True) == Counter({(4, 0, 0): 1})
    assert count("ann", trained=False, near=["rec_2", "rec_9"]) == Counter({(2, 1, 1): 1})
    assert count("ann", trained=False, near=[]) == Counter()
    assert count("carl", trained=False) == Counter()


def test_only_the_newest_votes_count_and_a_pruned_one_does_not(
    memory: LongTermMemory, completion: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    for age, leader in enumerate((7, 5, 3)):
        vote = PastVote(leader=leader, runner_up=0, rest=0)
        keep(memory, completion(f"c{age}", vote=vote, created_at=now - timedelta(days=20 * age)))
    assert memory.votes.count("ann", trained=False).total() == 3
    memory.completions.prune()
    assert memory.votes.count("ann", trained=False) == Counter({(7, 0, 0): 1, (5, 0, 0): 1})
    monkeypatch.setattr(past_votes, "NEWEST", 1)
    assert memory.votes.count("ann", trained=False) == Counter({(7, 0, 0): 1})
