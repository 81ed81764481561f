"""Which questions are the same: spelled alike, asked alike, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from memory.identity.prompt import Prompt
from memory.types import Message

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


def asked(*turns: str, **request: Any) -> str:
    roles = ("user", "assistant")
    messages = tuple(
        Message(role=roles[place % 2], content=text) for place, text in enumerate(turns)
    )
    return Prompt(messages=messages, request=request).fingerprint


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is 2³?", "What is 23?"),
        ("10²", "102"),
        ("x²", "x2"),
        ("log₂8", "log28"),
        ("5₇", "57"),
        ("1011₂", "10112"),
        ("①", "1"),
        ('Reverse "AbC"', 'Reverse "aBc"'),
        ("The ASCII code of A?", "The ASCII code of a?"),
        ('How long is "a  b"?', 'How long is "a b"?'),
        ("if x:\n    y", "if x:\ny"),
        ("½", "1/2"),
        ("ﬁne", "fine"),
        ("10 km", "10 KM"),
        ("５", "5"),
        ("straße", "strasse"),
        ("a b", "a\u00a0b"),
        ("a\nb", "a b"),
        ("a\tb", "a b"),
        ("x⁻¹", "x-1"),
        ("Is ℌ a letter?", "Is H a letter?"),
    ],
)
def test_whatever_is_written_otherwise_is_another_question(one: str, other: str) -> None:
    assert asked(one) != asked(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("two\r\nlines", "two\nlines"),
        ("two\rlines", "two\nlines"),
        ("  What is it?\n", "What is it?"),
        ("cafe\u0301", "caf\u00e9"),
        ("\u212b", "\u00c5"),
    ],
)
def test_ends_of_lines_outer_space_and_composition_are_no_meaning(one: str, other: str) -> None:
    assert asked(one) == asked(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"tools": [TOOL]}),
        ({"tools": [TOOL]}, {"tools": [TOOL], "tool_choice": "none"}),
        ({"tools": [TOOL]}, {"tools": [TOOL, TOOL]}),
        ({}, {"response_format": {"type": "json_object"}}),
        (
            {"response_format": {"type": "json_object"}},
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
        ),
        ({}, {"structured_outputs": {"choice": ["yes", "no"]}}),
        ({}, {"chat_template_kwargs": {"enable_thinking": False}}),
        ({}, {"documents": [{"text": "x"}]}),
        ({}, {"reasoning_effort": "low"}),
        ({}, {"raw": True}),
        ({"raw": True}, {"raw": True, "add_special_tokens": False}),
        ({}, {"truncate_prompt_tokens": 40}),
        ({"truncate_prompt_tokens": 40}, {"truncate_prompt_tokens": 41}),
        ({"tools": [TOOL]}, {"tools": [TOOL], "parallel_tool_calls": False}),
    ],
)
def test_what_shapes_a_prompt_is_part_of_its_question(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    assert asked("q", **one) != asked("q", **other)


@pytest.mark.parametrize(
    "request_",
    [
        {"tools": None},
        {"tools": []},
        {"tool_choice": "auto"},
        {"tool_choice": "none"},
        {"parallel_tool_calls": True},
        {"parallel_tool_calls": False, "tools": []},
        {"response_format": {"type": "text"}},
        {"temperature": 0.3, "n": 2, "user": "me"},
        {"chat_template_kwargs": {}},
        {"chat_template_kwargs": {"enable_thinking": None}},
        {"structured_outputs": {"json": None, "choice": None}},
        {"truncation_side": "left"},
        {"add_generation_prompt": True},
    ],
)
def test_what_says_nothing_new_is_no_part_of_it(request_: dict[str, Any]) -> None:
    assert asked("q", **request_) == asked("q")


@pytest.mark.parametrize(
    "more",
    [
        {"tool_choice": "auto"},
        {"parallel_tool_calls": True},
        {"tools": [TOOL | {"defer_loading": None}]},
        {"tools": [{"type": "function", "function": TOOL["function"] | {"description": None}}]},  # type: ignore[operator]
    ],
)
def test_defaults_and_nulls_beside_tools_say_nothing_new(more: dict[str, Any]) -> None:
    assert asked("q", **{"tools": [TOOL], **more}) == asked("q", tools=[TOOL])


def test_nulls_in_a_form_say_nothing_new_and_those_of_a_schema_do() -> None:
    def form(schema: dict[str, Any], **more: Any) -> str:
        named = {"name": "n", "schema": schema, **more}
        return asked("q", response_format={"type": "json_schema", "json_schema": named})

    assert form({"type": "object"}, strict=None) == form({"type": "object"})
    assert form({"const": None}) != form({})


def called(*calls: tuple[str, str], results: tuple[str, ...] = (), thought: str = "") -> str:
    """Return the fingerprint of a conversation with calls, each an id and its arguments."""
    made = tuple(
        {"id": name, "type": "function", "function": {"name": "f", "arguments": arguments}}
        for name, arguments in calls
    )
    turns = [
        Message(role="user", content="q"),
        Message(role="assistant", content="", tool_calls=made, reasoning=thought),
        *(Message(role="tool", content=f"{place}", tool_call_id=name)
          for place, name in enumerate(results)),
    ]  # fmt: skip
    return Prompt(messages=tuple(turns)).fingerprint


ONE = ("call_1", '{"a":1,"b":[2]}')


@pytest.mark.parametrize(
    "other",
    [
        ("call_x8Ab", ONE[1]),
        ("call_1", '{"a": 1, "b": [2]}'),
        ("call_1", '{\n  "b": [2],\n  "a": 1.0\n}'),
    ],
)
def test_ids_and_layout_of_calls_are_no_meaning(other: tuple[str, str]) -> None:
    assert called(other) == called(ONE)
    assert called(other, results=(other[0],)) == called(ONE, results=(ONE[0],))


@pytest.mark.parametrize("nothing", ["", "{}", " { } "])
def test_a_call_without_arguments_has_none_however_that_is_written(nothing: str) -> None:
    assert called(("c", nothing)) == called(("c", "{}"))


@pytest.mark.parametrize("arguments", ['{"a":2,"b":[2]}', '{"a":"1","b":[2]}', '{"a":1', "[1]"])
def test_other_arguments_make_another_question(arguments: str) -> None:
    assert called(("call_1", arguments)) != called(ONE)


def test_which_call_a_result_belongs_to_is_meaning() -> None:
    two = (ONE, ("call_2", '{"a":2}'))
    assert called(*two, results=("call_1", "call_2")) != called(*two, results=("call_2", "call_1"))
    assert called(*two, results=("call_1",)) != called(*two, results=("call_2",))
    other = (("x", ONE[1]), ("y", '{"a":2}'))
    assert called(*other, results=("y", "x")) == called(*two, results=("call_2", "call_1"))


def test_ids_that_are_used_again_are_as_good_as_new_ones() -> None:
    def conversation(*names: str) -> str:
        turns = [Message(role="user", content="q")]
        for name in names:
            call = {"id": name, "type": "function", "function": {"name": "f", "arguments": "{}"}}
            turns.append(Message(role="assistant", content="", tool_calls=(call,)))
            turns.append(Message(role="tool", content="1", tool_call_id=name))
        return Prompt(messages=tuple(turns)).fingerprint

    assert conversation("call_0", "call_0") == conversation("a", "b")


def test_a_thought_is_spelled_as_a_text_is_and_an_empty_one_is_none() -> None:
    assert called(ONE, thought="so\r\nit is ") == called(ONE, thought="so\nit is")
    assert called(ONE, thought="so") != called(ONE, thought="no")
    bare = Message(role="assistant", content="a")
    empty = bare.model_copy(update={"reasoning": ""})
    assert Prompt(messages=(bare,)).fingerprint == Prompt(messages=(empty,)).fingerprint


def test_the_order_of_keys_is_nothing_and_of_tools_it_is_something() -> None:
    other = {"function": {"parameters": {"type": "object"}, "name": "look"}, "type": "function"}
    second = {"type": "function", "function": {"name": "find"}}
    assert asked("q", tools=[TOOL]) == asked("q", tools=[other])
    assert asked("q", tools=[TOOL, second]) != asked("q", tools=[second, TOOL])


def test_earlier_turns_roles_and_tasks_count() -> None:
    assert asked("a", "b", "c") != asked("a", "x", "c")
    assert asked("a") != asked("b", "x", "a")
    system = (Message(role="system", content="s"), Message(role="user", content="a"))
    assert Prompt(messages=system).fingerprint != asked("a")
    assert Prompt(messages=system[1:], task="t").fingerprint != asked("a")


def test_the_fingerprints_of_chats_are_those_that_databases_hold() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    turns = (
        Message(role="system", content="Be brief."),
        Message(role="user", content="What is 2 + 2?"),
    )
    found = Prompt(messages=turns, request={"tools": [tool]}, task="t")
    assert Prompt(messages=turns).fingerprint == (
        "bab1e194471acc3264569db62a7fdb0f61853924fe87bf04f6e1f1baf845c42c"
    )
    assert found.fingerprint == "1d9046b3cc2dbec9cb2785759dd8ea6ebe998ce49c2dbc812419b385107f1092"
