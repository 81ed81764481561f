"""Chat and completions through the real engine, asked with the official client."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.running import Running, wait_until

STORY = "Tom has 12 apples. He buys 7 more and gives 5 away. How many apples does Tom have?"


def test_an_unchanged_client_gets_a_voted_answer_with_its_report(server: Running) -> None:
    response = server.openai.chat.completions.create(
        model="whet-pebble", messages=[{"role": "user", "content": STORY}]
    )
    report = response.model_extra["adaptation"]
    assert response.choices[0].message.content.endswith("#### 14")
    assert (report["strategy"], report["answer"]) == ("consistency", "14")
    assert report["stop_reason"] in ("confident", "certain")
    assert sum(vote["count"] for vote in report["votes"]) == report["samples"]["finished"]
    assert report["samples"]["started"] < 16, "an easy question must not cost every sample"


def test_the_bill_is_the_engines_own_count(server: Running) -> None:
    before = server.metric("vllm:generation_tokens_total")
    response = server.openai.chat.completions.create(
        model="whet-pebble", messages=[{"role": "user", "content": STORY}]
    )
    usage, report = response.usage, response.model_extra["adaptation"]
    billed = usage.completion_tokens
    assert billed == sum(report["tokens"][kind] for kind in ("returned", "losing", "cancelled"))
    assert usage.completion_tokens_details.reasoning_tokens == billed - report["tokens"]["returned"]
    assert usage.total_tokens == usage.prompt_tokens + billed
    wait_until(
        lambda: server.metric("vllm:generation_tokens_total") - before == billed, 10, "the metric"
    )


def test_a_streamed_vote_ends_with_its_report_and_a_true_bill(server: Running) -> None:
    chunks = list(
        server.openai.chat.completions.create(
            model="whet-pebble:consistency",
            messages=[{"role": "user", "content": STORY}],
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    content = [chunk for chunk in chunks if chunk.choices]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in content)
    assert text.endswith("#### 14")
    assert content[-1].choices[0].finish_reason == "stop"
    report = content[-1].model_extra["adaptation"]
    assert report["answer"] == "14"
    assert all("adaptation" not in (chunk.model_extra or {}) for chunk in content[:-1])
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == sum(
        report["tokens"][kind] for kind in ("returned", "losing", "cancelled")
    )


def test_plain_is_one_sample_streamed_token_by_token(server: Running) -> None:
    stream = server.openai.chat.completions.create(
        model="whet-pebble:plain",
        messages=[{"role": "user", "content": STORY}],
        temperature=0,
        stream=True,
    )
    chunks = [chunk for chunk in stream if chunk.choices]
    assert len([chunk for chunk in chunks if chunk.choices[0].delta.content]) > 5
    report = chunks[-1].model_extra["adaptation"]
    assert (report["strategy"], report["stop_reason"]) == ("plain", "single")
    assert report["samples"] == {"started": 1, "finished": 1, "cancelled": 0, "cut": 0}


def test_completions_vote_too(server: Running) -> None:
    prompt = f"<|im_start|>user\n{STORY}<|im_end|>\n<|im_start|>assistant\n"
    response = server.openai.completions.create(model="whet-pebble", prompt=prompt, max_tokens=80)
    assert response.choices[0].text.endswith("#### 14")
    assert response.model_extra["adaptation"]["answer"] == "14"


def test_each_of_several_prompts_has_a_vote_of_its_own(server: Running) -> None:
    response = server.openai.completions.create(
        model="whet-pebble", prompt=["2+3=", "9-4="], max_tokens=8, n=2
    )
    assert [choice.index for choice in response.choices] == [0, 1, 2, 3]
    reports = [choice.model_extra["adaptation"] for choice in response.choices]
    assert reports[0] == reports[1] != reports[2] == reports[3]
    tokens = [reports[0]["tokens"], reports[2]["tokens"]]
    assert response.usage.completion_tokens == sum(
        t[kind] for t in tokens for kind in ("returned", "losing", "cancelled")
    )


def test_n_choices_are_distinct_samples_best_first(server: Running) -> None:
    response = server.openai.chat.completions.create(
        model="whet-pebble", messages=[{"role": "user", "content": STORY}], n=3
    )
    assert [choice.index for choice in response.choices] == [0, 1, 2]
    assert response.model_extra["adaptation"]["samples"]["finished"] >= 3
    assert response.choices[0].message.content.endswith("#### 14")


def test_several_choices_of_a_vote_need_no_temperature(server: Running) -> None:
    body = server.chat(STORY, n=2, temperature=0)
    assert [choice["index"] for choice in body["choices"]] == [0, 1]


def test_two_identical_seeded_requests_give_the_same_answer(server: Running) -> None:
    answers = [
        server.chat("What is 87 - 58 + 29?", seed=11, adaptation={"memory": {"write": False}})
        for _ in range(2)
    ]
    assert answers[0]["choices"][0]["message"] == answers[1]["choices"][0]["message"]
    assert answers[0]["adaptation"]["votes"] == answers[1]["adaptation"]["votes"]


def counted_tokens(server: Running) -> float:
    """What Whet's own counters say was generated."""
    kinds = ("returned", "losing", "cancelled")
    return sum(server.metric("whet_tokens_total", outcome=kind) for kind in kinds)


@pytest.mark.parametrize(("model", "running"), [("whet-pebble", 2), ("whet-pebble:plain", 1)])
def test_a_client_that_leaves_frees_the_engine(model: str, running: int, server: Running) -> None:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 3500,
        "ignore_eos": True,
        "stream": True,
        "adaptation": {"memory": {"write": False}},
    }
    before = server.metric("vllm:generation_tokens_total")
    lost, counted = server.metric("whet_abandoned_total"), counted_tokens(server)
    with httpx.stream("POST", f"{server.url}/v1/chat/completions", json=body, timeout=60):
        wait_until(lambda: server.metric("vllm:num_requests_running") >= running, 10, "the samples")
    wait_until(lambda: server.metric("vllm:num_requests_running") == 0, 5, "the abort")
    wait_until(lambda: server.metric("whet_abandoned_total") == lost + 1, 5, "the account of it")
    generated = server.metric("vllm:generation_tokens_total") - before
    assert generated < 2 * 3500, "the samples were cut short, not waited for"
    assert counted_tokens(server) - counted == generated, "what was lost is on the account too"


@pytest.mark.parametrize("n", [1, 3])
def test_a_client_that_leaves_before_a_whole_answer_is_on_the_account(
    n: int, server: Running
) -> None:
    body = {
        "n": n,
        "model": "whet-pebble:plain",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 3500,
        "ignore_eos": True,
    }
    before = server.metric("vllm:generation_tokens_total")
    lost, counted = server.metric("whet_abandoned_total"), counted_tokens(server)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=1.0)
    wait_until(lambda: server.metric("whet_abandoned_total") == lost + 1, 5, "the account of it")
    wait_until(lambda: server.metric("vllm:num_requests_running") == 0, 5, "the abort")
    generated = server.metric("vllm:generation_tokens_total") - before
    assert 0 < generated < n * 3500
    assert counted_tokens(server) - counted == generated


def test_tokens_that_are_sent_in_bundles_are_billed_one_by_one(server: Running) -> None:
    before = server.metric("vllm:generation_tokens_total")
    question = "What is 87 - 58 + 29 - 13 + 44?"
    answer = server.chat(question, stream_interval=1000, adaptation={"max_samples": 8})
    generated = server.metric("vllm:generation_tokens_total") - before
    assert answer["usage"]["completion_tokens"] == generated


def test_streamed_completions_vote_too(server: Running) -> None:
    prompt = f"<|im_start|>user\n{STORY}<|im_end|>\n<|im_start|>assistant\n"
    chunks = list(
        server.openai.completions.create(
            model="whet-pebble", prompt=prompt, max_tokens=80, stream=True
        )
    )
    assert "".join(chunk.choices[0].text for chunk in chunks).endswith("#### 14")
    assert chunks[-1].model_extra["adaptation"]["answer"] == "14"


def test_progress_shows_the_votes_as_they_come_in(server: Running) -> None:
    chunks = list(
        server.openai.chat.completions.create(
            model="whet-pebble",
            messages=[{"role": "user", "content": STORY}],
            stream=True,
            extra_body={"adaptation": {"progress": True}},
        )
    )
    shown = [c.model_extra["adaptation"]["progress"]["votes"] for c in chunks if not c.choices]
    counts = [sum(vote["count"] for vote in votes) for votes in shown]
    assert counts == sorted(set(counts))
    assert counts[0] == 1
    final = [chunk for chunk in chunks if chunk.choices][-1]
    assert final.model_extra["adaptation"]["votes"] == shown[-1]


def test_a_deadline_returns_the_best_so_far(server: Running) -> None:
    answer = server.chat(
        "Hello",
        max_tokens=3500,
        ignore_eos=True,
        adaptation={"budget": {"wall_s": 1.0}, "memory": {"write": False}},
    )
    assert answer["adaptation"]["stop_reason"] == "deadline"
    assert answer["choices"][0]["finish_reason"] == "length"


def test_tool_calls_are_voted_on_by_name_and_arguments(server: Running) -> None:
    weather = {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}},
                "required": ["city"],
            },
        },
    }
    response = server.openai.chat.completions.create(
        model="whet-pebble",
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[weather],
    )
    call = response.choices[0].message.tool_calls[0].function
    assert (call.name, call.arguments.replace(" ", "")) == ("get_weather", '{"city":"Paris"}')
    assert response.choices[0].finish_reason == "tool_calls"


def test_a_json_schema_is_kept_while_voting(server: Running) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    answer = server.chat(
        "Reply in JSON with keys name and age: Tom is 12.",
        response_format={"type": "json_schema", "json_schema": {"name": "p", "schema": schema}},
        max_tokens=60,
    )
    import json

    person = json.loads(answer["choices"][0]["message"]["content"])
    assert set(person) == {"name", "age"}
