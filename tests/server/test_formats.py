"""Calls and deliberation in votes, memory and feedback: read as vLLM's handler reads them."""

from __future__ import annotations

import json
import threading
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from memory.identity.prompt import Prompt
from memory.lines import parse_line
from memory.rows import prompt_of
from memory.types import State, Tier
from server.requests.conversations import BILLING, conversations, prompt_shape
from server.requests.request_context import CHAT, COMPLETIONS, RESPONSES
from tests.formats import Parsers
from tests.server.composed import ASK, Reply, composed

pytestmark = pytest.mark.filterwarnings("ignore:max_tokens is deprecated:DeprecationWarning")
TOOL = {
    "type": "function",
    "function": {"name": "f", "parameters": {"properties": {"a": {"type": "number"}}}},
}
FLAT = {"type": "function", **TOOL["function"]}  # type: ignore[dict-item]
ONE = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'
ALIKE = 'I ask f.\n<tool_call>{"arguments": {"a": 1.0}, "name": "f"}</tool_call>'
OTHER = ONE.replace("1", "2")
KEY = '{"arguments":{"a":1},"name":"f"}'
THINKING = ("--reasoning-parser", "granite")
THOUGHT = "Here is my thought process: perhaps {}? Here is my response: #### {}"


def saying(*texts: str) -> Any:
    turns = cycle(texts)
    return lambda request: Reply(next(turns))


async def test_calls_vote_by_what_they_call(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(data_dir.parent, monkeypatch, saying(ONE, OTHER, ALIKE)) as server:
        answer = await server.chat(tools=[TOOL], adaptation={"max_samples": 8})
        report = answer["adaptation"]
        (call,) = answer["choices"][0]["message"]["tool_calls"]
        assert json.loads(call["function"]["arguments"]) == {"a": 1}
        assert report["answer"] == KEY
        assert {vote["answer"]: vote["count"] for vote in report["votes"]}[KEY] >= 3


async def test_a_call_is_no_call_where_none_may_be_made(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(data_dir.parent, monkeypatch, saying(ONE)) as server:
        answer = await server.chat(tools=[TOOL], tool_choice="none")
        assert not answer["choices"][0]["message"].get("tool_calls")
        assert answer["adaptation"]["answer"] != KEY


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses"])
async def test_a_verified_call_is_remembered_however_it_is_asked_for(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    async with composed(data_dir.parent, monkeypatch, saying(ONE)) as server:
        first = await server.chat(tools=[TOOL])
        record = server.memory.get("default", first["adaptation"]["memory"]["saved"])
        assert (record.answer, record.rationale, record.tier) == (KEY, ONE, Tier.VOTE)
        said = {"completion_id": first["id"], "verdict": "correct"}
        assert (await server.post("/v1/feedback", **said))["record"]["state"] == State.ACTIVE
        before = len(server.core.taken)
        chat = {**ASK, "tools": [TOOL]}
        response = {"model": ASK["model"], "tools": [FLAT], "input": ASK["messages"]}
        again = await server.post(path, **(response if path.endswith("responses") else chat))
        assert again["adaptation"]["stop_reason"] == "remembered"
        assert len(server.core.taken) == before
        called = again["output"][0] if "output" in again else _function(again)
        assert json.loads(called["arguments"]) == {"a": 1}


def _function(chat: dict[str, Any]) -> dict[str, Any]:
    function: dict[str, Any] = chat["choices"][0]["message"]["tool_calls"][0]["function"]
    return function


async def test_what_a_reply_considers_is_no_answer(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [THOUGHT.format(wrong, 14) for wrong in (13, 15)]
    async with composed(data_dir.parent, monkeypatch, saying(*texts), THINKING) as server:
        check = {"type": "string_check", "operation": "eq", "reference": "14"}
        answer = await server.chat(adaptation={"verifiers": [check]})
        assert answer["choices"][0]["message"]["content"].strip() == "#### 14"
        assert answer["choices"][0]["message"]["reasoning"]
        report = answer["adaptation"]
        assert (report["answer"], report["agreement"]) == ("14", 1.0)
        assert report["verification"][0]["passed"]
        record = server.memory.get("default", report["memory"]["saved"])
        assert record.rationale in texts  # what was generated, to be learned as it was


async def test_deliberation_without_an_end_is_no_answer(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["Here is my thought process: 13. Here is my response:", THOUGHT.format(1, 14)]
    async with composed(data_dir.parent, monkeypatch, saying(*texts), THINKING) as server:
        report = (await server.chat(adaptation={"max_samples": 4}))["adaptation"]
        assert report["answer"] == "14"


async def test_feedback_on_a_plain_answer_knows_what_it_said(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(
        data_dir.parent, monkeypatch, saying(THOUGHT.format(13, 14)), THINKING
    ) as server:
        answer = await server.chat(model=f"{ASK['model']}:plain")
        said = {"completion_id": answer["id"], "verdict": "incorrect", "answer": "14.0"}
        response = await server.http.post("/v1/feedback", json=said)
        assert response.status_code == 409  # it is the answer that was given


async def test_nothing_is_remembered_that_would_be_given_out_as_a_thought(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = ("--reasoning-parser", "seed_oss")  # what no mark ends is a thought to it
    async with composed(data_dir.parent, monkeypatch, saying("#### 1"), flags) as server:
        line = json.dumps({"question": "How much?", "answer": "14"})
        await server.http.post("/v1/memory/import", content=line)
        answer = await server.chat(messages=[{"role": "user", "content": "How much?"}])
        said = answer["choices"][0]["message"]["content"]
        assert said or answer["adaptation"]["stop_reason"] != "remembered"


async def test_a_verifier_of_a_call_is_given_the_call(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(data_dir.parent, monkeypatch, saying(ONE)) as server:
        check = {"type": "json_schema", "schema": {"required": ["name", "arguments"]}}
        answer = await server.chat(tools=[TOOL], adaptation={"verifiers": [check]})
        assert answer["adaptation"]["verification"][0]["passed"]


async def test_no_text_in_memory_is_too_deep_to_be_served(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with composed(data_dir.parent, monkeypatch, saying("#### 1")) as server:
        deep = "<tool_call>\n" + '{"a":' * 3000 + "\n#### 14"
        line = json.dumps({"question": "Deep?", "answer": "14", "rationale": deep})
        call = {"function": {"name": "f", "arguments": '{"a":' * 3000}, "type": "function"}
        turns = [ASK["messages"][0], {"role": "assistant", "content": "", "tool_calls": [call]}]
        lines = "\n".join([line, json.dumps({"messages": turns})])
        report = (await server.http.post("/v1/memory/import", content=lines)).json()
        assert (report["imported"], report["failed"]) == (1, 1)
        answer = await server.chat(messages=[{"role": "user", "content": "Deep?"}])
        assert answer["choices"]


def test_a_response_and_a_chat_ask_for_one_schema() -> None:
    schema = {"name": "n", "schema": {"type": "object"}, "strict": True}
    chat = {"response_format": {"type": "json_schema", "json_schema": schema}}
    response = {"text": {"format": {"type": "json_schema", **schema}}}
    assert prompt_shape(RESPONSES, response) == prompt_shape(CHAT, chat)


def asked(path: str, body: dict[str, Any]) -> str:
    """Return the fingerprint of the prompt that a body asks."""
    (messages,) = conversations(path, body)
    return Prompt(messages=messages, request=prompt_shape(path, body)).fingerprint


@pytest.mark.parametrize("key", ["documents", "add_special_tokens"])
def test_what_a_route_does_not_look_at_makes_no_other_question(key: str) -> None:
    response = {"input": "What is 6 times 7?"}
    assert asked(RESPONSES, {**response, key: [1]}) == asked(RESPONSES, response)
    text = {"prompt": "6 times 7 is"}
    assert asked(COMPLETIONS, {**text, "reasoning_effort": "low"}) == asked(COMPLETIONS, text)


def test_an_answer_to_go_on_with_is_another_question_than_one_that_is_over() -> None:
    part = {"type": "output_text", "text": "It is"}
    item = {"type": "message", "role": "assistant", "content": [part]}
    ends = [
        asked(RESPONSES, {"input": [*ASK["messages"], {**item, "status": status}]})
        for status in ("completed", "incomplete")
    ]
    assert ends[0] != ends[1]


def test_prompts_that_are_embeddings_come_before_those_that_are_texts() -> None:
    def texts(**body: Any) -> list[str]:
        return [messages[0].content for messages in conversations(COMPLETIONS, body)]

    assert texts(prompt="q", prompt_embeds="aGk=") == ["", "q"]
    assert texts(prompt=["p", "q"], prompt_embeds=["aGk=", "aGk="]) == ["", "", "p", "q"]
    assert texts(prompt_embeds=["aGk=", "aGk="]) == ["", ""]
    assert texts(prompt="q") == ["q"]
    assert texts() == texts(prompt=[5, 6]) == [""]


def test_what_a_text_is_to_lead_to_is_part_of_the_question() -> None:
    text = {"prompt": "def add(a, b):"}
    assert asked(COMPLETIONS, {**text, "suffix": "return c"}) != asked(COMPLETIONS, text)


def test_an_imported_question_in_parts_is_the_one_that_is_asked() -> None:
    parts = [{"type": "text", "text": said} for said in ("How much", "", "is 6 times 7?")]
    turn = {"role": "user", "content": parts}
    line = {"messages": [turn, {"role": "assistant", "content": "42"}]}
    parsed = parse_line(json.dumps(line), "default", trust=False)
    assert parsed is not None
    assert prompt_of(parsed.draft).fingerprint == asked(CHAT, {"messages": [turn]})


def test_what_a_turn_declares_is_part_of_the_question() -> None:
    turn = {"role": "developer", "content": "d"}
    bare, armed = (
        asked(CHAT, {"messages": [{**turn, **more}, *ASK["messages"]]})
        for more in ({}, {"tools": [TOOL]})
    )
    assert bare != armed


def test_the_number_of_a_clients_request_is_no_part_of_the_question() -> None:
    one, other = (
        asked(CHAT, {"messages": [{"role": "system", "content": said}, *ASK["messages"]]})
        for said in (f"{BILLING}: cch=1;\nBe brief.", [{"type": "text", "text": "Be brief."}])
    )
    assert one == other


def test_empty_instructions_are_none() -> None:
    asked = {"input": "What is 6 times 7?"}
    assert conversations(RESPONSES, {**asked, "instructions": ""}) == conversations(
        RESPONSES, asked
    )


async def test_a_long_reply_of_a_vote_is_parsed_beside_the_event_loop(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[bool] = []
    asked: list[Any] = []
    parse = Parsers.parse

    def watched(self: Parsers, request: Any, reply: Any) -> Any:
        held.append(threading.current_thread() is threading.main_thread())
        asked.append(reply.prompt_ids)
        return parse(self, request, reply)

    monkeypatch.setattr(Parsers, "parse", watched)
    for words, holds in ((" ".join(map(str, range(620))), False), ("so", True)):
        texts = [THOUGHT.format(words, 14)]
        folder = data_dir.parent / f"{holds}"
        folder.mkdir()
        async with composed(folder, monkeypatch, saying(*texts), THINKING) as server:
            quiet = {"max_samples": 4, "memory": {"write": False}}
            report = (await server.chat(max_tokens=3000, adaptation=quiet))["adaptation"]
            assert report["answer"] == "14"
            votes = report["samples"]["finished"]
            assert list(asked[-1]) == server.core.taken[-1].prompt_token_ids
        drawn, held[:] = held[:votes], []
        assert drawn == [holds] * votes


async def test_a_long_plain_reply_is_parsed_for_nobody_but_the_client(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [THOUGHT.format("so " * 900, 14), THOUGHT.format("so", 14)]
    async with composed(data_dir.parent, monkeypatch, saying(*texts), THINKING) as server:
        for known in (None, "14"):
            answer = await server.chat(model=f"{ASK['model']}:plain", max_tokens=3000)
            assert answer["choices"][0]["message"]["content"].strip() == "#### 14"
            kept = server.memory.completions.get("default", answer["id"])
            assert kept.answer == known
