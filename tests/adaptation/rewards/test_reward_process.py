"""The reward model's process: it scores, dies, comes back, and is never waited for in vain."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio

from adaptation.fake_engine import FakeEngine, Reply
from adaptation.options import Strategy
from adaptation.pipeline import answer
from adaptation.rewards import process
from adaptation.rewards.process import ProcessRewardModel
from adaptation.rewards.reward_model import RewardError
from adaptation.rewards.scorer import Scorer
from adaptation.said import Said
from adaptation.services import Services
from adaptation.types import Draw, Query, Sample

MakeQuery = Callable[..., Query]
Build = Callable[..., Services]

pytestmark = pytest.mark.asyncio(loop_scope="module")

REPLIES = ["It is 42.", "lamp", "No.", "lamp"]


def samples(*replies: str) -> list[Sample]:
    return [Sample(index, text, 4, "stop") for index, text in enumerate(replies)]


def rewarded(make_query: MakeQuery, **more: Any) -> Query:
    return make_query("What is 40 + 2?", **more)


def alive(rewards: ProcessRewardModel) -> psutil.Process:
    assert rewards.pid is not None
    return psutil.Process(rewards.pid)


async def until(condition: Callable[[], Any]) -> None:
    """Look at another process, which has no event to wait for."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@pytest_asyncio.fixture(loop_scope="module")
async def stopped(
    rewards: ProcessRewardModel, make_query: MakeQuery
) -> AsyncIterator[psutil.Process]:
    """The process, which does nothing until it goes on."""
    await rewards.scores(rewarded(make_query), samples("lamp"))
    found = alive(rewards)
    found.suspend()
    yield found
    if found.is_running():
        found.resume()


async def test_it_scores_what_its_model_scores_and_a_repeated_reply_once(
    rewards: ProcessRewardModel, make_query: MakeQuery, chat_model: Path
) -> None:
    await rewards.start()
    assert rewards.status == "ready"
    query = rewarded(make_query)
    found = await rewards.scores(query, samples(*REPLIES))
    turns = [message.turn() for message in query.messages]
    expected = Scorer(chat_model).scores([(turns, REPLIES)], time.monotonic() + 60)
    assert found == pytest.approx(expected, abs=1e-5)
    assert found[1] == found[3]
    assert all(0 < score < 1 for score in found)
    assert await rewards.scores(query, []) == []


async def test_what_is_said_is_scored_and_not_what_was_thought(
    rewards: ProcessRewardModel, make_query: MakeQuery
) -> None:
    (said,) = samples("Hm, lamp? No.")
    found = await rewards.scores(
        rewarded(make_query), [replace(said, parsed=Said("No.")), *samples("No.", "\ud800 lamp")]
    )
    assert found[0] == found[1] != found[2]


async def test_requests_that_come_together_share_a_batch(
    rewards: ProcessRewardModel, make_query: MakeQuery, stopped: psutil.Process
) -> None:
    sent: list[int] = []
    ask = rewards._ask

    async def noted(questions: list[Any], seconds: float) -> dict[str, Any]:
        sent.append(len(questions))
        return await ask(questions, seconds)

    rewards._ask = noted  # type: ignore[method-assign]
    query = rewarded(make_query)
    asking = [asyncio.create_task(rewards.scores(query, samples(text))) for text in "abcd"]
    await until(lambda: sent)
    stopped.resume()
    found = await asyncio.gather(*asking)
    del rewards._ask  # type: ignore[method-assign]
    assert sent in ([1, 3], [4]), "while the first is scored the others gather"
    alone = [await rewards.scores(query, samples(text)) for text in "abcd"]
    assert [score for (score,) in found] == pytest.approx([s for (s,) in alone], abs=1e-5)


async def test_what_one_request_holds_is_not_the_fault_of_those_beside_it(
    rewards: ProcessRewardModel, make_query: MakeQuery, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = rewards._ask

    async def poisoned(questions: list[Any], seconds: float) -> dict[str, Any]:
        is_poisoned = any("poison" in replies for _, replies in questions)
        return {"error": "IndexError: /a/path"} if is_poisoned else await ask(questions, seconds)

    await rewards.start()
    monkeypatch.setattr(rewards, "_ask", poisoned)
    query = rewarded(make_query)
    asking = [rewards.scores(query, samples(text)) for text in ("a", "b", "poison", "c")]
    *_, third, last = found = await asyncio.gather(*asking, return_exceptions=True)
    assert str(third) == "it could not score these replies"
    assert [len(each) for each in (*found[:2], last)] == [1, 1, 1]  # type: ignore[arg-type]
    assert rewards.status == "ready"


async def test_a_deadline_ends_the_wait_and_not_the_process(
    rewards: ProcessRewardModel, make_query: MakeQuery, stopped: psutil.Process
) -> None:
    began = time.monotonic()
    query = rewarded(make_query, query_deadline=began + 0.2)
    other = asyncio.create_task(rewards.scores(rewarded(make_query), samples("lamp")))
    with pytest.raises(RewardError, match="had no time"):
        await rewards.scores(query, samples("lamp"))
    assert time.monotonic() - began < 5
    stopped.resume()
    assert len(await other) == 1
    assert rewards.pid == stopped.pid


async def test_a_kill_in_the_middle_is_said_and_the_next_request_is_served(
    rewards: ProcessRewardModel, make_query: MakeQuery, stopped: psutil.Process
) -> None:
    asking = asyncio.create_task(rewards.scores(rewarded(make_query), samples("lamp")))
    await asyncio.sleep(0.1)
    os.kill(stopped.pid, signal.SIGKILL)
    with pytest.raises(RewardError, match="its process was killed by SIGKILL"):
        await asking
    assert len(await rewards.scores(rewarded(make_query), samples("lamp"))) == 1
    assert rewards.status == "ready"
    assert rewards.pid != stopped.pid


async def test_a_process_that_died_between_two_requests_costs_none_of_them(
    rewards: ProcessRewardModel, make_query: MakeQuery
) -> None:
    before = alive(rewards)
    before.kill()
    ended = os.WEXITED | os.WNOWAIT | os.WNOHANG  # with all its threads, and not yet reaped
    await until(lambda: os.waitid(os.P_PID, before.pid, ended))
    assert len(await rewards.scores(rewarded(make_query), samples("lamp"))) == 1
    assert rewards.pid != before.pid


async def test_a_process_that_hangs_is_replaced(
    rewards: ProcessRewardModel,
    make_query: MakeQuery,
    stopped: psutil.Process,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(process, "GRACE_S", 0.1)
    query = rewarded(make_query, query_deadline=time.monotonic() + 0.1)
    with pytest.raises(RewardError):
        await rewards.scores(query, samples("lamp"))
    await until(lambda: rewards.pid != stopped.pid)
    monkeypatch.undo()
    assert len(await rewards.scores(rewarded(make_query), samples("lamp"))) == 1
    assert rewards.pid != stopped.pid


async def test_best_of_n_with_a_killed_judge_goes_by_confidence_and_says_so(
    rewards: ProcessRewardModel,
    make_query: MakeQuery,
    services: Build,
    stopped: psutil.Process,
) -> None:
    def script(query: Query, draw: Draw) -> Reply:
        unsure, sure = Reply("So.\n#### 42", logprob=-2.0), Reply("So.\n#### 7", logprob=-0.1)
        return sure if draw.index else unsure

    built = replace(services(FakeEngine(script)), rewards=rewards)
    query = rewarded(make_query, max_samples=2, strategy=Strategy.BEST_OF_N)
    asking = asyncio.create_task(answer(query, built))
    await asyncio.sleep(0.3)
    stopped.kill()
    report = (await asking).report
    assert report.answer == "7"
    assert report.reason is not None
    assert report.reason.startswith("the reward model was left out: its ")


async def test_best_of_n_takes_the_answer_that_the_model_likes_best(
    rewards: ProcessRewardModel, make_query: MakeQuery, services: Build
) -> None:
    said = ["So.\n#### 42", "Hence.\n#### 42", "It is.\n#### 7"]

    def script(query: Query, draw: Draw) -> Reply:
        return Reply(said[draw.index])

    built = replace(services(FakeEngine(script)), rewards=rewards)
    query = rewarded(make_query, max_samples=3, strategy=Strategy.BEST_OF_N, query_seed=1)
    scores = await rewards.scores(query, samples(*said))
    report = (await answer(query, built)).report
    assert report.votes is not None
    weighed = {vote.answer: vote.weight for vote in report.votes}
    expected = {"42": scores[0] + scores[1], "7": scores[2]}
    assert weighed == pytest.approx(expected, abs=1e-3)
    assert report.answer == max(expected, key=lambda each: expected[each])
    assert "score" in report.seconds


async def test_numbers_that_are_none_are_left_out_and_said(
    nan_model: Path, make_query: MakeQuery, services: Build
) -> None:
    rewards = ProcessRewardModel(nan_model, threads=1)
    engine = FakeEngine(lambda query, draw: Reply("So.\n#### 42", logprob=-0.1))
    built = replace(services(engine), rewards=rewards)
    query = rewarded(make_query, max_samples=2, strategy=Strategy.BEST_OF_N)
    report = (await answer(query, built)).report
    assert report.answer == "42"
    why = "the reward model was left out: it gave a score that is no number"
    assert report.reason == why
    await rewards.close()


async def test_a_model_that_cannot_be_loaded_is_tried_again_later_and_later(
    tmp_path: Path,
    chat_model: Path,
    make_query: MakeQuery,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)  # what vLLM imports leaves the root at errors
    shutil.copytree(chat_model, tmp_path, dirs_exist_ok=True)
    (tmp_path / "model.safetensors").write_bytes(b"none")
    monkeypatch.setattr(process, "FIRST_PAUSE_S", 1.0)
    rewards = ProcessRewardModel(tmp_path, threads=1)
    with pytest.raises(RewardError, match="it cannot be loaded: "):
        await rewards.start()
    assert rewards.status == "failed: it cannot be loaded: the log says why"
    assert "SafetensorError" in caplog.text, "said in full, unlike what clients are told"
    with pytest.raises(RewardError, match="it cannot be loaded"):
        await rewards.scores(rewarded(make_query), samples("lamp"))
    whole = (chat_model / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole)
    await until(lambda: rewards.status == "ready")
    assert len(await rewards.scores(rewarded(make_query), samples("lamp"))) == 1
    await rewards.close()


async def test_the_process_takes_the_device_that_is_asked_for(
    chat_model: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)  # as above
    rewards = ProcessRewardModel(chat_model, threads=1, device="cuda:127")
    with pytest.raises(RewardError, match="it cannot be loaded: "):
        await rewards.start()
    assert "cuda" in caplog.text.lower()
    await rewards.close()


async def test_once_closed_it_is_of_no_use_and_leaves_no_process(
    chat_model: Path, make_query: MakeQuery
) -> None:
    rewards = ProcessRewardModel(chat_model, threads=1)
    await rewards.start()
    left = alive(rewards)
    left.suspend()
    asking = [asyncio.create_task(rewards.scores(rewarded(make_query), samples(c))) for c in "ab"]
    await asyncio.sleep(0.1)
    await rewards.close()
    for task in asking:
        with pytest.raises(RewardError, match="closed"):
            await task
    _, living = psutil.wait_procs([left], timeout=10)
    assert not living
    for refused in (rewards.start(), rewards.scores(rewarded(make_query), samples("lamp"))):
        with pytest.raises(RewardError, match="closed"):
            await refused
