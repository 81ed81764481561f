"""The files that people have: every form is read, and nothing is lost without a word."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.errors import InvalidImportError
from memory.jsonl import MAX_ERRORS, import_lines
from memory.lines import Line, parse_line
from memory.lines.calls import as_text, turn_of
from memory.memory import LongTermMemory
from memory.types import Draft, State

ASK = {"role": "user", "content": "What is 7 * 2?"}
CALL = {"id": "c1", "type": "function", "function": {"name": "mul", "arguments": '{"a": 7}'}}
BROKEN = {"type": "function", "function": {"name": "mul", "arguments": "7,"}}


def said(content: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def read(**fields: Any) -> Line:
    line = parse_line(json.dumps(fields), "ann", trust=False)
    assert line is not None
    return line


def draft(**fields: Any) -> Draft:
    return read(**fields).draft


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("12 - 5 = 7.\n#### 7", "7"),
        ("#### Step 1\nDouble it.\n#### Step 2\nAdd. The answer is 10.", "10"),
        ("<think>#### maybe 13? no</think>7*2=14. The answer is 14.", "14"),
        ("So it is \\boxed{12}.", "12"),
        ("It is four. #### 4", "4"),
        ("Paris has twenty districts.", "Paris has twenty districts."),
        ("14", "14"),
    ],
)
@pytest.mark.parametrize("form", ["messages", "question", "alpaca", "prompt", "sharegpt"])
def test_the_answer_is_what_a_solution_marks(form: str, solution: str, answer: str) -> None:
    line: dict[str, dict[str, Any]] = {
        "messages": {"messages": [ASK, said(solution)]},
        "question": {"question": "What is 7 * 2?", "answer": solution},
        "alpaca": {"instruction": "What is 7 * 2?", "input": "", "output": solution},
        "prompt": {"prompt": "What is 7 * 2?", "completion": solution},
        "sharegpt": {"conversations": [{"from": "human", "value": "What is 7 * 2?"},
                                       {"from": "gpt", "value": solution}]},
    }  # fmt: skip
    found = draft(**line[form])
    assert (found.answer, found.rationale) == (answer, solution)
    assert [turn.turn() for turn in found.messages] == [ASK]


def test_an_answer_beside_its_solution_is_taken_as_it_is() -> None:
    for name in ("rationale", "solution"):
        found = draft(question="q", answer="14", **{name: "7*2 = 14."})
        assert (found.answer, found.rationale) == ("14", "7*2 = 14.")
    found = draft(messages=[ASK, said("7*2 = 14.")], answer="14")
    assert (found.answer, found.rationale) == ("14", "7*2 = 14.")


def test_the_last_turn_with_weight_is_learned() -> None:
    turns = [ASK, said("14"), {"role": "user", "content": "And 3?"}, said("21", weight=0)]
    found = draft(messages=turns)
    assert (found.answer, len(found.messages)) == ("14", 1)
    turns[1]["weight"], turns[3]["weight"] = 0, 1
    found = draft(messages=turns)
    assert (found.answer, len(found.messages)) == ("21", 3)
    turns[1]["weight"] = turns[2]["weight"] = turns[3]["weight"] = None  # as if it were absent
    assert draft(messages=turns).answer == "21"


def test_tools_calls_and_results_stay_where_they_were() -> None:
    tools = [{"type": "function", "function": {"name": "mul"}}]
    result = {"role": "tool", "content": "14", "tool_call_id": "c1"}
    called = said("I multiply.", tool_calls=[CALL])
    found = draft(messages=[ASK, called, result, said("14")], tools=tools,
                  parallel_tool_calls=False)  # fmt: skip
    assert [turn.turn() for turn in found.messages] == [ASK, called, result]
    assert found.request == {"tools": tools, "parallel_tool_calls": False}
    silent = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    found = draft(messages=[ASK, silent, result, said("14")])
    assert found.messages[1].tool_calls == (CALL,)
    assert found.messages[1].content == ""


def test_systems_histories_and_ids_are_kept() -> None:
    found = draft(instruction="Add", input="1 2", output="3", system="Be exact.",
                  history=[["Hi", "Hello"]], id="a7")  # fmt: skip
    said_before = [(turn.role, turn.content) for turn in found.messages]
    assert said_before == [
        ("system", "Be exact."), ("user", "Hi"), ("assistant", "Hello"), ("user", "Add\n\n1 2"),
    ]  # fmt: skip
    assert found.evidence == {"source": "import", "id": "a7"}
    shared = draft(
        conversations=[{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}],
        system="s", tools='[{"type": "function", "function": {"name": "f"}}]',
    )  # fmt: skip
    assert shared.messages[0].role == "system"
    assert shared.request["tools"][0]["function"]["name"] == "f"
    both = draft(prompt=[ASK], completion=[said("14")])
    assert (both.answer, both.messages[0].content) == ("14", ASK["content"])


def test_a_state_is_kept_in_any_form() -> None:
    assert read(question="q", answer="a", state="pending").state is State.PENDING
    assert read(messages=[ASK, said("a")], state="quarantined").state is State.QUARANTINED


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ({"messages": [ASK, said("a", weight=0)]}, "weight"),
        ({"messages": [ASK, said("a", weight="yes")]}, "weight"),
        ({"messages": [ASK, said("a", weight=True)]}, "weight"),
        ({"messages": [{**ASK, "weight": 1}, said("a")]}, "weight"),
        ({"messages": [ASK, said("a")], "label": False}, "label"),
        ({"messages": [ASK, said("a", tool_calls=[BROKEN])]}, "arguments"),
        ({"messages": [ASK, said("a", tool_calls=[7]), said("b")]}, "tool_calls"),
        ({"messages": [ASK, said("a", audio={})]}, "audio"),
        ({"messages": [ASK, said("a", refusal="no")]}, "refusal.* leave it out"),
        ({"messages": [ASK, said("a", reasoning="hm")]}, "reasoning"),
        ({"messages": [ASK, said("a")], "functions": [], "tools": []}, "say the same"),
        ({"messages": [ASK, said("a")], "functions": {}}, "functions"),
        ({"messages": [ASK, said("a", function_call="auto")]}, "tool_calls"),
        ({"conversations": [{"from": "function_call", "value": "f(7)"}]}, "not JSON"),
        ({"conversations": [{"from": "human", "value": "a", "weight": 1}]}, "weight"),
        ({"messages": [{"role": "robot", "content": "q"}, said("a")]}, "role"),
        ({"messages": [{"role": [], "content": "q"}, said("a")]}, "role"),
        ({"conversations": [{"from": [], "value": "q"}, {"from": "gpt", "value": "a"}]}, "from"),
        ({"messages": [{"role": "user", "content": " "}, said("a")]}, "question is empty"),
        ({"question": "", "answer": "a"}, "question is empty"),
        ({"question": "q", "anwser": "a"}, "known form"),
        ({"question": "q", "answer": "a", "rational": "b"}, "rational"),
        ({"question": "q", "answer": "a", "rationale": "b", "solution": "c"}, "solution"),
        ({"question": "q", "answer": "a", "state": "perhaps"}, "state"),
        ({"question": "q", "answer": "5", "rationale": "2+4=6.\n#### 6"}, "comes to 6, not to 5"),
        ({"question": "q", "answer": "5", "solution": "So it makes 6."}, "comes to 6"),
        ({"messages": [ASK, said("The answer is 6.")], "answer": "5"}, "comes to 6"),
        ({"instruction": "i", "output": 7}, "output"),
        ({"instruction": "i", "output": "o", "history": [1]}, "history"),
        ({"conversations": [{"from": "tree", "value": "a"}]}, "from"),
        ({"conversations": [{"from": "human", "value": "a"}]}, "assistant"),
        ({"prompt": "p", "completion": 5}, "completion"),
        ({"prompt": "p", "chosen": "a", "rejected": "b"}, "known form"),
        ({}, "known form"),
    ],
)  # fmt: skip
def test_what_would_be_lost_is_refused_by_name(line: dict[str, Any], word: str) -> None:
    with pytest.raises(InvalidImportError, match=word):
        read(**line)


def test_lines_that_contradict_each_other_are_named(memory: LongTermMemory) -> None:
    lines = [json.dumps({"question": q, "answer": a}) for q, a in
             [("q", "1/2"), ("r", "5"), ("q", "0.5"), ("q", "3"), ("Q", "4")]]  # fmt: skip
    report = import_lines(memory, "ann", lines)
    assert report.contradictions == ((4, 1),)
    assert (report.imported, report.confirmed, report.quarantined) == (3, 1, 1)


def test_a_file_of_another_kind_does_not_print_a_line_for_each_of_its_own(
    memory: LongTermMemory,
) -> None:
    report = import_lines(memory, "ann", [b"\x00\xff\xfe"] * (MAX_ERRORS + 50))
    assert (report.failed, len(report.errors)) == (MAX_ERRORS + 50, MAX_ERRORS)


def test_a_turn_that_calls_tools_is_learned_as_text_and_read_back_as_calls() -> None:
    asked = {"tools": [{"type": "function", "function": {"name": "mul"}}]}
    found = draft(messages=[ASK, {"role": "assistant", "tool_calls": [CALL]}], **asked)
    assert found.rationale == '<tool_call>\n{"name": "mul", "arguments": {"a": 7}}\n</tool_call>'
    assert found.answer == '{"arguments":{"a":7},"name":"mul"}'
    turn = turn_of(found.rationale)
    assert (turn.role, turn.content, len(turn.tool_calls)) == ("assistant", "", 1)
    both = draft(messages=[ASK, said("I ask.", tool_calls=[CALL, CALL])], **asked)
    turn = turn_of(both.rationale)
    assert (turn.content, len(turn.tool_calls)) == ("I ask.", 2)
    assert turn.tool_calls[0]["function"] == {"name": "mul", "arguments": {"a": 7}}


@given(st.text(), st.lists(st.dictionaries(st.text(), st.integers() | st.text()), max_size=3))
def test_what_is_said_with_calls_reads_back_alike(
    content: str, given_arguments: list[dict[str, Any]]
) -> None:
    calls = [{"function": {"name": "f", "arguments": given}} for given in given_arguments]
    text = as_text(content, calls)
    turn = turn_of(text)
    assert as_text(turn.content, turn.tool_calls) == text


@pytest.mark.parametrize(
    "text",
    [
        "no calls",
        '<tool_call>\n{"name": "f"}\n</tool_call>',
        '<tool_call>\n{"name": "f", "arguments": {"a":1}}\n</tool_call>',
        '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call> and more',
        "<tool_call>\n7\n</tool_call>",
    ],
)
def test_what_would_be_written_otherwise_stays_a_text(text: str) -> None:
    turn = turn_of(text)
    assert (turn.content, turn.tool_calls) == (text, ())


def test_an_earlier_thought_is_kept() -> None:
    found = draft(messages=[ASK, said("a", reasoning="hm"), ASK, said("14")])
    assert found.messages[1].reasoning == "hm"
    assert found.messages[1].turn()["reasoning"] == "hm"


@pytest.mark.parametrize("solution", ["", None, "2+3=5.\n#### 5.0", "So there are 5 left.", "Why?"])
def test_a_solution_that_is_none_or_agrees_is_taken(solution: str | None) -> None:
    found = draft(question="q", answer="5", rationale=solution)
    assert (found.answer, found.rationale) == ("5", solution or "5")


def test_a_thought_may_be_no_longer_than_any_text() -> None:
    thinking = {"role": "assistant", "content": "5", "reasoning": "x" * 70_000}
    turns = [{"role": "user", "content": "q"}, thinking, {"role": "user", "content": "and?"}]
    line = json.dumps({"messages": [*turns, {"role": "assistant", "content": "6"}]})
    with pytest.raises(InvalidImportError, match="longer than"):
        parse_line(line, "ann", trust=False)


FUNCTION = {"name": "mul", "parameters": {"type": "object"}}
AS_TOOLS = [{"type": "function", "function": FUNCTION}]


def test_functions_of_before_there_were_tools_are_tools() -> None:
    called = said("", function_call={"name": "mul", "arguments": '{"a": 7}'})
    result = {"role": "function", "name": "mul", "content": "14"}
    found = draft(messages=[ASK, called, result, said("14")], functions=[FUNCTION])
    assert found.request == {"tools": AS_TOOLS}
    assert found.messages[1].tool_calls[0]["function"] == CALL["function"]
    assert (found.messages[2].role, found.messages[2].name) == ("tool", "mul")
    learned = draft(messages=[ASK, called], functions=[FUNCTION])
    assert learned.answer == draft(messages=[ASK, said("", tool_calls=[CALL])]).answer
    assert learned.rationale == '<tool_call>\n{"name": "mul", "arguments": {"a": 7}}\n</tool_call>'


def test_calls_and_results_of_sharegpt_are_turns_of_tools() -> None:
    call = json.dumps({"name": "mul", "arguments": {"a": 7}})
    for asks, tells in (("function_call", "observation"), ("tool_call", "tool")):
        turns = [("human", "7*2?"), (asks, call), (tells, "14"), ("gpt", "14")]
        found = draft(conversations=[{"from": who, "value": text} for who, text in turns])
        assert [turn.role for turn in found.messages] == ["user", "assistant", "tool"]
        assert found.messages[1].tool_calls[0]["function"]["arguments"] == {"a": 7}
    turns = [("human", "7*2?"), ("function_call", f"[{call}, {call}]")]
    found = draft(conversations=[{"from": who, "value": text} for who, text in turns])
    assert len(turn_of(found.rationale).tool_calls) == 2
    assert draft(conversations=[ASK, said("14")]).messages[0].content == ASK["content"]


def test_what_is_null_is_as_if_it_were_not_there() -> None:
    assert draft(instruction="Add 1 2", input=None, output="3", text=None).answer == "3"
    assert draft(messages=[ASK, said("14", refusal=None, audio=None, tool_calls=None)],
                 tools=None, functions=None).request == {}  # fmt: skip
    shared = [{"from": "human", "value": "q", "weight": None}, {"from": "gpt", "value": "a"}]
    assert draft(conversations=shared, model=None).answer == "a"


def test_a_line_of_no_known_form_is_told_what_it_has() -> None:
    with pytest.raises(InvalidImportError, match="has the keys custom_id, url, and of no known"):
        read(custom_id="1", url="/v1/chat/completions")
