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
        {"response_format": {"type": "text"}},
        {"temperature": 0.3, "n": 2, "user": "me"},
        {"chat_template_kwargs": {}},
        {"add_generation_prompt": True},
    ],
)
def test_what_says_nothing_new_is_no_part_of_it(request_: dict[str, Any]) -> None:
    assert asked("q", **request_) == asked("q")


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
