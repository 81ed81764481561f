"""A server with a reward model and a schedule of temperatures, on the real engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from tests.adaptation.rewards.conftest import make_pair_model
from tests.e2e.running import Running, serving, wait_until

STORY = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"
BEST = {"max_samples": 4, "memory": {"read": False, "write": False}}


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("judged")
    flags = ["--reward-model", str(make_pair_model(folder / "model"))]
    flags += ["--temperatures", "0.5,0.9", "--vote-weight", "novelty"]
    with serving(folder / "data", folder / "server.log", *flags) as running:
        yield running


def best(running: Running) -> dict[str, Any]:
    report: dict[str, Any] = running.chat(STORY, "whet-pebble:best_of_n", adaptation=BEST)[
        "adaptation"
    ]
    return report


def judge(running: Running) -> psutil.Process:
    return next(p for p in running.children() if "adaptation.rewards.worker" in p.cmdline())


def test_samples_are_scored_by_the_model_and_the_memory_it_holds_is_shown(judged: Running) -> None:
    report = best(judged)
    assert report["strategy"] == "best_of_n"
    assert report["steps"][0]["text"] == "scored by the reward model"
    assert report["samples"]["finished"] == 4
    assert all(0 < vote["weight"] < vote["count"] for vote in report["votes"])
    assert report["seconds"]["score"] > 0
    ready = judged.get("/ready").json()
    assert ready["rewards"] == "ready"
    assert "reward model" in ready["resident"]


def test_a_killed_reward_model_costs_no_answer_and_comes_back(judged: Running) -> None:
    before = judge(judged)
    before.kill()
    assert best(judged)["answer"] is not None
    wait_until(lambda: judged.get("/ready").json()["rewards"] == "ready", 60, "its return")
    assert judge(judged).pid != before.pid
    assert best(judged)["steps"][0]["text"] == "scored by the reward model"


def test_votes_weigh_by_how_new_their_steps_are(judged: Running) -> None:
    asked = {"max_samples": 4, "confidence": 0.9999, "memory": {"read": False, "write": False}}
    report = judged.chat(STORY, adaptation=asked)["adaptation"]
    assert 0 <= report["novelty"] <= 1
    weights = [vote["weight"] for vote in report["votes"]]
    assert 1 <= sum(weights) < sum(vote["count"] for vote in report["votes"])
