"""Votes as an operator may configure them, on the real engine."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from server.tuning.calibrations import FILE
from tests.e2e.running import Running, serving

STORY = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"
BAR = {"bar": 0.0, "agreement": 0.95, "votes": 300, "accepted": 300, "agreed": 299}


@pytest.fixture(scope="module")
def instructed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Draws every sample, gives two instructions in turn, asks the model about free texts."""
    folder = tmp_path_factory.mktemp("instructed")
    told = folder / "instructions.txt"
    told.write_text("Work step by step.\n\nCheck every sum.\n", "utf-8")
    flags = ["--instructions", str(told), "--free-text", "ask", "--stopping-rule", "beta"]
    flags += ["--vote-weight", "group_confidence"]
    with serving(folder / "data", folder / "server.log", *flags) as running:
        yield running


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Takes every first sample that has an answer; tells a model's reasoning from its reply."""
    folder = tmp_path_factory.mktemp("calibrated")
    (folder / "data").mkdir()
    (folder / "data" / FILE).write_text(json.dumps({"whet-pebble": BAR}), "utf-8")
    flags = ["--reasoning-parser", "granite"]
    flags += ["--structured-outputs-config", '{"enable_in_reasoning": true}']
    with serving(folder / "data", folder / "server.log", *flags) as running:
        yield running


def test_instructions_take_turns_and_are_named_with_the_votes(instructed: Running) -> None:
    asked = {"max_samples": 6, "confidence": 0.9999}
    report = instructed.chat(STORY, adaptation=asked)["adaptation"]
    assert sum(vote["count"] for vote in report["votes"]) >= 4
    assert {i for vote in report["votes"] for i in vote["instructions"]} == {0, 1, 2}


def test_a_request_with_tools_is_not_reworded(instructed: Running) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
    report = instructed.chat(STORY, tools=[tool], adaptation={"max_samples": 3})["adaptation"]
    assert all("instructions" not in vote for vote in report["votes"])


def test_free_texts_are_judged_by_the_model_on_the_same_bill(instructed: Running) -> None:
    answer = instructed.chat(
        "Tell me a story.",
        max_tokens=200,
        min_tokens=24,  # no two alike
        seed=7,
        stop=["e"],  # each comes to an end: of what was cut off nothing is judged
        adaptation={"temperature": 2.0, "answer": {"kind": "text"}},
    )
    report = answer["adaptation"]
    assert [vote["count"] for vote in report["votes"]] == [1] * 4, report
    assert report["samples"]["started"] == 5, "four texts, and the model's word on them"
    spent = sum(report["tokens"][kind] for kind in ("returned", "losing", "cancelled"))
    assert answer["usage"]["completion_tokens"] == spent


def test_a_first_sample_above_the_bar_is_all_that_is_drawn(calibrated: Running) -> None:
    report = calibrated.chat(STORY)["adaptation"]
    assert (report["stop_reason"], report["samples"]["started"]) == ("single", 1)
    assert report["answer"] == "14"
    assert report["memory"]["saved"] is None, "one sample is no evidence"
    assert calibrated.chat(STORY, n=2)["adaptation"]["samples"]["started"] >= 2
    asked = {"confidence": 0.99}
    assert calibrated.chat(STORY, adaptation=asked)["adaptation"]["samples"]["started"] >= 2


def test_the_winners_reasoning_is_streamed_as_reasoning(calibrated: Running) -> None:
    said = "Here is my thought process: 12+7=19. 19-5=14. Here is my response: #### 14"
    stream = calibrated.openai.chat.completions.create(
        model="whet-pebble",
        messages=[{"role": "user", "content": STORY}],
        stream=True,
        n=2,
        extra_body={"structured_outputs": {"choice": [said]}},
    )
    deltas = [choice for chunk in stream for choice in chunk.choices]
    for index in range(2):
        mine = [choice.delta.model_dump() for choice in deltas if choice.index == index]
        reasoning = [delta["reasoning"] for delta in mine if delta.get("reasoning")]
        content = [delta["content"] for delta in mine if delta.get("content")]
        assert "".join(reasoning).strip() == "12+7=19. 19-5=14."
        assert "".join(content).strip() == "#### 14"
        assert len(reasoning) > 3, "piece by piece"
