"""The proving ground in small, through the real engine: directions with generous margins."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from server.cli import main
from tests.e2e.running import Running

SUITES = ("stories", "jargon", "conversation")
ARMS = ("one", "vote", "consistency", "demos-8", "ttt")
QUESTIONS = 12


@pytest.fixture(scope="module")
def figures(
    server: Running, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], dict[str, Any]]:
    """The figures of every suite and arm of one run."""
    folder: Path = tmp_path_factory.mktemp("eval")
    words = [
        "eval",
        "--url",
        server.url,
        "--teach",
        "--data-dir",
        str(folder),
        "-n",
        str(QUESTIONS),
    ]
    words += ["--suite", *SUITES, "--strategy", *ARMS, "--json", str(folder / "found.json")]
    assert main(words) == 0
    found = json.loads((folder / "found.json").read_text())
    return {(suite["name"], arm["arm"]): arm for suite in found["suites"] for arm in suite["arms"]}


def right(figures: dict[tuple[str, str], dict[str, Any]], suite: str, arm: str) -> float:
    value: float = figures[suite, arm]["right"]["value"]
    return value


def test_every_arm_was_asked_every_question_without_an_error(
    figures: dict[tuple[str, str], dict[str, Any]],
) -> None:
    for arm in figures.values():
        asked = (arm["n"], arm["verifier_errors"], arm["request_errors"])
        assert asked == (QUESTIONS, 0, 0)
    assert ("conversation", "ttt") not in figures


def test_a_private_world_is_learned_by_training_and_not_by_voting(
    figures: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert right(figures, "jargon", "ttt") >= right(figures, "jargon", "consistency") + 0.3
    assert right(figures, "jargon", "demos-8") >= right(figures, "jargon", "consistency") + 0.2


def test_training_does_no_harm_to_what_the_model_can_do(
    figures: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert right(figures, "stories", "ttt") >= right(figures, "stories", "consistency") - 0.25


def test_a_vote_is_no_worse_than_one_sample_and_stopping_early_spends_less(
    figures: dict[tuple[str, str], dict[str, Any]],
) -> None:
    assert right(figures, "stories", "vote") >= right(figures, "stories", "one") - 0.2
    spent = {arm: figures["stories", arm]["generated_tokens"] for arm in ("vote", "consistency")}
    assert spent["consistency"] < spent["vote"]


def test_the_model_keeps_its_manners(figures: dict[tuple[str, str], dict[str, Any]]) -> None:
    assert right(figures, "conversation", "one") >= 0.7


def test_nothing_is_left_in_the_servers_memory(
    server: Running, figures: dict[tuple[str, str], dict[str, Any]]
) -> None:
    assert figures["jargon", "ttt"]["training_total"] > 0
    records = server.get("/v1/memory/records?limit=500").json()["data"]
    taught = [r for r in records if (r["task"] or "").startswith("whet-eval/")]
    assert {record["state"] for record in taught} <= {"erased"}
