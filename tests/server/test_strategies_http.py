"""All ten strategies over HTTP, on vLLM's own handlers and a scripted engine."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from adaptation.learning.examiner import EXAMINING
from adaptation.options import Strategy
from adaptation.strategies import STRATEGIES
from server.config import Settings
from server.requests.effort import DEFAULT, Effort, effort_of, efforts
from tests.server.composed import MODEL, STORY, Composed, Reply, composed

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
Serve = Callable[..., AbstractAsyncContextManager[Composed]]
ASKED = [{"role": "user", "content": STORY}]
CHECKED = {"verifiers": [{"type": "math", "reference": "14"}]}
TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}
REWRITING = [strategy for strategy in Strategy if STRATEGIES[strategy].rewrites]


@pytest.fixture
def serve(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    return partial(composed, data_dir.parent, monkeypatch)


def said(request: Any) -> Reply:
    return Reply("12 + 7 - 5 = 14.\n#### 14")


def body(strategy: Strategy, **more: Any) -> dict[str, Any]:
    needs = CHECKED if STRATEGIES[strategy].verifies else {}
    return {"model": f"{MODEL}:{strategy}", "messages": ASKED, "adaptation": needs, **more}


@pytest.mark.parametrize("strategy", sorted(EXAMINING))
async def test_what_neighbours_answered_is_remembered_by_what_bounds_an_answer(
    serve: Serve, strategy: Strategy
) -> None:
    """A stop string of one request would make every neighbour wrong, for all that follow."""
    terms: list[str] = []
    async with serve(said) as server:
        server.client.answered = lambda query, outcome: terms.append(query.terms)
        for more in ({}, {"stop": ["="]}, {}):
            await server.post("/v1/chat/completions", **body(strategy, **more))
    usual, bounded, again = terms
    assert usual == again != bounded


@pytest.mark.parametrize("strategy", Strategy)
async def test_every_strategy_answers_whole_and_streamed(serve: Serve, strategy: Strategy) -> None:
    async with serve(said) as server:
        whole = await server.post("/v1/chat/completions", **body(strategy))
        assert whole["adaptation"]["requested"] == strategy
        assert whole["choices"][0]["message"]["content"].endswith("#### 14")
        streamed = await server.http.post("/v1/chat/completions", json=body(strategy, stream=True))
        chunks = [
            json.loads(line.removeprefix("data: "))
            for line in streamed.text.splitlines()
            if line.startswith("data: {")
        ]
        text = "".join(
            choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]
        )
        assert text.endswith("#### 14")
        (report,) = [chunk["adaptation"] for chunk in chunks if "adaptation" in chunk]
        assert report["requested"] == strategy


@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/v1/completions", {"prompt": STORY, "max_tokens": 64}),
        ("/v1/responses", {"input": STORY}),
    ],
)
async def test_elsewhere_than_in_chats_what_does_not_reword_answers(
    serve: Serve, path: str, asked: dict[str, Any]
) -> None:
    async with serve(said) as server:
        for strategy in Strategy:
            chat = body(strategy, **asked)
            del chat["messages"]
            answer = await server.http.post(path, json=chat)
            if strategy in REWRITING:
                error = answer.json()["error"]
                assert (answer.status_code, error["param"]) == (400, "adaptation.strategy")
            else:
                assert answer.json()["adaptation"]["requested"] == strategy
                assert text_of(answer.json()).endswith("#### 14")


def text_of(answer: dict[str, Any]) -> str:
    if "choices" in answer:
        text: str = answer["choices"][0]["text"]
        return text
    return "".join(part["text"] for part in answer["output"][-1]["content"])


@pytest.mark.parametrize(
    ("more", "reply", "finish"),
    [
        ({"tools": [TOOL]}, '<tool_call>{"name": "f", "arguments": {}}</tool_call>', "tool_calls"),
        ({"response_format": {"type": "json_object"}}, '{"answer": 14}', "stop"),
    ],
    ids=["tools", "JSON"],
)
async def test_what_does_not_reword_calls_tools_and_writes_json(
    serve: Serve, more: dict[str, Any], reply: str, finish: str
) -> None:
    hermes = ("--enable-auto-tool-choice", "--tool-call-parser", "hermes")
    async with serve(lambda request: Reply(reply), hermes) as server:
        for strategy in [each for each in Strategy if each not in REWRITING]:
            answer = await server.post("/v1/chat/completions", **body(strategy, **more))
            (choice,) = answer["choices"]
            assert answer["adaptation"]["requested"] == strategy
            assert choice["finish_reason"] == finish
            called = [
                call["function"]["name"] for call in choice["message"].get("tool_calls") or ()
            ]
            assert called == (["f"] if finish == "tool_calls" else [])
            assert finish == "tool_calls" or choice["message"]["content"] == reply


async def test_every_strategy_is_a_model(serve: Serve) -> None:
    async with serve(said) as server:
        listed = (await server.http.get("/v1/models")).json()["data"]
        assert {f"{MODEL}:{strategy}" for strategy in Strategy} <= {model["id"] for model in listed}


@pytest.mark.parametrize("strategy", REWRITING)
@pytest.mark.parametrize("more", [{"tools": [TOOL]}, {"response_format": {"type": "json_object"}}])
async def test_what_cannot_keep_its_meaning_is_refused_by_name(
    serve: Serve, strategy: Strategy, more: dict[str, Any]
) -> None:
    async with serve(said) as server:
        refused = await server.http.post("/v1/chat/completions", json=body(strategy, **more))
        error = refused.json()["error"]
        assert (refused.status_code, error["param"]) == (400, "adaptation.strategy")
        assert f"`{strategy}`" in error["message"]


async def test_what_comes_to_one_answer_takes_no_n(serve: Serve) -> None:
    async with serve(said) as server:
        asked = body(Strategy.REFLEXION, n=2)
        refused = await server.http.post("/v1/chat/completions", json=asked)
        assert refused.status_code == 400
        assert "`n` asks for several" in refused.json()["error"]["message"]


async def test_an_unknown_strategy_is_told_the_known_ones(serve: Serve) -> None:
    async with serve(said) as server:
        asked = {"model": MODEL, "messages": ASKED, "adaptation": {"strategy": "guess"}}
        refused = await server.http.post("/v1/chat/completions", json=asked)
        message = refused.json()["error"]["message"]
        assert refused.status_code == 400
        assert all(strategy in message for strategy in Strategy)


async def test_an_unknown_strategy_behind_the_models_name_is_told_the_known_ones(
    serve: Serve,
) -> None:
    async with serve(said) as server:
        asked = {"model": f"{MODEL}:guess", "messages": ASKED}
        refused = await server.http.post("/v1/chat/completions", json=asked)
        error = refused.json()["error"]
        assert (refused.status_code, error["code"]) == (404, "model_not_found")
        assert all(strategy in error["message"] for strategy in Strategy)


async def test_reflexion_without_a_verifier_says_what_to_send(serve: Serve) -> None:
    async with serve(said) as server:
        asked = {"model": f"{MODEL}:reflexion", "messages": ASKED}
        refused = await server.http.post("/v1/chat/completions", json=asked)
        assert refused.status_code == 400
        assert "adaptation.verifiers" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("more", "strategy", "effort"),
    [
        ({"reasoning_effort": "low"}, "consistency", "low"),
        ({"reasoning_effort": "high"}, "auto", "high"),
        ({"reasoning_effort": "medium"}, "consistency", None),
        ({"reasoning_effort": "max"}, "auto", "max"),
        ({"reasoning_effort": "high", "model": f"{MODEL}:plain"}, "plain", None),
        ({"reasoning_effort": "minimal"}, "plain", "minimal"),
        (
            {"reasoning_effort": "high", "adaptation": {"strategy": "consistency"}},
            "consistency",
            None,
        ),
    ],
)
async def test_an_effort_chooses_the_strategy_of_apps_that_know_no_other_way(
    serve: Serve, more: dict[str, Any], strategy: str, effort: str | None
) -> None:
    async with serve(said) as server:
        answer = await server.post(
            "/v1/chat/completions", **{"model": MODEL, "messages": ASKED, **more}
        )
        report = answer["adaptation"]
        assert (report["requested"], report["effort"]) == (strategy, effort)


async def test_an_effort_that_stands_for_plain_is_named_where_votes_are_asked_for(
    serve: Serve,
) -> None:
    async with serve(said) as server:
        asked = {"model": MODEL, "messages": ASKED, "adaptation": CHECKED}
        refused = await server.http.post(
            "/v1/chat/completions", json={**asked, "reasoning_effort": "none"}
        )
        assert refused.status_code == 400
        assert "effort `none` stands for `plain`" in refused.json()["error"]["message"]


async def test_an_effort_leaves_room_for_the_choices(serve: Serve) -> None:
    async with serve(said) as server:
        asked = {"model": MODEL, "messages": ASKED, "reasoning_effort": "low", "n": 6}
        answer = await server.post("/v1/chat/completions", **asked)
        assert len(answer["choices"]) == 6
        assert answer["adaptation"]["effort"] == "low"


async def test_what_a_request_does_not_name_falls_back_and_is_not_refused(serve: Serve) -> None:
    async with serve(said, strategy="demonstrations") as server:
        asked = {"model": MODEL, "messages": ASKED, "adaptation": {"max_samples": 4}}
        form = {"response_format": {"type": "json_object"}}
        answer = await server.post("/v1/chat/completions", **asked, **form)
        assert answer["adaptation"]["strategy"] == "consistency"
        assert "form of the output" in answer["adaptation"]["reason"]


def test_an_effort_of_a_response_counts_as_one_of_a_chat() -> None:
    known = efforts(DEFAULT)
    assert effort_of({"reasoning": {"effort": "high"}}, known) == Effort("high", Strategy.AUTO, 32)
    assert effort_of({"reasoning": None}, known) is None
    assert effort_of({"reasoning_effort": ["high"]}, known) is None


@pytest.mark.parametrize("text", ["high", "high=guess", "high=auto/0", "high=auto/65", "=auto"])
def test_a_wrong_effort_is_refused_before_the_server_starts(text: str) -> None:
    with pytest.raises(ValueError, match=r"effort|samples"):
        Settings(effort=text)


async def test_the_ledger_is_public_and_takes_what_an_evaluation_saw(serve: Serve) -> None:
    trials = [
        {"id": f"q{n}", "strategy": "ttt", "right": n < 3, "baseline": n == 3, "tokens": 100}
        for n in range(4)
    ]
    votes = [
        {"id": f"q{n}", "strategy": "consistency", "right": n == 3, "tokens": 40} for n in range(4)
    ]
    async with serve(said) as server:
        noted = await server.post("/v1/ledger", trials=[*trials, *votes])
        assert noted["trials"] == 8
        rows = {
            row["strategy"]: row for row in (await server.http.get("/v1/ledger")).json()["data"]
        }
        assert (rows["ttt"]["helped"], rows["ttt"]["hurt"]) == (3, 1)
        assert rows["ttt"]["gain"]["value"] == 0.5
        assert rows["ttt"]["gain"]["low"] < 0.5 < rows["ttt"]["gain"]["high"]
        assert rows["ttt"]["per_additional_right"]["tokens"] == pytest.approx(120)
        assert rows["ttt"]["per_additional_right"]["price"] is None
        assert rows["consistency"]["gain"] is None


async def test_answers_find_their_way_into_the_ledger(serve: Serve) -> None:
    async with serve(said) as server:
        await server.post("/v1/chat/completions", **body(Strategy.REFLEXION))
        server.memory.completions.flush()
        answer = (await server.http.get("/v1/ledger")).json()
        (row,) = answer["data"]
        assert (row["strategy"], row["asked"], row["judged"]) == ("reflexion", 1, 1)
        assert row["right"]["value"] == 1.0
        assert answer["recent"]["trend"] == "steady"
