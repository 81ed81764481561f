"""A run against a real HTTP server that is no Whet: asked, judged, paired, resumed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adaptation.evaluation.arms.arm import Settings
from adaptation.evaluation.errors import ServerGoneError
from adaptation.evaluation.examples import Library
from adaptation.evaluation.plan import Plan, World
from adaptation.evaluation.results import Results, load, open_results
from adaptation.evaluation.runner import Runner, applies, request_seed
from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.suite import Generated, Group
from adaptation.evaluation.target import Target
from adaptation.evaluation.teaching import Teacher
from adaptation.evaluation.trial import Trial
from adaptation.policy import Policy
from tests.adaptation.evaluation.peer import Peer
from tests.adaptation.evaluation.test_results import HEADER

STORIES = SUITES["stories"]


def plan_of(suite: Generated, n: int = 4) -> Plan:
    def drawn(split: Split) -> tuple[Solved, ...]:
        return tuple(suite.problems(n, split=split, seed=0, level=1))

    world = World(suite, 1, 0, drawn(Split.EVALUATION), drawn(Split.MEMORY))
    return Plan((world,), 0, Split.EVALUATION)


@dataclass
class Trials:
    """A way to run arms against the peer and read back what was kept."""

    peer: Peer
    path: Path
    kept: list[Trial] = field(default_factory=list)
    """As the last run held them."""

    def run(
        self, arms: Sequence[str], suite: Generated = STORIES, library: Library | None = None
    ) -> list[Trial]:
        async def whole() -> Results:
            async with Target(self.peer.url, None, first_pause_s=0.001) as target:
                results, writer = open_results(self.path, HEADER, fresh=False)
                settings = Settings(votes=5)
                teacher = Teacher(target, "test")
                runner = Runner(plan_of(suite), arms, target, library, teacher, settings, 2)
                try:
                    await runner.run(results, writer)
                finally:
                    writer.close()
                return results

        self.kept = asyncio.run(whole()).trials
        return load(self.path).trials

    def first_question(self) -> str:
        return plan_of(STORIES).worlds[0].problems[0].question


@pytest.fixture
def trials(peer: Peer, tmp_path: Path) -> Trials:
    return Trials(peer, tmp_path / "r.jsonl")


def test_one_sample_is_asked_plainly_and_judged_by_the_suite(trials: Trials) -> None:
    found = trials.run(["greedy", "one"])
    assert [t.right for t in found] == [True] * 8
    assert {body["temperature"] for body in trials.peer.asked} == {0.0, 1.0}
    assert all("adaptation" not in body for body in trials.peer.asked)
    assert all(t.generated_tokens == 3 for t in found)


def test_a_vote_counts_answers_and_shows_what_single_samples_are_worth(trials: Trials) -> None:
    found = trials.run(["vote"])
    assert all(t.right and t.any_right and t.share_right == 0.8 and t.samples == 5 for t in found)
    assert {body["n"] for body in trials.peer.asked} == {5}


def test_a_question_has_the_same_seed_in_every_arm(trials: Trials) -> None:
    trials.run(["one", "vote"])
    seeds: dict[str, set[int]] = {}
    for body in trials.peer.asked:
        seeds.setdefault(body["messages"][-1]["content"], set()).add(body["seed"])
    assert all(len(each) == 1 for each in seeds.values())
    assert request_seed(0, "a") != request_seed(1, "a")


def test_what_was_answered_is_not_asked_again(trials: Trials) -> None:
    first = trials.run(["one"])
    asked = len(trials.peer.asked)
    assert trials.run(["one"]) == first
    assert len(trials.peer.asked) == asked
    assert len(trials.run(["one", "vote"])) == 8


def test_a_server_that_comes_back_is_waited_for(trials: Trials) -> None:
    trials.peer.fail = lambda number: 503 if number in (1, 2) else 200
    found = trials.run(["one"])
    assert all(t.right for t in found)
    assert sum(t.retried for t in found) == 2


def test_a_server_that_stays_away_ends_the_run_and_nothing_is_lost(trials: Trials) -> None:
    trials.peer.fail = lambda number: 503 if number >= 3 else 200
    trials.peer.away = lambda: len(trials.peer.asked) >= 3
    with pytest.raises(ServerGoneError, match="the same command goes on"):
        trials.run(["one"])
    assert len(load(trials.path).trials) == 3
    trials.peer.fail, trials.peer.away = lambda number: 200, lambda: False
    found = trials.run(["one"])
    assert len(found) == 4
    assert all(t.right for t in found)


def test_a_question_that_always_fails_does_not_end_the_run(trials: Trials) -> None:
    trials.peer.fail_question = trials.first_question()
    found = trials.run(["one"])
    assert [t.error for t in found if t.refused] == ["request refused: Error code: 500 - broken"]
    assert sum(t.right for t in found) == 3


def test_a_question_that_could_not_be_judged_counts_once_when_it_is_asked_again(
    trials: Trials,
) -> None:
    trials.peer.fail_question = trials.first_question()
    trials.run(["one"])
    trials.peer.fail_question = None
    assert [t.right for t in trials.run(["one"])] == [True] * 4
    assert len(trials.kept) == 4


def test_a_reply_without_a_choice_is_refused_and_the_rest_goes_on(trials: Trials) -> None:
    trials.peer.choices = 0
    found = trials.run(["one"])
    assert {t.error for t in found} == {
        "request refused: the response is no chat completion with a choice"
    }


def test_a_refused_request_is_counted_and_the_rest_goes_on(trials: Trials) -> None:
    trials.peer.fail = lambda number: 400 if number == 0 else 200
    found = trials.run(["one"])
    refused = [t for t in found if t.refused]
    assert len(refused) == 1
    assert (refused[0].error or "").startswith("request refused: Error code: 400")
    assert "not now" in (refused[0].error or "")
    assert not refused[0].right
    assert sum(t.right for t in found) == 3


def test_a_verifier_that_raises_is_counted_and_not_swallowed(trials: Trials) -> None:
    def broken(problem: Solved, reply: str) -> bool:
        raise ZeroDivisionError("bad suite")

    suite = Generated("stories", Group.IN_DISTRIBUTION, STORIES.draw, range(1, 9), 1, broken)
    found = trials.run(["one"], suite)
    assert [t.error for t in found] == ["verifier raised ZeroDivisionError: bad suite"] * 4
    assert not any(t.right or t.refused for t in found)
    assert all(t.generated_tokens == 3 for t in found)


def test_demonstrations_are_earlier_turns_with_the_best_last(
    trials: Trials, tmp_path: Path
) -> None:
    library = Library(tmp_path / "library", "hashing", Policy(min_similarity=-1.0))
    try:
        found = trials.run(["demos-4", "copy"], library=library)
        assert all(t.right for t in found if t.case.arm == "demos-4")
        for body in trials.peer.asked:
            *shown, asked = body["messages"]
            chosen = library.neighbours(asked["content"], "stories")
            assert 0 < len(chosen) <= 4
            assert [turn["role"] for turn in shown] == ["user", "assistant"] * len(chosen)
            assert shown[-2]["content"] == chosen[0].record.question
            assert asked["content"] not in {turn["content"] for turn in shown}
        copied = [t for t in found if t.case.arm == "copy"]
        assert {t.generated_tokens for t in copied} == {0}
        assert all("####" in t.reply for t in copied)
    finally:
        library.close()


def test_arms_that_learn_are_not_put_to_guards() -> None:
    assert not applies("ttt", SUITES["refusal"])
    assert applies("ttt", SUITES["stories"])
    assert applies("consistency", SUITES["refusal"])
