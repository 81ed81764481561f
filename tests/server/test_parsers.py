"""Replies in the formats of many models: what they say and call is what vLLM's parsers find."""

import json
from typing import Any

import pytest

from memory.identity.answers.tool_call import called
from tests.formats import TOOLS, Reply, parsers, replied, said, served

ONE = {"city": "Oslo", "days": 3}
OSLO = json.dumps(ONE)
CALL = json.dumps({"name": "get_weather", "arguments": ONE})
CALLS = {
    "hermes": f"<tool_call>\n{CALL}\n</tool_call>",
    "mistral": f"[TOOL_CALLS][{CALL}]",
    "pythonic": '[get_weather(city="Oslo", days=3)]',
    "llama3_json": json.dumps({"name": "get_weather", "parameters": ONE}),
    "qwen3_coder": (
        "<tool_call>\n<function=get_weather>\n<parameter=city>\nOslo\n</parameter>\n"
        "<parameter=days>\n3\n</parameter>\n</function>\n</tool_call>"
    ),
    "deepseek_v3": (
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n"
        f"```json\n{OSLO}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
    ),
    "deepseek_v31": (
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>get_weather<｜tool▁sep｜>"
        f"{OSLO}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"
    ),
    "qwen3": f"<think>\nOslo or Bergen?\n</think>\n\n<tool_call>\n{CALL}\n</tool_call>",
}
PROSE = "It is 7 degrees in Oslo."


def key(arguments: dict[str, Any]) -> str:
    answer = called([{"name": "get_weather", "arguments": arguments}])
    assert answer is not None
    return answer.key


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_one_answer_in_whatever_format_it_is_written(name: str) -> None:
    found = said(name, CALLS[name])
    answer = called(found.calls)
    assert answer is not None
    assert answer.key == key(ONE)
    assert answer.key != key({"city": "Oslo", "days": 4})
    assert not found.text.strip()


@pytest.mark.parametrize("name", [name for name in CALLS if name != "qwen3"])
def test_what_is_said_without_a_call_stands_as_it_is(name: str) -> None:
    found = said(name, PROSE)
    assert (found.text, found.calls) == (PROSE, ())


@pytest.mark.parametrize(
    ("name", "reply", "text"),
    [
        ("deepseek_r1", "<think>Maybe 5.</think>The answer is 7.", "The answer is 7."),
        ("deepseek_r1", "Maybe 5.</think>The answer is 7.", "The answer is 7."),
        ("deepseek_r1", "<think>Maybe 5.", ""),
        ("qwen3", "<think>\nMaybe 5.\n</think>\n\n7", "7"),
        ("seed_oss", "<seed:think>Maybe 5.</seed:think>7", "7"),
        ("granite", "Here is my thought process: 5? Here is my response: 7", "7"),
    ],
)
def test_deliberation_is_nothing_that_is_said(name: str, reply: str, text: str) -> None:
    found = said(name, reply, calls=False)
    assert (found.text.strip(), found.calls) == (text, ())


def test_a_template_that_was_told_not_to_think_is_read_so() -> None:
    silent = {"chat_template_kwargs": {"enable_thinking": False}}
    assert said("qwen3", PROSE, **silent).text == PROSE
    assert said("qwen3", PROSE).text == ""


def test_an_operators_defaults_say_whether_it_thinks_and_a_request_goes_before() -> None:
    silent, reply = parsers("qwen3", thinks=False), replied("qwen3", PROSE)
    for request, text in (({}, PROSE), ({"chat_template_kwargs": {"enable_thinking": True}}, "")):
        reading = silent.reader(request, calls=False)
        assert reading is not None
        assert reading.said(reply).text == text


def test_a_demanded_call_is_json_for_formats_that_have_no_grammar_of_their_own() -> None:
    named = {"type": "function", "function": {"name": "get_weather"}}
    found = said("pythonic", OSLO, tool_choice=named)
    assert found.calls == ({"name": "get_weather", "arguments": OSLO},)
    listed = json.dumps([{"name": "get_weather", "parameters": ONE}] * 2)
    assert len(said("pythonic", listed, tool_choice="required").calls) == 2


def test_no_call_is_read_where_the_request_wants_none() -> None:
    assert parsers("hermes").reader({"tools": list(TOOLS)}, calls=False) is None
    assert said("qwen3", CALLS["qwen3"], tool_choice="none").calls == ()


@pytest.mark.parametrize("request_", [{}, {"tools": list(TOOLS), "tool_choice": "none"}])
@pytest.mark.parametrize("name", CALLS)
def test_a_reply_that_may_not_call_says_what_vllm_serves(
    name: str, request_: dict[str, Any]
) -> None:
    """Some parsers strike the marks of a call that nobody may make; the others let it stand."""
    reply = f"It is 7.\n{CALLS[name]}"
    reading = parsers(name).reader(request_, calls=False)
    read = reply if reading is None else reading.said(replied(name, reply)).text
    assert read == served(name, reply, request_)
    if name == "qwen3_coder":
        assert "get_weather" not in read


def test_a_prompt_that_has_begun_to_think_is_thought_on() -> None:
    assert said("response_template", "so 7</think>7", prompt="<|im_start|><think>").text == "7"
    assert said("response_template", "<think>so 7</think>7", prompt="<|im_start|>").text == "7"


def test_a_call_may_be_asked_for_without_a_declaration() -> None:
    reading = parsers("hermes").reader({}, calls=True)
    assert reading is not None
    assert called(reading.said(Reply(CALLS["hermes"])).calls).key == key(ONE)  # type: ignore[union-attr]


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("cut", [0.3, 0.6, 0.9])
def test_what_is_broken_is_no_call_and_no_error(name: str, cut: float) -> None:
    whole = CALLS[name]
    for call in said(name, whole[: int(cut * len(whole))]).calls:
        assert call.keys() == {"name", "arguments"}


def test_a_tool_of_another_kind_is_left_to_vllm() -> None:
    reading = parsers("hermes").reader({"tools": [{"type": "web_search"}]}, calls=True)
    assert reading is not None
    assert reading.said(Reply(PROSE)).text == PROSE


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
        {"type": "custom", "name": "get_weather"},
        {"type": "function", "function": {"name": "another"}},
        {"type": "mcp", "server_label": "x"},
    ],
)
def test_a_choice_that_chats_do_not_know_is_read_as_any_of_the_tools(choice: Any) -> None:
    assert called(said("hermes", CALLS["hermes"], tool_choice=choice).calls)


def test_a_call_that_cannot_be_read_says_nothing() -> None:
    broken = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Oslo"}\n</tool_call>'
    found = said("hermes", f"I look.\n{broken}")
    assert (found.text, found.calls) == ("", ())


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("phi4", "`functools.reduce` multiplies them.\n#### 42"),
        ("ernie45", "A new line is <0x0A>.\n#### 42"),
    ],
)
def test_words_that_only_look_like_the_signs_of_a_call_are_said(name: str, reply: str) -> None:
    assert said(name, reply).text == reply


def test_a_call_without_arguments_is_one_answer_however_it_leaves_them_out() -> None:
    for arguments in ("", "{}"):
        written = CALLS["deepseek_v31"].replace(OSLO, arguments)
        assert said("deepseek_v31", written).calls == ({"name": "get_weather", "arguments": "{}"},)


def test_a_call_that_begins_with_a_word_and_is_broken_says_nothing() -> None:
    assert said("phi4", 'I look. functools[{"name": "get_weather", "arguments": {').text == ""


def test_of_calls_that_may_not_be_parallel_the_first_counts_as_for_the_client() -> None:
    both = f"{CALLS['hermes']}\n{CALLS['hermes'].replace('3', '4')}"
    assert len(said("hermes", both).calls) == 2
    assert len(said("hermes", both, parallel_tool_calls=False).calls) == 1


def test_deliberation_that_stands_in_the_text_is_no_broken_call() -> None:
    found = said("hermes", "<think>12 + 7 - 5</think>\n\nThe answer is 14.")
    assert found.text.endswith("The answer is 14.")
