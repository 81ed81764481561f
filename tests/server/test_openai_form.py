"""Bodies of vLLM's, in the form that OpenAI publishes."""

from server.openai_form import conform


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
