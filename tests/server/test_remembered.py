"""A question whose answer was verified before is answered with it, whole or streamed."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from memory.types import Draft, Message, State, Tier
from tests.server.composed import ASK, STORY, Composed, Reply, composed

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
CHAT, FEEDBACK = "/v1/chat/completions", "/v1/feedback"
SOLVED = "12 + 7 is 19, and 19 - 5 is 14.\n#### 14"


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Composed]:
    async with composed(tmp_path, monkeypatch, lambda request: Reply("#### 13")) as server:
        yield server


def known(server: Composed, tier: Tier = Tier.FEEDBACK, **fields: Any) -> str:
    """Have the story's answer in memory, and return its record."""
    values = {
        "tenant": "default",
        "messages": (Message(role="user", content=STORY),),
        "answer": "14",
        "rationale": SOLVED,
        "tier": tier,
        **fields,
    }
    return server.memory.save(Draft.model_validate(values)).record.id


@pytest.mark.parametrize("strategy", ["consistency", "ttt", "auto"])
@pytest.mark.parametrize("tier", [Tier.EXECUTABLE, Tier.CORROBORATED, Tier.FEEDBACK, Tier.IMPORTED])
async def test_what_was_verified_is_served_and_nothing_is_generated(
    server: Composed, strategy: str, tier: Tier
) -> None:
    record = known(server, tier)
    answer = await server.chat(adaptation={"strategy": strategy})
    report = answer["adaptation"]
    assert answer["choices"][0]["message"]["content"] == SOLVED
    assert answer["choices"][0]["finish_reason"] == "stop"
    assert (report["stop_reason"], report["answer"]) == ("remembered", "14")
    assert report["requested"] == strategy
    assert report["memory"]["reused"] == record
    assert sum(report["tokens"].values()) == 0
    assert answer["usage"]["completion_tokens"] == 0
    assert answer["usage"]["prompt_tokens"] > 0
    assert server.core.taken == []


async def test_what_was_verified_in_a_task_answers_a_request_that_names_none(
    server: Composed,
) -> None:
    record = known(server, Tier.IMPORTED, task="jargon/0")
    report = (await server.chat())["adaptation"]
    assert (report["stop_reason"], report["memory"]["reused"]) == ("remembered", record)
    assert report["memory"]["reason"] == "answered from memory: imported, of the task jargon/0"
    named = (await server.chat(adaptation={"memory": {"task": "other"}}))["adaptation"]
    assert named["stop_reason"] != "remembered", "a task keeps to itself"


async def test_of_tasks_that_disagree_none_answers(server: Composed) -> None:
    known(server, task="a")
    known(server, task="b", answer="15", rationale="#### 15")
    assert (await server.chat())["adaptation"]["stop_reason"] != "remembered"


async def test_a_task_of_another_tenant_answers_nobody(server: Composed) -> None:
    known(server, task="a", tenant="acme")
    assert (await server.chat())["adaptation"]["stop_reason"] != "remembered"


async def test_it_is_streamed_like_any_answer(server: Composed) -> None:
    record = known(server)
    events = await server.events(CHAT, **ASK, stream_options={"include_usage": True})
    pieces = [
        choice["delta"].get("content") or "" for event in events for choice in event["choices"]
    ]
    assert "".join(pieces) == SOLVED
    assert sum(bool(piece) for piece in pieces) > 5
    reports = [event["adaptation"] for event in events if event.get("adaptation")]
    assert [report["memory"]["reused"] for report in reports] == [record]
    assert events[-1]["usage"]["completion_tokens"] == 0


async def test_completions_and_responses_remember_too(server: Composed) -> None:
    known(server, request={"raw": True})
    text = await server.post("/v1/completions", model=ASK["model"], prompt=STORY, max_tokens=200)
    assert text["choices"][0]["text"] == SOLVED
    assert (await server.chat())["choices"][0]["message"]["content"] != SOLVED, "another prompt"
    known(server)
    response = await server.post("/v1/responses", model=ASK["model"], input=STORY)
    assert response["output"][0]["content"][0]["text"] == SOLVED
    assert response["usage"]["output_tokens"] == 0


TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


@pytest.mark.parametrize(
    "asked",
    [
        {"model": f"{ASK['model']}:plain"},
        {"adaptation": {"memory": {"reuse": False}}},
        {"adaptation": {"memory": {"read": False}}},
        {"n": 2},
        {"logprobs": True},
        {"max_tokens": 5},
        {"stop": ["19"]},
        {"bad_words": ["19"]},
        {"logit_bias": {"17": 5}},
        {"tools": [TOOL]},
        {"response_format": {"type": "json_object"}},
        {"adaptation": {"memory": {"task": "other"}}},
        {"messages": [{"role": "user", "content": STORY.upper()}]},
        {"messages": [{"role": "system", "content": "s"}, *ASK["messages"]]},
        {
            "adaptation": {
                "verifiers": [{"type": "string_check", "operation": "eq", "reference": "15"}]
            }
        },
    ],
)
async def test_another_question_or_another_wish_is_answered_anew(
    server: Composed, asked: dict[str, Any]
) -> None:
    known(server)
    answer = await server.chat(**asked)
    assert answer["adaptation"]["stop_reason"] != "remembered"
    assert server.core.taken


@pytest.mark.parametrize("state", [State.PENDING, State.QUARANTINED, State.EXPIRED])
async def test_only_an_active_record_is_served(server: Composed, state: State) -> None:
    record = known(server)
    server.memory.set_state("default", record, state, "test")
    assert (await server.chat())["adaptation"]["stop_reason"] != "remembered"


async def test_a_vote_is_not_served_again(server: Composed) -> None:
    known(server, Tier.VOTE)
    assert (await server.chat())["adaptation"]["stop_reason"] != "remembered"


async def test_a_verifier_judges_what_is_remembered(server: Composed) -> None:
    known(server)
    check = {"type": "string_check", "operation": "eq", "reference": "14"}
    report = (await server.chat(adaptation={"verifiers": [check]}))["adaptation"]
    assert report["stop_reason"] == "remembered"
    assert report["verification"][0]["passed"]
    assert report["seconds"].keys() == {"retrieve", "verify"}


async def test_a_correction_answers_the_question_it_corrects(server: Composed) -> None:
    wrong = await server.chat()
    assert wrong["adaptation"]["answer"] == "13"
    said = {"completion_id": wrong["id"], "verdict": "incorrect", "answer": "14"}
    record = (await server.post(FEEDBACK, **said, rationale=SOLVED))["record"]
    assert (record["answer"], record["rationale"]) == ("14", SOLVED)
    again = await server.chat()
    assert again["choices"][0]["message"]["content"] == SOLVED
    refused = {"completion_id": again["id"], "verdict": "incorrect"}
    outcome = await server.post(FEEDBACK, **refused)
    assert (outcome["action"], outcome["record"]["id"]) == ("quarantined", record["id"])
    assert (await server.chat())["adaptation"]["stop_reason"] != "remembered"


async def test_a_rationale_that_comes_to_another_answer_is_refused(server: Composed) -> None:
    wrong = await server.chat()
    said = {"completion_id": wrong["id"], "verdict": "incorrect", "answer": "15"}
    response = await server.http.post(FEEDBACK, json={**said, "rationale": SOLVED})
    assert response.status_code == 409
    assert "comes to 14" in response.json()["error"]["message"]


async def test_a_server_can_be_told_not_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = lambda request: Reply("#### 13")  # noqa: E731
    async with composed(tmp_path, monkeypatch, script, reuse=False) as server:
        known(server)
        assert (await server.chat())["adaptation"]["stop_reason"] != "remembered"


FORMED = {"response_format": {"type": "json_object"}}


async def test_a_form_that_is_demanded_is_kept_by_what_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda request: Reply('{"a": 13}')) as server:
        wrong = await server.chat(**FORMED)
        said = {"completion_id": wrong["id"], "verdict": "incorrect", "answer": "14"}
        assert (await server.post(FEEDBACK, **said))["record"]["state"] == State.ACTIVE
        again = await server.chat(**FORMED)
        assert again["adaptation"]["stop_reason"] != "remembered"  # 14 is no JSON object
        right = {"completion_id": again["id"], "verdict": "correct"}
        assert (await server.post(FEEDBACK, **right))["record"]["state"] != State.PENDING


async def test_what_the_engine_wrote_in_the_form_is_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda request: Reply('{"a": 14}')) as server:
        first = await server.chat(**FORMED)
        await server.post(FEEDBACK, completion_id=first["id"], verdict="correct")
        assert (await server.chat(**FORMED))["adaptation"]["stop_reason"] == "remembered"


async def test_what_was_edited_no_longer_keeps_the_form_it_was_written_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(tmp_path, monkeypatch, lambda request: Reply('{"a": 14}')) as server:
        first = await server.chat(**FORMED)
        said = {"completion_id": first["id"], "verdict": "correct"}
        record = (await server.post(FEEDBACK, **said))["record"]
        server.memory.edit("default", record["id"], "15", "It is 15.")
        again = await server.chat(**FORMED)
        assert again["adaptation"]["stop_reason"] != "remembered"
        assert again["choices"][0]["message"]["content"] == '{"a": 14}'


async def test_a_corrected_call_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'
    async with composed(tmp_path, monkeypatch, lambda request: Reply(wrong)) as server:
        first = await server.chat(tools=[TOOL])
        corrected = '{"name": "f", "parameters": {"a": 2}}'
        said = {"completion_id": first["id"], "verdict": "incorrect", "answer": corrected}
        record = (await server.post(FEEDBACK, **said))["record"]
        assert record["answer"] == '{"arguments":{"a":2},"name":"f"}'
        again = await server.chat(tools=[TOOL])
        assert again["adaptation"]["stop_reason"] == "remembered"
        function = again["choices"][0]["message"]["tool_calls"][0]["function"]
        assert (function["name"], json.loads(function["arguments"])) == ("f", {"a": 2})
