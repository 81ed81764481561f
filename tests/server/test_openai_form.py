"""Bodies of vLLM's, in the form that OpenAI publishes."""

from server.requests.openai_form import conform, conform_item, conform_response, drop_nulls


def test_what_openai_leaves_out_is_no_null() -> None:
    body = {
        "system_fingerprint": None,
        "choices": [
            {
                "message": {"content": None, "refusal": None, "annotations": None, "audio": None}
                | {"function_call": None, "tool_calls": [{"id": "call_1"}]},
                "logprobs": None,
                "stop_reason": None,
            }
        ],
        "usage": {"completion_tokens": 3, "prompt_tokens_details": None}
        | {"completion_tokens_details": {"reasoning_tokens": 2}},
    }
    conform(body)
    assert body == {
        "choices": [
            {
                "message": {"content": None, "refusal": None, "tool_calls": [{"id": "call_1"}]},
                "logprobs": None,
                "stop_reason": None,
            }
        ],
        "usage": {"completion_tokens": 3, "completion_tokens_details": {"reasoning_tokens": 2}},
    }


def test_a_chats_log_probabilities_name_the_refusal_and_a_completions_do_not() -> None:
    chat = {"choices": [{"delta": {}, "logprobs": {"content": []}}], "usage": None}
    conform(chat)
    assert chat["choices"] == [{"delta": {}, "logprobs": {"content": [], "refusal": None}}]
    completion = {"choices": [{"text": "", "logprobs": {"tokens": []}}]}
    conform(completion)
    assert completion == {"choices": [{"text": "", "logprobs": {"tokens": []}}]}


def test_a_null_of_a_request_is_as_if_absent_and_what_lies_deeper_stays() -> None:
    request = {"n": None, "truncation": None, "stream": False, "tools": [], "metadata": {"a": None}}
    drop_nulls(request)
    assert request == {"stream": False, "tools": [], "metadata": {"a": None}}


def test_a_response_has_no_null_that_openai_forbids() -> None:
    schema = {"type": "object", "default": None}
    body = {
        "user": None,
        "metadata": None,
        "usage": None,
        "reasoning": {"effort": None, "summary": None, "mode": None},
        "text": {
            "format": {"type": "json_schema", "name": "a", "schema": schema, "description": None},
            "verbosity": None,
        },
        "tool_choice": {"type": "function", "name": "f", "namespace": None},
        "tools": [
            {"type": "function", "name": "f", "strict": None, "parameters": schema}
            | {"description": None, "defer_loading": None},
            {"type": "namespace", "tools": [{"type": "function", "defer_loading": None}]},
        ],
        "output": [{"type": "function_call", "namespace": None, "status": "completed"}],
    }
    conform_response(body)
    assert body.pop("usage")["input_tokens_details"] == {
        "cached_tokens": 0,
        "cache_write_tokens": 0,
    }
    assert body == {
        "metadata": {},
        "reasoning": {"effort": None, "summary": None},
        "text": {"format": {"type": "json_schema", "name": "a", "schema": schema}},
        "tool_choice": {"type": "function", "name": "f"},
        "tools": [
            {"type": "function", "name": "f", "strict": None, "parameters": schema}
            | {"description": None},
            {"type": "namespace", "tools": [{"type": "function"}]},
        ],
        "output": [{"type": "function_call", "status": "completed"}],
    }


def test_a_response_without_a_text_format_says_that_it_is_text() -> None:
    for given in (None, {"verbosity": None}, {"format": None}):
        body = {"text": given}
        conform_response(body)
        assert body["text"] == {"format": {"type": "text"}}


def test_a_text_part_always_has_its_log_probabilities_and_a_refusal_none() -> None:
    item = {"content": [{"type": "output_text", "logprobs": None}, {"type": "refusal"}]}
    conform_item(item)
    assert item == {"content": [{"type": "output_text", "logprobs": []}, {"type": "refusal"}]}
    reasoning = {"type": "reasoning", "content": None, "summary": []}
    conform_item(reasoning)
    assert reasoning == {"type": "reasoning", "summary": []}
