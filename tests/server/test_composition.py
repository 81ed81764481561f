"""Every way of asking, through the composed server: handlers, votes, adapters, memory, errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from adaptation.learning.training.adapter_files import WEIGHTS, write_config
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Tier
from memory.versions.adapters import NewVersion
from tests.server.composed import ASK, MODEL, STORY, Composed, Reply, Script, composed

Serve = Callable[..., AbstractAsyncContextManager[Composed]]
VOTED = {"strategy": "consistency", "memory": {"write": False}}
PLAIN = {"strategy": "plain", "memory": {"write": False}}
pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")


@pytest.fixture
def serve(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Return what serves a script."""

    def build(script: Script, **settings: Any) -> AbstractAsyncContextManager[Composed]:
        return composed(data_dir.parent, monkeypatch, script, **settings)

    return build


def saying(*answers: str) -> Script:
    """Answers in the order of the requests, over and over."""
    number = count()
    return lambda request: Reply(f"So it is.\n#### {answers[next(number) % len(answers)]}")


def by_adapter(request: Any) -> Reply:
    """Tell whether an adapter is applied."""
    return Reply("#### 2" if request.lora_request else "#### 1")


async def test_a_plain_answer_comes_whole_and_costs_one_sample(serve: Serve) -> None:
    async with serve(saying("14")) as server:
        answer = await server.chat(adaptation=PLAIN)
        assert answer["choices"][0]["message"]["content"] == "So it is.\n#### 14"
        assert answer["adaptation"]["strategy"] == "plain"
        assert answer["usage"]["completion_tokens"] == server.core.generated_tokens
        assert len(server.core.taken) == 1


async def test_a_vote_takes_the_commonest_answer_and_bills_every_token(serve: Serve) -> None:
    async with serve(saying("14", "15", "14")) as server:
        answer = await server.chat(adaptation=VOTED)
        report = answer["adaptation"]
        assert report["answer"] == "14"
        assert answer["choices"][0]["message"]["content"].endswith("#### 14")
        assert len(server.core.taken) == report["samples"]["started"] >= 3
        assert all(request.sampling_params.n == 1 for request in server.core.taken)
        assert answer["usage"]["completion_tokens"] == server.core.generated_tokens


@pytest.mark.parametrize("asked", [PLAIN, VOTED], ids=["plain", "voted"])
async def test_a_stream_says_what_the_whole_answer_says(
    serve: Serve, asked: dict[str, Any]
) -> None:
    async with serve(saying("14")) as server:
        chunks = await server.events("/v1/chat/completions", **ASK, adaptation=asked)
        deltas = [chunk["choices"][0] for chunk in chunks if chunk["choices"]]
        said = "".join(choice["delta"].get("content") or "" for choice in deltas)
        assert said == "So it is.\n#### 14"
        assert [c["adaptation"]["strategy"] for c in chunks if "adaptation" in c] == [
            asked["strategy"]
        ]


@pytest.mark.parametrize("asked", [PLAIN, VOTED], ids=["plain", "voted"])
async def test_each_choice_has_its_own_number_whole_and_streamed(
    serve: Serve, asked: dict[str, Any]
) -> None:
    async with serve(saying("14", "15")) as server:
        whole = await server.chat(n=2, adaptation=asked)
        chunks = await server.events("/v1/chat/completions", **ASK, n=2, adaptation=asked)
    assert [choice["index"] for choice in whole["choices"]] == [0, 1]
    texts = [choice["message"]["content"] for choice in whole["choices"]]
    assert {text[-2:] for text in texts} == {"14", "15"}
    streamed = {0: "", 1: ""}
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        streamed[choice["index"]] += choice["delta"].get("content") or ""
    assert {text[-2:] for text in streamed.values()} == {"14", "15"}


async def test_each_prompt_of_a_completion_is_voted_on(serve: Serve) -> None:
    def script(request: Any) -> Reply:
        return Reply("#### 1" if len(request.prompt_token_ids) < 8 else "#### 2")

    async with serve(script) as server:
        body = {"model": MODEL, "prompt": ["1 =", STORY], "adaptation": VOTED, "max_tokens": 20}
        whole = await server.post("/v1/completions", **body)
        chunks = await server.events("/v1/completions", **body)
    assert [(c["index"], c["text"]) for c in whole["choices"]] == [(0, "#### 1"), (1, "#### 2")]
    streamed = {0: "", 1: ""}
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        streamed[choice["index"]] += choice["text"]
    assert streamed == {0: "#### 1", 1: "#### 2"}


async def test_responses_are_voted_on_whole_and_streamed(serve: Serve) -> None:
    async with serve(saying("14")) as server:
        body = {"model": MODEL, "input": STORY, "adaptation": VOTED}
        whole = await server.post("/v1/responses", **body)
        events = await server.events("/v1/responses", **body)
    assert whole["output"][-1]["content"][0]["text"].endswith("#### 14")
    assert whole["adaptation"]["answer"] == "14"
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"]["adaptation"]["answer"] == "14"


async def test_the_champion_answers_every_request_that_names_the_base(
    serve: Serve, tmp_path: Path
) -> None:
    async with serve(by_adapter) as server:
        assert (await server.chat(adaptation=VOTED))["adaptation"]["answer"] == "1"
        promote(server.memory, tmp_path)
        await server.parts.champions.refresh()
        before = len(server.core.taken)
        for asked in (PLAIN, VOTED):
            answer = await server.chat(adaptation=asked)
            assert answer["choices"][0]["message"]["content"] == "#### 2"
            chunks = await server.events("/v1/chat/completions", **ASK, adaptation=asked)
            deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
            assert "".join(delta.get("content") or "" for delta in deltas) == "#### 2"
        message = {"model": MODEL, "max_tokens": 9, "messages": ASK["messages"]}
        assert (await server.post("/v1/messages", **message))["content"][0]["text"] == "#### 2"
        assert all(request.lora_request is not None for request in server.core.taken[before:])


async def test_ready_says_what_the_processes_hold(serve: Serve) -> None:
    async with serve(saying("14")) as server:
        ready = (await server.http.get("/ready")).json()
        assert re.match(r"server \d+\.\d GB", ready["resident"])
        assert "accelerator" not in ready
        server.trainer.device_bytes = 270_000_000
        assert (await server.http.get("/ready")).json()["accelerator"] == "trainer 0.3 GB"


async def test_a_request_trains_on_its_neighbours_and_votes_with_the_adapter(serve: Serve) -> None:
    async with serve(by_adapter) as server:
        server.memory.save_many([neighbour(number) for number in range(12)])
        answer = await server.chat(adaptation={**VOTED, "strategy": "ttt"})
        report = answer["adaptation"]
        assert report["strategy"] == "ttt"
        assert report["adapter"]["accepted"] is True
        assert report["answer"] == "2"
        assert "of 4 held-out neighbours the model has 0 right" in report["adapter"]["reason"]
        again = (await server.chat(adaptation={**VOTED, "strategy": "ttt"}))["adaptation"]
        assert "kept from an earlier request" in again["adapter"]["reason"]
        assert len(server.trainer.jobs) == 4, "three to warm up, and the first one's"
        assert len(server.core.loaded) == 1, "what is kept stays loaded, and nothing else does"


async def test_feedback_on_an_answer_becomes_a_record(serve: Serve) -> None:
    async with serve(saying("14")) as server:
        answer = await server.chat(adaptation={**PLAIN, "memory": {"write": True}})
        told = {"completion_id": answer["id"], "verdict": "correct"}
        assert (await server.http.post("/v1/feedback", json=told)).status_code == 200
        (record,) = server.memory.list("default")
        assert (record.answer, record.tier) == ("14", Tier.FEEDBACK)


@pytest.mark.parametrize("asked", [PLAIN, VOTED], ids=["plain", "voted"])
async def test_an_engine_that_dies_is_told_and_makes_the_server_unready(
    serve: Serve, asked: dict[str, Any]
) -> None:
    async with serve(lambda request: Reply("#### 1", kills=True)) as server:
        response = await server.http.post("/v1/chat/completions", json={**ASK, "adaptation": asked})
        assert response.status_code in (500, 503)
        assert set(response.json()["error"]) == {"message", "type", "param", "code"}
        assert (await server.http.get("/ready")).status_code == 503


async def test_one_requests_fault_leaves_the_engine_alive(serve: Serve) -> None:
    faults = iter([RuntimeError("a fault")])

    def script(request: Any) -> Reply:
        return Reply("#### 1", error=next(faults, None))

    async with serve(script) as server:
        response = await server.http.post("/v1/chat/completions", json={**ASK, "adaptation": PLAIN})
        assert response.status_code >= 400
        assert (await server.http.get("/ready")).status_code == 200
        assert (await server.chat(adaptation=PLAIN))["choices"][0]["message"]["content"]


def neighbour(number: int) -> Draft:
    """A question near the story, with the answer that `by_adapter` gives to all."""
    question = STORY.replace("12", str(20 + number))
    return Draft(
        tenant="default",
        task=None,
        messages=(Message(role="user", content=question),),
        answer="2",
        rationale="So it is.\n#### 2",
        tier=Tier.FEEDBACK,
        evidence={},
        confidence=1.0,
        model=MODEL,
        adapter=None,
    )


def promote(memory: LongTermMemory, folder: Path, ids: Sequence[str] = ()) -> None:
    """Put an adapter into the registry, as the champion."""
    trained = folder / "trained"
    trained.mkdir()
    write_config(trained, rank=8, base_model=MODEL, modules=["q_proj"])
    name = "base_model.model.model.layers.0.self_attn.q_proj"
    tensors = {
        f"{name}.lora_A.weight": np.ones((8, 4), np.float32),
        f"{name}.lora_B.weight": np.ones((4, 8), np.float32),
    }
    save_file(tensors, trained / WEIGHTS, metadata={"format": "pt"})
    version = memory.adapters.register(
        trained, NewVersion(tenant="default", base_model=MODEL, rank=8, record_ids=ids)
    )
    memory.adapters.promote("default", version.id)
