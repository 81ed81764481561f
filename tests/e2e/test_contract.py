"""OpenAI's contract while voting: streams, tools, formats, responses and embeddings, by value."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import openai
import pytest
from pydantic import BaseModel

from tests.e2e.running import Running, wait_until

STORY = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"
MODEL = "whet-pebble"
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}
ASK_WEATHER = "What is the weather in Paris?"


def ask(question: str) -> list[Any]:
    return [{"role": "user", "content": question}]


def billed(report: dict[str, Any]) -> int:
    return sum(report["tokens"][kind] for kind in ("returned", "losing", "cancelled"))


def test_a_stream_opens_before_its_vote(server: Running) -> None:
    began = time.monotonic()
    stream = server.openai.chat.completions.create(
        model=MODEL,
        messages=ask(STORY),
        stream=True,
        max_tokens=600,
        extra_body={"ignore_eos": True},
    )
    arrivals = [(time.monotonic() - began, chunk) for chunk in stream]
    first_s, first = arrivals[0]
    spoken_s = next(at for at, chunk in arrivals if chunk.choices[0].delta.content)
    assert first.choices[0].delta.role == "assistant"
    assert first_s < spoken_s / 2, "it does not wait for the vote"


def test_the_winner_is_streamed_piece_by_piece(server: Running) -> None:
    stream = server.openai.chat.completions.create(model=MODEL, messages=ask(STORY), stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in stream]
    spoken = [piece for piece in pieces if piece]
    assert len(spoken) > 5
    assert "".join(spoken).endswith("#### 14")


def test_tool_calls_are_streamed_with_one_index_and_a_name_first(server: Running) -> None:
    chunks = list(
        server.openai.chat.completions.create(
            model=MODEL, messages=ask(ASK_WEATHER), tools=[TOOL], stream=True
        )
    )
    calls = [call for c in chunks for call in c.choices[0].delta.tool_calls or ()]
    assert {call.index for call in calls} == {0}
    assert calls[0].id
    assert calls[0].function.name == "get_weather"
    assert not any(call.id or call.function.name for call in calls[1:])
    arguments = "".join(call.function.arguments or "" for call in calls)
    assert json.loads(arguments) == {"city": "Paris"}
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    assert not "".join(c.choices[0].delta.content or "" for c in chunks).strip()


BOTH = "\n".join(
    f'<tool_call>\n{{"name": "get_weather", "arguments": {{"city": "{city}"}}}}\n</tool_call>'
    for city in ("Paris", "Rome")
)


def test_parallel_calls_keep_their_places_streamed_or_not(server: Running) -> None:
    asked = {
        "model": MODEL,
        "messages": ask("What is the weather in Paris and in Rome?"),
        "tools": [TOOL],
        "extra_body": {"structured_outputs": {"choice": [BOTH]}},
    }
    whole = server.openai.chat.completions.create(**asked)
    calls = whole.choices[0].message.tool_calls
    assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Paris", "Rome"]
    assert len({call.id for call in calls}) == 2
    assert whole.model_extra["adaptation"]["agreement"] == 1.0

    deltas: dict[int, list[Any]] = {}
    for chunk in server.openai.chat.completions.create(**asked, stream=True):
        for call in chunk.choices[0].delta.tool_calls or ():
            deltas.setdefault(call.index, []).append(call)
    assert list(deltas) == [0, 1]
    for (first, *others), city in zip(deltas.values(), ("Paris", "Rome"), strict=True):
        assert first.id
        assert first.function.name == "get_weather"
        assert not any(call.id or call.function.name for call in others)
        arguments = "".join(call.function.arguments or "" for call in (first, *others))
        assert json.loads(arguments) == {"city": city}

    one = server.openai.chat.completions.create(**asked, parallel_tool_calls=False)
    assert len(one.choices[0].message.tool_calls) == 1


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "get_weather"}}]
)
def test_a_tool_that_must_be_called_is_called(choice: Any, server: Running) -> None:
    response = server.openai.chat.completions.create(
        model=MODEL, messages=ask(ASK_WEATHER), tools=[TOOL], tool_choice=choice, max_tokens=100
    )
    (call,) = response.choices[0].message.tool_calls
    assert call.function.name == "get_weather"
    assert set(json.loads(call.function.arguments)) == {"city"}


def test_a_tools_result_goes_back_into_the_conversation(server: Running) -> None:
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
    }
    messages = [
        *ask(ASK_WEATHER),
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"},
    ]
    asked = {"model": MODEL, "tools": [TOOL]}
    response = server.openai.chat.completions.create(**asked, messages=messages)
    unanswered = server.openai.chat.completions.create(**asked, messages=messages[:-1])
    assert response.usage.prompt_tokens > unanswered.usage.prompt_tokens, "the model reads it"
    assert response.choices[0].message.role == "assistant"
    assert response.choices[0].finish_reason in ("stop", "tool_calls")
    assert response.usage.completion_tokens == billed(response.model_extra["adaptation"])


def test_a_developer_message_and_max_completion_tokens_are_understood(server: Running) -> None:
    messages = [{"role": "developer", "content": "Be brief."}, *ask(STORY)]
    response = server.openai.chat.completions.create(
        model=MODEL, messages=messages, max_completion_tokens=5
    )
    assert response.choices[0].finish_reason == "length"
    assert response.model_extra["adaptation"]["tokens"]["returned"] == 5


def test_log_probabilities_are_those_of_the_returned_tokens(server: Running) -> None:
    choice = server.openai.chat.completions.create(
        model=MODEL, messages=ask(STORY), logprobs=True, top_logprobs=2
    ).choices[0]
    tokens = choice.logprobs.content
    assert "".join(token.token for token in tokens).replace("<|im_end|>", "").endswith("#### 14")
    assert all(len(token.top_logprobs) == 2 for token in tokens)
    assert all(-50 < token.logprob <= 0 for token in tokens)


@pytest.mark.parametrize("strategy", ["plain", "consistency"])
def test_the_body_is_in_the_form_that_openai_publishes(strategy: str, server: Running) -> None:
    body = server.chat(STORY, f"{MODEL}:{strategy}", logprobs=True)
    (choice,) = body["choices"]
    assert choice["logprobs"]["refusal"] is None
    assert choice["message"]["refusal"] is None
    assert not {"annotations", "audio", "function_call", "tool_calls"} & choice["message"].keys()
    assert None not in [value for key, value in body["usage"].items() if key.endswith("_details")]
    stream = server.openai.chat.completions.create(
        model=f"{MODEL}:{strategy}", messages=ask(STORY), logprobs=True, stream=True
    )
    given = [chunk.choices[0].logprobs for chunk in stream]
    assert all("refusal" in logprobs.model_fields_set for logprobs in given if logprobs)
    assert any(given)


def test_a_vote_that_asked_for_no_log_probabilities_returns_none(server: Running) -> None:
    choice = server.openai.chat.completions.create(model=MODEL, messages=ask(STORY)).choices[0]
    assert choice.logprobs is None


def test_a_stop_string_ends_every_sample_before_it(server: Running) -> None:
    response = server.openai.chat.completions.create(
        model=MODEL, messages=ask(STORY), stop=["####"]
    )
    assert "####" not in response.choices[0].message.content
    assert response.choices[0].finish_reason == "stop"


class Person(BaseModel):
    name: str
    age: int


def test_a_schema_given_as_a_class_comes_back_as_its_object(server: Running) -> None:
    response = server.openai.chat.completions.parse(
        model=MODEL,
        messages=ask("Reply in JSON with keys name and age: Tom is 12."),
        response_format=Person,
        max_tokens=60,
    )
    assert response.choices[0].message.parsed == Person(name="Tom", age=12)


def test_a_response_is_voted_on_stored_and_gone_on_with(server: Running) -> None:
    client = server.openai
    first = client.responses.create(model=MODEL, input=STORY)
    report = first.model_extra["adaptation"]
    assert first.output_text.endswith("#### 14")
    assert (first.status, first.error, report["answer"]) == ("completed", None, "14")
    assert first.usage.output_tokens == billed(report)
    assert first.usage.total_tokens == first.usage.input_tokens + first.usage.output_tokens
    again = client.responses.retrieve(first.id)
    assert again == first
    next_one = client.responses.create(
        model=MODEL, input="What is 2 + 3?", previous_response_id=first.id
    )
    assert next_one.usage.input_tokens > first.usage.input_tokens
    verdict = server.post("/v1/feedback", json={"completion_id": first.id, "verdict": "correct"})
    assert verdict.status_code == 200, verdict.text
    record = verdict.json()["record"]["id"]
    remembered = client.responses.create(model=MODEL, input=STORY)
    report = remembered.model_extra["adaptation"]
    assert (report["stop_reason"], report["memory"]["reused"]) == ("remembered", record)
    assert (remembered.output_text, remembered.usage.output_tokens) == (first.output_text, 0)
    server.delete(f"/v1/memory/records/{record}")  # others ask this, and count votes


def test_a_call_is_remembered_by_the_response_that_goes_on_from_it(server: Running) -> None:
    client = server.openai
    tool = {"type": "function", "name": "get_weather", "parameters": WEATHER, "strict": False}
    asked = {"model": MODEL, "tools": [tool]}
    first = client.responses.create(**asked, input=ASK_WEATHER)
    (call,) = [item for item in first.output if item.type == "function_call"]
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "18 degrees"}
    spelled_out = [*ask(ASK_WEATHER), call.model_dump(exclude_none=True), result]
    whole = client.responses.create(**asked, input=spelled_out)
    next_one = client.responses.create(**asked, input=[result], previous_response_id=first.id)
    assert next_one.usage.input_tokens == whole.usage.input_tokens


NO_TIME = {"adaptation": {"budget": {"wall_s": 0.0001}}}


def settled(client: openai.OpenAI, response: Any) -> Any:
    while response.status in ("queued", "in_progress"):
        response = client.responses.retrieve(response.id)
    return response


def test_a_response_made_in_the_background_has_its_report_and_its_bill(server: Running) -> None:
    client = server.openai
    response = client.responses.create(model=MODEL, input=STORY, background=True)
    assert response.status == "queued"
    response = settled(client, response)
    assert response.status == "completed"
    assert response.output_text.endswith("#### 14")
    assert response.usage.output_tokens == billed(response.model_extra["adaptation"])


def test_a_response_that_fails_says_so_in_the_background_and_in_a_stream(server: Running) -> None:
    client = server.openai
    queued = client.responses.create(model=MODEL, input=STORY, background=True, extra_body=NO_TIME)
    failed = settled(client, queued)
    assert failed.status == "failed"
    assert failed.error.code == "server_error"
    assert "deadline" in failed.error.message
    for in_background in (False, True):
        events = list(
            client.responses.create(
                model=MODEL,
                input=STORY,
                stream=True,
                background=in_background,
                extra_body=NO_TIME,
            )
        )
        assert [event.type for event in events] == [
            "response.created",
            "response.in_progress",
            "response.failed",
        ]
        last = events[-1].response
        assert "deadline" in last.error.message
        assert client.responses.retrieve(last.id).status == "failed"


def test_a_response_in_the_background_can_be_followed_again(server: Running) -> None:
    client = server.openai
    asked = {"model": MODEL, "input": STORY, "stream": True, "max_output_tokens": 4}
    events = list(client.responses.create(**asked, background=True))
    assert events[-1].type == "response.incomplete"
    final = events[-1].response
    assert final.usage.output_tokens == billed(final.model_extra["adaptation"])
    again = list(client.responses.retrieve(final.id, stream=True))
    assert again == events
    assert list(client.responses.retrieve(final.id, stream=True, starting_after=1)) == events[2:]
    assert client.responses.retrieve(final.id) == final
    whole = client.responses.create(model=MODEL, input=STORY)
    with pytest.raises(openai.BadRequestError, match="background"):
        client.responses.retrieve(whole.id, stream=True)


def test_a_cancelled_response_ends_its_stream_and_frees_the_engine(server: Running) -> None:
    client = server.openai
    stream = client.responses.create(
        model=MODEL,
        input=STORY,
        background=True,
        stream=True,
        max_output_tokens=3000,
        extra_body={"ignore_eos": True},
    )
    events = [next(stream), next(stream)]
    cancelled = client.responses.cancel(events[0].response.id)
    assert cancelled.status == "cancelled"
    events += stream
    assert events[-1].type == "response.incomplete"
    assert events[-1].response.status == "cancelled"
    wait_until(lambda: server.metric("vllm:num_requests_running") == 0, 5, "the abort")


def test_a_streamed_response_ends_with_the_event_that_fits(server: Running) -> None:
    for limit, ending in ((200, "response.completed"), (4, "response.incomplete")):
        events = list(
            server.openai.responses.create(
                model=MODEL, input=STORY, stream=True, max_output_tokens=limit
            )
        )
        assert events[0].type == "response.created"
        assert [event.sequence_number for event in events] == list(range(len(events)))
        assert events[-1].type == ending
        final = events[-1].response
        text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
        assert final.output_text == text
        assert final.usage.output_tokens == billed(final.model_extra["adaptation"])


def test_a_response_is_parsed_into_a_class(server: Running) -> None:
    response = server.openai.responses.parse(
        model=MODEL,
        input="Reply in JSON with keys name and age: Tom is 12.",
        text_format=Person,
        max_output_tokens=60,
    )
    assert response.output_parsed == Person(name="Tom", age=12)


def test_an_unknown_response_and_progress_on_responses_are_refused(server: Running) -> None:
    with pytest.raises(openai.NotFoundError):
        server.openai.responses.retrieve("resp_unknown")
    with pytest.raises(openai.BadRequestError, match="progress"):
        server.openai.responses.create(
            model=MODEL, input="x", stream=True, extra_body={"adaptation": {"progress": True}}
        )


def test_embeddings_are_unit_vectors_the_same_as_floats_and_as_base64(server: Running) -> None:
    client, model = server.openai, "all-MiniLM-L6-v2"
    texts = ["a cat sat", "a cat was sitting", "the price of steel"]
    packed = client.embeddings.create(model=model, input=texts)  # base64, on the wire
    plain = client.embeddings.create(model=model, input=texts, encoding_format="float")
    vectors = np.array([item.embedding for item in packed.data])
    assert np.allclose(vectors, [item.embedding for item in plain.data], atol=1e-6)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    assert near > far
    assert packed.usage.prompt_tokens > 0
    with pytest.raises(openai.NotFoundError, match="nobody/embeds"):
        client.embeddings.create(model="nobody/embeds", input="x")


def test_an_unknown_model_is_refused_without_naming_others(server: Running) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        server.openai.chat.completions.create(model="org/other", messages=ask("x"))
    assert "org/other" in str(caught.value)
    assert MODEL not in str(caught.value)
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError):
        server.openai.models.retrieve("org/other")


def test_a_request_is_told_how_many_more_may_come(server: Running) -> None:
    raw = server.openai.chat.completions.with_raw_response.create(model=MODEL, messages=ask("Hi"))
    limit, left = (int(raw.headers[f"x-ratelimit-{n}-requests"]) for n in ("limit", "remaining"))
    assert left == limit - 1
    assert raw.headers["x-ratelimit-reset-requests"] == "0s"


def test_every_route_names_its_request(server: Running) -> None:
    for path in ("/v1/models", "/health", "/nowhere", "/v1/memory/records"):
        assert server.get(path).headers["x-request-id"]
