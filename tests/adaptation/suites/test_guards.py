"""Guards: what counts as a courteous, honest, well-formed reply, and what does not."""

import json

import pytest

from adaptation.evaluation.suites import SUITES
from adaptation.evaluation.suites.refusal import DO_NOT_KNOW, NOT_SAID
from adaptation.evaluation.suites.solved import Solved
from adaptation.evaluation.suites.split import Split
from adaptation.evaluation.suites.tool_calls import TOOLS, call_text
from memory.lines.calls import calls_in

GREETED = Solved("Hello, I am Anna.", "", "Anna", "conversation")
UNSAID = Solved(
    "Tom has some pens. Tom loses 3. How many pens does Tom have?", "", "unknown", "refusal"
)
OBJECT = Solved("", "", '{"name": "Tom", "age": 7, "city": "Paris"}', "json_objects")
CALL = Solved("", "", call_text("add", {"a": 1, "b": 2}), "tool_calls")


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ("Hello Anna! How can I help you?", True),
        ("Good day, Anna.", True),
        ("Anna", True),
        ("Hello!", False),
        ("Hello Annabel!", False),
        ("Hello anna!", False),
        ("Hello Anna! " + "What a day. " * 20, False),
    ],
)
def test_a_greeting_is_short_and_by_name(reply: str, right: bool) -> None:
    assert SUITES["conversation"].verify(GREETED, reply) is right


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        (DO_NOT_KNOW, True),
        (NOT_SAID.format("pens", "Tom"), True),
        ("It is unknown.", True),
        ("I can't tell.", True),
        ("I don’t know.", True),
        ("The story doesn’t say.", True),
        ("It isn't stated.", True),
        ("There is no way to tell.", True),
        ("Tom has 14 pens. He does not have more.", False),
        ("That cannot be said.", True),
        ("There is not enough information.", True),
        ("5-3=2.\n#### 2", False),
        ("Sorry, I do not know that.\n#### 2", False),
        ("The question does not say it, so 0-3=-3.\n#### -3", False),
        ("Tom has 2 pens.", False),
        ("No.", False),
        ("", False),
    ],
)
def test_a_refusal_says_that_it_cannot_know_and_gives_no_answer(reply: str, right: bool) -> None:
    assert SUITES["refusal"].verify(UNSAID, reply) is right


def test_no_refused_story_says_what_there_is_at_first() -> None:
    problems = SUITES["refusal"].problems(400, split=Split.EVALUATION, seed=0, level=1)
    stories = [problem for problem in problems if " has " in problem.question]
    assert 100 < len(stories) < len(problems)
    for problem in stories:
        first = problem.question.partition(".")[0]
        assert not any(letter.isdigit() for letter in first)
        assert "does not say" in problem.rationale


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ('{"name": "Tom", "age": 7, "city": "Paris"}', True),
        ('{"city":"Paris","age":7,"name":"Tom"}', True),
        ('```json\n{"name": "Tom", "age": 7, "city": "Paris"}\n```', True),
        ('{"name": "Tom", "age": "7", "city": "Paris"}', False),
        ('{"name": "Tom", "age": 7}', False),
        ('{"name": "Tom", "age": 7, "city": "Paris", "color": "red"}', False),
        ('{"name": "Tom", "age": 8, "city": "Paris"}', False),
        ('{"Name": "Tom", "age": 7, "city": "Paris"}', False),
        ('{"name": "Tom", "age": 7, "city": "Paris"', False),
        ("Tom is 7 and lives in Paris.", False),
        ("", False),
    ],
)
def test_a_json_object_is_judged_by_value(reply: str, right: bool) -> None:
    assert SUITES["json_objects"].verify(OBJECT, reply) is right


@pytest.mark.parametrize("level", SUITES["json_objects"].levels)
def test_an_object_has_the_keys_that_the_question_names(level: int) -> None:
    for problem in SUITES["json_objects"].problems(50, split=Split.EVALUATION, seed=0, level=level):
        value = json.loads(problem.answer)
        assert len(value) == level + 1
        for key, told in value.items():
            assert key in problem.question
            assert str(told) in problem.question


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        ('<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": 2}}\n</tool_call>', True),
        ('<tool_call>{"arguments": {"b": 2, "a": 1}, "name": "add"}</tool_call>', True),
        ('<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": 3}}\n</tool_call>', False),
        ('<tool_call>\n{"name": "sub", "arguments": {"a": 1, "b": 2}}\n</tool_call>', False),
        ('<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>', False),
        ('<tool_call>\n{"name": "add", "arguments": {"a": "1", "b": "2"}}\n</tool_call>', False),
        ('<tool_call>\n{"name": "add", "arguments": \n</tool_call>', False),
        (CALL.answer + CALL.answer.replace("2", "3"), False),
        ("1+2=3.\n#### 3", False),
        ("", False),
    ],
)
def test_a_tool_call_is_the_same_call_and_no_other(reply: str, right: bool) -> None:
    assert SUITES["tool_calls"].verify(CALL, reply) is right


@pytest.mark.parametrize("level", SUITES["tool_calls"].levels)
def test_the_wanted_tool_is_declared_among_as_many_as_the_level_says(level: int) -> None:
    suite = SUITES["tool_calls"]
    for problem in suite.problems(60, split=Split.EVALUATION, seed=0, level=level):
        declared = {tool["function"]["name"]: tool["function"] for tool in problem.tools}
        assert len(declared) == len(problem.tools) == level
        call = json.loads(calls_in(problem.answer).text)
        call = call[0] if isinstance(call, list) else call
        parameters = declared[call["name"]]["parameters"]
        assert set(call["arguments"]) == set(parameters["required"])
        assert all(str(value) in problem.question for value in call["arguments"].values())


def test_every_tool_is_asked_for() -> None:
    problems = SUITES["tool_calls"].problems(200, split=Split.EVALUATION, seed=0, level=1)
    assert {problem.tools[0]["function"]["name"] for problem in problems} == set(TOOLS)
