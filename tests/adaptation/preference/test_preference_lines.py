"""What a line of a preference or a reinforcement file may be, and what is said of another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adaptation.learning.preference.examples import read_graded, read_pair
from adaptation.learning.preference.hyperparameters import (
    DpoHyperparameters,
    ReinforcementHyperparameters,
)
from memory.errors import InvalidImportError
from tests.adaptation.preference.lines import graded, preference

TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
Change = Callable[[dict[str, Any]], object]


def test_a_preference_is_two_conversations_that_differ_in_the_answer_alone() -> None:
    pair = read_pair(preference("2 + 2?", "4", "5", tools=[TOOL], parallel_tool_calls=False))
    assert pair.preferred.messages[:-1] == pair.other.messages[:-1]
    assert (pair.preferred.messages[-1].content, pair.other.messages[-1].content) == ("4", "5")
    assert pair.preferred.request == pair.other.request == {
        "tools": [TOOL],
        "parallel_tool_calls": False,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda line: line.pop("input"), '"input"'),
        (lambda line: line.pop("preferred_output"), '"preferred_output"'),
        (lambda line: line["non_preferred_output"].clear(), '"non_preferred_output"'),
        (lambda line: line["preferred_output"].append({}), "one message"),
        (lambda line: line["preferred_output"][0].update(role="user"), "assistant's"),
        (lambda line: line["preferred_output"][0].update(content=" "), "empty"),
        (lambda line: line["preferred_output"][0].update(content="5"), "the same"),
        (lambda line: line["input"]["messages"][0].update(role="assistant"), "user's"),
        (lambda line: line["input"].update(temperature=1), '"temperature"'),
        (lambda line: line.update(weight=1), '"weight"'),
    ],
)
def test_what_is_wrong_with_a_preference_is_named(change: Change, said: str) -> None:
    line = preference("2 + 2?", "4", "5")
    change(line)
    with pytest.raises(InvalidImportError, match=said):
        read_pair(line)


def test_a_graded_prompt_keeps_its_line_for_the_grader() -> None:
    line = graded("2 + 2?", answer="4", tools=[TOOL])
    read = read_graded(line, "low")
    assert read.item["answer"] == "4"
    assert read.prompt.request == {"tools": [TOOL], "reasoning_effort": "low"}
    with pytest.raises(InvalidImportError, match="user's"):
        read_graded({"messages": [{"role": "assistant", "content": "4"}]})
    with pytest.raises(InvalidImportError, match='"messages"'):
        read_graded({"answer": "4"})


def test_auto_becomes_numbers_and_what_is_given_stays() -> None:
    asked = DpoHyperparameters.model_validate({"n_epochs": 2, "beta": "auto"}).resolved(100)
    assert (asked.n_epochs, asked.batch_size, asked.beta) == (2, 8, 0.1)
    assert asked.resolved(100) == asked
    small = DpoHyperparameters(batch_size=64).resolved(10)
    assert (small.batch_size, small.n_epochs) == (10, 10)


def test_no_prompts_make_a_batch_that_is_never_full() -> None:
    asked = ReinforcementHyperparameters(batch_size=32).resolved(10)
    assert asked.batch_size == 10
    assert ReinforcementHyperparameters(compute_multiplier=0.1).resolved(10).generations == 2
    assert ReinforcementHyperparameters(compute_multiplier=2).resolved(10).generations == 16


@pytest.mark.parametrize(
    "given", [{"beta": 0}, {"n_epochs": 0}, {"batch_size": "all"}, {"seed": 1}]
)
def test_hyperparameters_out_of_bounds_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(given))):
        DpoHyperparameters.model_validate(given)
