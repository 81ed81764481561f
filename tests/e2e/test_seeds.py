"""A seeded request repeats itself: alone whatever the model, beside others the built-in one.

`TEST_REAL_MODEL` names the folder of a further model (`WHET_` would make it a setting). In bfloat16
a batch of another shape rounds otherwise: nothing is promised of a real model beside others, in a
vote, whose samples are each other's company, or where the first request fills the prefix cache.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.e2e.running import Running, serving

BUILT_IN = "whet-pebble"
MODELS = [BUILT_IN, *filter(None, [os.environ.get("TEST_REAL_MODEL")])]
QUESTIONS = (
    "What is 87 - 58 + 29?",
    "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?",
    "Name three colours.",
)
VOTED = {"strategy": "consistency", "max_samples": 4, "memory": {"read": False, "write": False}}
PLAIN = {"strategy": "plain"}
OTHERS = 6
ALONE = (
    *("--served-model-name", "real", "--max-model-len", "2048"),
    *("--train-steps", "0", "--no-enable-prefix-caching"),
)
"""Flags of the further model's server."""


class Asked(NamedTuple):
    server: Running
    model: str

    def said(self, question: str, adaptation: dict[str, Any]) -> tuple[str, Any]:
        """Return what a seeded request is answered with, and its votes."""
        answer = self.server.chat(
            question, self.model, seed=11, temperature=1, max_tokens=24, adaptation=adaptation
        )
        return answer["choices"][0]["message"]["content"], answer["adaptation"]["votes"]


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: Path(model).name)
def asked(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Asked]:
    if request.param == BUILT_IN:
        yield Asked(request.getfixturevalue("server"), BUILT_IN)
        return
    folder = tmp_path_factory.mktemp("real")
    with serving(folder / "data", folder / "log", "--model", request.param, *ALONE) as running:
        yield Asked(running, "real")


def test_a_seeded_request_repeats_itself_on_an_idle_server(asked: Asked) -> None:
    for question in QUESTIONS:
        assert asked.said(question, PLAIN) == asked.said(question, PLAIN)


def test_a_seeded_vote_repeats_itself_with_the_built_in_model(server: Running) -> None:
    built_in = Asked(server, BUILT_IN)
    for question in QUESTIONS:
        assert built_in.said(question, VOTED) == built_in.said(question, VOTED)


def test_the_built_in_model_repeats_itself_beside_others(server: Running) -> None:
    built_in = Asked(server, BUILT_IN)
    alone = [built_in.said(question, VOTED) for question in QUESTIONS]
    with ThreadPoolExecutor(OTHERS + 1) as pool:
        others = [
            pool.submit(server.chat, f"What is {number} + 17?", adaptation=VOTED)
            for number in range(OTHERS)
        ]
        beside = [built_in.said(question, VOTED) for question in QUESTIONS]
        for other in others:
            other.result()
    assert beside == alone
