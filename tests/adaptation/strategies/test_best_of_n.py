"""Best of N: verifiers first, then a reward model, then how sure each sample was of itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.options import Strategy
from adaptation.pipeline import answer
from adaptation.report import AnswerCount, Report, StopReason
from adaptation.rewards.reward_model import CONFIDENCE, RewardError
from adaptation.services import Services
from adaptation.types import Draw, Query, Sample
from adaptation.verifiers import build_verifiers

MakeQuery = Callable[..., Query]
Build = Callable[..., Services]

IS_SEVEN = {"type": "string_check", "operation": "eq", "reference": "7"}
BEST = {"strategy": Strategy.BEST_OF_N, "query_seed": 1}


class FakeRewards:
    """Scores by what a reply holds; of what it does not know it thinks little."""

    def __init__(self, scores: dict[str, float], error: str | None = None) -> None:
        self._scores, self._error = scores, error
        self.judged: list[str] = []

    async def scores(self, query: Query, samples: Sequence[Sample]) -> list[float]:
        if self._error is not None:
            raise RewardError(self._error)
        self.judged += [sample.text for sample in samples]
        return [self._of(sample.text) for sample in samples]

    def _of(self, text: str) -> float:
        return next((score for part, score in self._scores.items() if part in text), 0.1)


def engine_of(*replies: str | Reply) -> FakeEngine:
    def script(query: Query, draw: Draw) -> Reply:
        reply = replies[draw.index % len(replies)]
        return reply if isinstance(reply, Reply) else Reply(f"So it is.\n#### {reply}")

    return FakeEngine(script)


def weights(votes: Sequence[AnswerCount] | None) -> dict[str | None, float | None]:
    return {vote.answer: vote.weight for vote in votes or ()}


def told(report: Report) -> str:
    """How the samples were judged."""
    (step,) = report.steps or ()
    return step.text


def asked(make_query: MakeQuery, samples: int, **more: Any) -> Query:
    return make_query(max_samples=samples, **BEST, **more)


async def test_a_reward_model_picks_the_answer_of_a_minority(
    make_query: MakeQuery, services: Build
) -> None:
    rewards = FakeRewards({"#### 7": 0.9, "#### 42": 0.2})
    built = replace(services(engine_of("42", "7", "42")), rewards=rewards)
    outcome = await answer(asked(make_query, 3), built)
    report = outcome.report
    assert (report.strategy, report.answer) == (Strategy.BEST_OF_N, "7")
    assert weights(report.votes) == {"7": 0.9, "42": 0.4}
    assert told(report) == "scored by the reward model"
    assert "#### 7" in outcome.samples[0].text
    assert report.confidence is not None
    assert report.confidence < 0.5, "it is not the mode"


async def test_scores_are_weights_and_many_middling_samples_outweigh_one_good(
    make_query: MakeQuery, services: Build
) -> None:
    rewards = FakeRewards({"#### 7": 0.9, "#### 42": 0.5})
    built = replace(services(engine_of("42", "7", "42")), rewards=rewards)
    report = (await answer(asked(make_query, 3), built)).report
    assert report.answer == "42"
    assert report.stop_reason is StopReason.EXHAUSTED


async def test_every_sample_is_drawn_even_where_all_agree(
    make_query: MakeQuery, services: Build
) -> None:
    report = (await answer(asked(make_query, 6), services(engine_of("42")))).report
    assert report.samples.finished == 6


async def test_verifiers_come_first_and_only_what_passes_is_scored(
    make_query: MakeQuery, services: Build
) -> None:
    rewards = FakeRewards({"#### 42": 0.99, "#### 7": 0.01})
    built = replace(services(engine_of("42", "7", "42", "9")), rewards=rewards)
    query = asked(make_query, 4, query_verifiers=await build_verifiers([IS_SEVEN]))
    report = (await answer(query, built)).report
    assert report.answer == "7"
    assert weights(report.votes) == {"7": 0.01, "42": 0.0, "9": 0.0}
    assert told(report) == "verified first, then scored by the reward model"
    assert rewards.judged == ["So it is.\n#### 7"]
    assert report.verification is not None
    assert report.verification[0].passed


async def test_of_verified_answers_one_without_a_score_still_has_a_say(
    make_query: MakeQuery, services: Build
) -> None:
    """Without log-probabilities nobody is sure of anything; no sample that failed may win by it."""
    query = asked(make_query, 4, query_verifiers=await build_verifiers([IS_SEVEN]))
    report = (await answer(query, services(engine_of("42", "42", "7", "42")))).report
    assert report.answer == "7"
    assert weights(report.votes) == {"7": 1.0, "42": 0.0}


async def test_where_nothing_passes_scores_choose_and_the_report_says_so(
    make_query: MakeQuery, services: Build
) -> None:
    built = replace(services(engine_of("42", "9")), rewards=FakeRewards({"#### 9": 0.9}))
    query = asked(make_query, 2, query_verifiers=await build_verifiers([IS_SEVEN]))
    report = (await answer(query, built)).report
    assert report.answer == "9"
    assert told(report) == "no sample was verified; scored by the reward model"
    assert report.verification is not None
    assert not report.verification[0].passed


async def test_without_a_reward_model_the_surest_answer_wins(
    make_query: MakeQuery, services: Build
) -> None:
    unsure, sure = Reply("So.\n#### 42", logprob=-2.0), Reply("So.\n#### 7", logprob=-0.1)
    report = (await answer(asked(make_query, 3), services(engine_of(unsure, sure, unsure)))).report
    assert report.answer == "7"
    assert told(report) == f"scored by {CONFIDENCE}"


async def test_where_nothing_tells_samples_apart_they_vote(
    make_query: MakeQuery, services: Build
) -> None:
    report = (await answer(asked(make_query, 3), services(engine_of("7", "42", "42")))).report
    assert report.answer == "42"
    assert weights(report.votes) == {"42": 2.0, "7": 1.0}


@pytest.mark.parametrize("why", ["it gave a score that is no number", "its process died"])
async def test_a_reward_model_that_fails_is_left_out_and_said(
    make_query: MakeQuery, services: Build, why: str
) -> None:
    unsure, sure = Reply("So.\n#### 42", logprob=-2.0), Reply("So.\n#### 7", logprob=-0.1)
    built = replace(services(engine_of(unsure, sure)), rewards=FakeRewards({}, error=why))
    report = (await answer(asked(make_query, 2), built)).report
    assert report.answer == "7"
    assert told(report) == f"scored by {CONFIDENCE}"
    assert report.reason == f"the reward model was left out: {why}"


async def test_of_free_texts_the_best_scored_is_served_and_all_are_drawn(
    make_query: MakeQuery, services: Build
) -> None:
    """Without a judge the one in their middle would be taken, after four of them."""
    texts = [f"A tale of {animal} and of nothing else." for animal in ("ants", "bees", "cows")]
    texts += ["A tale of dogs", "A tale of eels", "The best tale of all, told at last."]
    built = replace(
        services(engine_of(*map(Reply, texts))), rewards=FakeRewards({"The best": 0.95})
    )
    query = asked(make_query, 6, answer={"kind": "text"})
    outcome = await answer(query, built)
    assert outcome.report.samples.finished == 6
    assert outcome.samples[0].text.startswith("The best tale")


async def test_a_sample_that_was_cut_off_does_not_speak_for_its_answer(
    make_query: MakeQuery, services: Build
) -> None:
    cut = Reply("At length, at great length.\n#### 7", finish_reason="length")
    whole = Reply("In short.\n#### 7")
    built = replace(services(engine_of(cut, whole)), rewards=FakeRewards({"At length": 0.9}))
    outcome = await answer(asked(make_query, 2), built)
    assert outcome.samples[0].text.startswith("In short")


async def test_a_verifier_that_is_late_leaves_what_it_passed_in_time(
    make_query: MakeQuery, services: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    from adaptation.verify import Checked, Checks

    real, seen = Checks.of, []

    async def late_at_the_third(self: Checks, sample: Sample, text: str | None) -> Checked:
        seen.append(sample.index)
        return Checked(is_late=True) if len(seen) == 3 else await real(self, sample, text)

    monkeypatch.setattr(Checks, "of", late_at_the_third)
    query = asked(
        make_query,
        4,
        query_verifiers=await build_verifiers([IS_SEVEN]),
        query_deadline=time.monotonic() + 60,
    )
    report = (await answer(query, services(engine_of("42", "7", "42", "42")))).report
    assert report.answer == "7"
    assert seen[:3] == [0, 1, 2]
    assert 3 not in seen
