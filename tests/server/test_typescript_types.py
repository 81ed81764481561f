"""docs/whet.d.ts says what the models say: the same keys, the same words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from adaptation import options, report
from adaptation.options import Strategy
from adaptation.report import StopReason
from memory.identity.answers.options import AnswerOptions

TYPES = (Path(__file__).parents[2] / "docs" / "whet.d.ts").read_text("utf-8")
OURS = {"Asking", "Progress", "Reported", "ReportedChunk"}
"""What surrounds the models on the wire."""
MODELS: dict[str, type[BaseModel]] = {"AnswerOptions": AnswerOptions} | {
    name: model
    for module in (options, report)
    for name, model in vars(module).items()
    if isinstance(model, type)
    and issubclass(model, BaseModel)
    and model.__module__ == module.__name__
}


def interfaces() -> dict[str, dict[str, bool]]:
    """The keys of every interface, and whether each may be left out."""
    bodies = re.findall(r"^export interface (\w+) \{\n(.*?)^\}", TYPES, re.MULTILINE | re.DOTALL)
    return {
        name: {key: bool(mark) for key, mark in re.findall(r"^  (\w+)(\??):", body, re.MULTILINE)}
        for name, body in bodies
    }


def test_every_model_has_its_interface() -> None:
    assert len(MODELS) >= 15
    assert set(interfaces()) - OURS == set(MODELS)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_an_interface_has_the_keys_of_its_model(name: str) -> None:
    assert list(interfaces()[name]) == list(MODELS[name].model_fields)


def test_what_is_asked_may_be_left_out_and_what_comes_back_may_not() -> None:
    asked = {"AnswerOptions", "Budget", "MemoryOptions", "Options"}
    optional = {
        name for name, keys in interfaces().items() if name in MODELS and all(keys.values())
    }
    assert optional == asked
    left_out = {
        f"{name}.{key}"
        for name, keys in interfaces().items()
        if name in MODELS and name not in asked
        for key, is_optional in keys.items()
        if is_optional
    }
    assert left_out == {"AnswerCount.instructions", "AnswerCount.weight"}


@pytest.mark.parametrize(("name", "words"), [("Strategy", Strategy), ("StopReason", StopReason)])
def test_a_union_has_the_words_of_its_enumeration(name: str, words: type) -> None:
    found = re.search(rf"^export type {name} =(.*?);", TYPES, re.MULTILINE | re.DOTALL)
    assert found
    assert re.findall(r'"(\w+)"', found[1]) == list(words)  # type: ignore[call-overload]
