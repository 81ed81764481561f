"""`/v1/responses` as OpenAI's document has it, in every way in which a response is read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.running import Running, wait_until

ASKED = {"model": "whet-pebble", "adaptation": {"memory": {"write": False}}}
STORY = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"
NULLABLE = {
    *("completed_at", "error", "incomplete_details", "instructions", "max_tool_calls", "prompt"),
    *("previous_response_id", "prompt_cache_key", "reasoning", "safety_identifier"),
}
"""Keys of a response that OpenAI's schema lets be null, and that are null here."""
OWN = {"ec_transfer_params", "kv_transfer_params", "input_messages", "output_messages"}
"""vLLM's own."""


def response(server: Running, **body: Any) -> dict[str, Any]:
    answer = server.post("/v1/responses", json={**ASKED, "input": STORY, **body})
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def events(server: Running, **body: Any) -> list[dict[str, Any]]:
    asked = {**ASKED, "input": STORY, "stream": True, **body}
    lines = server.post("/v1/responses", json=asked).text.splitlines()
    return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]


def check(made: dict[str, Any]) -> None:
    assert {key for key, value in made.items() if value is None} <= NULLABLE | OWN | {"adaptation"}
    assert {"completed_at", "error", "safety_identifier", "prompt_cache_key"} <= made.keys()
    assert made["text"]["format"]["type"]
    assert made["usage"]["total_tokens"] >= 0
    assert (made["top_logprobs"], made["store"], made["tool_choice"]) == (0, True, "auto")
    assert (made["completed_at"] is None) == (made["status"] != "completed")
    for item in made["output"]:
        assert None not in item.values()
        assert all(None not in part.values() for part in item["content"])


@pytest.mark.parametrize("strategy", ["plain", "consistency"])
def test_a_response_keeps_to_openais_document_however_it_is_read(
    strategy: str, server: Running
) -> None:
    model = f"whet-pebble:{strategy}"
    whole = response(server, model=model)
    check(whole)
    assert server.get(f"/v1/responses/{whole['id']}").json() == whole
    told = events(server, model=model)
    for event in told:
        if "response" in event:
            check(event["response"])
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    assert told[-1]["type"] == "response.completed"


def test_a_response_in_the_background_keeps_to_it_while_it_waits_and_when_it_ends(
    server: Running,
) -> None:
    queued = response(server, background=True)
    assert queued["status"] == "queued"
    check(queued)

    def current() -> dict[str, Any]:
        made: dict[str, Any] = server.get(f"/v1/responses/{queued['id']}").json()
        return made

    wait_until(lambda: current()["status"] == "completed", 60, "a response in the background")
    check(current())


def test_what_the_tokens_did_not_reach_for_is_incomplete_everywhere(server: Running) -> None:
    whole, told = response(server, max_output_tokens=5), events(server, max_output_tokens=5)
    kept = server.get(f"/v1/responses/{whole['id']}").json()
    for made in (whole, kept, told[-1]["response"]):
        check(made)
        assert made["status"] == made["output"][-1]["status"] == "incomplete"
        assert made["incomplete_details"] == {"reason": "max_output_tokens"}
    assert told[-1]["type"] == "response.incomplete"
    (done,) = (event for event in told if event["type"] == "response.output_item.done")
    assert done["item"]["status"] == "incomplete"


def test_nulls_are_as_if_absent(server: Running) -> None:
    nulls = ("background", "truncation", "service_tier", "store", "stream", "parallel_tool_calls")
    check(response(server, **dict.fromkeys([*nulls, "tools", "tool_choice", "top_logprobs"])))
    asked = {**ASKED, "prompt": "2 + 3 =", "max_tokens": 3}
    nulls = ("n", "best_of", "echo", "logit_bias", "logprobs", "stop", "suffix", "temperature")
    answer = server.post("/v1/completions", json={**asked, **dict.fromkeys(nulls)})
    assert answer.status_code == 200, answer.text
