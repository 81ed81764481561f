"""Drafting tokens changes how fast an answer comes, and not which: greedy, voted and adapted.

With CUDA only: on a CPU it is refused, see `test_start_refused`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import torch

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.split import Split
from tests.e2e.running import Running, as_jsonl, serving

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

DRAFTS = {"method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 4}
STORY = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"
QUESTIONS = ("What is 87 - 58 + 29?", STORY, "Name three colours.", "What is 6 * 7?")
QUIET = {"memory": {"write": False}}


@pytest.fixture(scope="module")
def drafting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("drafting")
    # Beside the shared server, which takes 0.6 of the device.
    flags = ["--speculative-config", json.dumps(DRAFTS), "--gpu-memory-utilization", "0.2"]
    with serving(folder / "data", folder / "server.log", *flags) as running:
        yield running


@pytest.mark.parametrize("question", QUESTIONS)
def test_greedy_answers_are_the_same_with_drafts_and_without(
    server: Running, drafting: Running, question: str
) -> None:
    without, with_drafts = (
        running.chat(question, temperature=0, max_tokens=64, adaptation={"strategy": "plain"})
        for running in (server, drafting)
    )
    assert with_drafts["choices"][0]["message"] == without["choices"][0]["message"]
    assert drafting.metric("vllm:spec_decode_num_drafts_total") > 0


def test_a_vote_with_drafts_comes_to_the_same(drafting: Running) -> None:
    report = drafting.chat(STORY, adaptation={"max_samples": 6, **QUIET})["adaptation"]
    assert report["answer"] == "14"
    assert report["agreement"] > 0.5


def test_an_adapter_is_trained_accepted_and_sampled_with_drafts(drafting: Running) -> None:
    taught, asked = (
        SUITES["jargon"].problems(count, split=split, seed=1, level=2, world=5)
        for count, split in ((64, Split.MEMORY), (1, Split.EVALUATION))
    )
    assert drafting.post("/v1/memory/import", content=as_jsonl(taught)).json()["imported"] == 64
    answer = drafting.chat(asked[0].question, model="whet-pebble:ttt", adaptation=QUIET)
    assert answer["adaptation"]["strategy"] == "ttt"
    assert answer["adaptation"]["adapter"]["accepted"]
