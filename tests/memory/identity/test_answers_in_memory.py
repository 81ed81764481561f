"""Answers that a vote counts as one confirm each other in memory, and others fight."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memory.memory import LongTermMemory
from memory.types import Draft, State, Tier

Build = Callable[..., Draft]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1/2", "0.5"),
        ("12,500", "12500"),
        ("29.00", "29"),
        (r"\frac{1}{2}", "1/2"),
        ("(B)", "B"),
        ("Paris.", "Paris"),
        ("5 km", "5 kilometers"),
        ("50%", "0.5"),
        ("\u22125", "-5"),
        ("**42**", "42"),
        ("$42$", "42"),
        ("1.5e6", "1500000"),
        ("x²", "x^2"),
        ("{1,2}", "{2,1}"),
        ("The answer is 4.", "4"),
        ("14 apples", "14"),
        ("$31", "31"),
        ("5 km", "5"),
        ("(x-1)(x+1)", "x^2-1"),
        ("-3/4", "–3/4"),
    ],
)
def test_equal_values_are_one_record(
    one: str, other: str, memory: LongTermMemory, draft: Build
) -> None:
    first = memory.save(draft("q", one))
    second = memory.save(draft("q", other))
    assert not second.created
    assert second.record.id == first.record.id
    assert second.record.state is State.ACTIVE


@pytest.mark.parametrize(
    ("one", "other"), [("10⁵", "105"), ("4", "5"), ("yes", "no"), ("5 km", "5 m"), ("CO", "Co")]
)
def test_unlike_values_are_two_records(
    one: str, other: str, memory: LongTermMemory, draft: Build
) -> None:
    first = memory.save(draft("q", one))
    second = memory.save(draft("q", other))
    assert second.created
    assert memory.get("ann", first.record.id).state is State.QUARANTINED


def test_a_bare_value_beside_two_units_is_a_third_answer(
    memory: LongTermMemory, draft: Build
) -> None:
    for answer in ("5 km", "5 m"):
        memory.save(draft("q", answer))
    assert memory.save(draft("q", "5")).created


def test_another_form_of_answer_is_another_question(memory: LongTermMemory, draft: Build) -> None:
    ages = {"response_format": {"type": "json_schema", "json_schema": {"name": "ages"}}}
    names = {"response_format": {"type": "json_schema", "json_schema": {"name": "names"}}}
    first = memory.save(draft("q", '{"age": 3}', request=ages, tier=Tier.VOTE)).record
    second = memory.save(draft("q", '{"name": "Ann"}', request=names, tier=Tier.VOTE)).record
    assert {memory.get("ann", r.id).state for r in (first, second)} == {State.ACTIVE}
    assert memory.get("ann", first.id).request == ages
