"""The laws of the other kinds of answers: equal under reformatting, apart where they differ."""

from __future__ import annotations

import json
from decimal import Decimal
from textwrap import indent
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.json_value import canonical_json
from memory.identity.answers.options import AnswerOptions

LETTERS = st.sampled_from("ABCDEFGHIJ")
CHOICES = [
    "%s",
    "(%s)",
    "**%s.**",
    "\\boxed{%s}",
    "\\boxed{\\text{%s}}",
    "The answer is (%s).",
    "Two of them are wrong.\nSo the answer is %s.",
    "<think>It may be (A) or (B).</think>%s) 42",
    "Option %s",
]
DECIMALS = st.decimals(-(10**6), 10**6, places=3)
UNITS = [("km", "kilometers"), ("h", "hours"), ("kg", "kilograms"), ("$", "dollars")]
NAMES = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.lists(st.integers())
ARGUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)
LINES = st.lists(st.from_regex(r"( {4}){0,2}[a-zA-Z0-9=+()]{1,9}", fullmatch=True), min_size=1)


def same(a: str, b: str) -> bool:
    """Whether the two are one answer among themselves."""
    return agree(canonical(a), canonical(b))


def choice(text: str) -> str | None:
    answer = extract(text, AnswerOptions(kind="choice"))
    return answer.key if answer else None


@given(LETTERS, LETTERS, st.sampled_from(CHOICES), st.sampled_from(CHOICES))
def test_choices_merge_exactly_when_the_letter_is_the_same(
    left: str, right: str, first: str, second: str
) -> None:
    keys = choice(first % left), choice(second % right)
    assert None not in keys
    assert (keys[0] == keys[1]) == (left == right)


def spellings(number: Decimal) -> list[str]:
    above, below = number.as_integer_ratio()
    return [
        f"{number}",
        f"{number}0",
        f"{number:,}",
        f"{above}/{below}",
        f"\\frac{{{above}}}{{{below}}}",
        f"{number.scaleb(2)}%",
        f"{number.scaleb(2)}\\%",
        f"{number.scaleb(-2)}e2",
        f"{number.scaleb(-2)} \\times 10^{{2}}",
    ]


@given(DECIMALS, DECIMALS, st.data())
def test_decimals_fractions_and_percentages_merge_exactly_when_equal(
    left: Decimal, right: Decimal, data: st.DataObject
) -> None:
    for other in (left, right):
        a, b = (data.draw(st.sampled_from(spellings(number))) for number in (left, other))
        assert (canonical(a) == canonical(b)) == (left == other)
        assert same(a, b) == (left == other)


@given(DECIMALS, st.sampled_from(UNITS), st.sampled_from(UNITS))
def test_a_unit_agrees_with_its_long_name_and_with_no_other(
    number: Decimal, unit: tuple[str, str], other: tuple[str, str]
) -> None:
    short, long = f"{number} {unit[0]}", f"{number} {other[1]}"
    assert same(short, long) == (unit == other)


def call(name: str, arguments: dict[str, Any], form: int) -> str:
    turned = dict(reversed(arguments.items()))
    return [
        json.dumps({"name": name, "arguments": arguments}),
        json.dumps({"arguments": turned, "name": name}, indent=2) + "\n",
        json.dumps([{"name": name, "parameters": turned}]),
        json.dumps({"name": name, "arguments": json.dumps(turned)}),
    ][form]


def tool(text: str) -> str | None:
    answer = extract(text, AnswerOptions(kind="tool"))
    return answer.key if answer else None


@given(NAMES, NAMES, ARGUMENTS, ARGUMENTS, st.integers(0, 3), st.integers(0, 3))
def test_tool_calls_merge_exactly_when_name_and_arguments_are_the_same(
    name: str, other: str, left: dict[str, Any], right: dict[str, Any], first: int, second: int
) -> None:
    key = tool(call(name, left, first))
    assert key
    assert key == tool(call(name, left, second))
    same = canonical_json(json.dumps(left)) == canonical_json(json.dumps(right))
    assert (key == tool(call(other, right, second))) == (name == other and same)


def code(text: str) -> str | None:
    answer = extract(text, AnswerOptions())
    return answer.key if answer else None


@given(LINES, LINES, st.sampled_from(["", "python"]), st.sampled_from(["", "  ", "\t"]))
def test_code_merges_exactly_when_its_lines_are_the_same(
    left: list[str], right: list[str], language: str, trailing: str
) -> None:
    tight = "```\n" + "\n".join(left) + "\n```"
    loose = f"{trailing}\n\n".join(left) + trailing
    assert code(tight) == code(f"Here it is:\n\n~~~{language}\n{indent(loose, '  ')}\n~~~\n")
    other = code("```\n" + "\n".join(right) + "\n```")
    assert (code(tight) == other) == (dedented(left) == dedented(right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("No, there is no bug in:\n%s", "Yes, it is wrong:\n%s"),
        ("It takes O(n):\n%s", "It takes O(n^2):\n%s"),
        ("Use a list.\n%s", "Use a set.\n%s"),
        ("%s\nThat is 3.", "%s\nThat is 4."),
        ("%s\nIt fails:\n%s", "%s\nIt works:\n%s"),
        ("```\na\n```\n```\nb\n```", "```\na\nb\n```"),
    ],
)
def test_what_is_claimed_beside_the_code_counts(left: str, right: str) -> None:
    block = "```python\nx = 1\n```"
    keys = [code(text.replace("%s", block)) for text in (left, right)]
    assert None not in keys
    assert keys[0] != keys[1]


def dedented(lines: list[str]) -> list[str]:
    margin = min(len(line) - len(line.lstrip()) for line in lines)
    return [line[margin:] for line in lines]
