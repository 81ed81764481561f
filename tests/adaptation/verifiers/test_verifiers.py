"""The verifiers that only compare, and how specifications are refused."""

from __future__ import annotations

from typing import Any

import pytest

from adaptation.errors import InvalidOptionsError
from adaptation.report import VerifierReport
from adaptation.verifiers import Verifier, build_verifiers
from adaptation.verifiers.python_tests import code_of
from memory.types import Tier
from server.refusals.errors import api_error


async def build(spec: dict[str, Any]) -> Verifier:
    (verifier,) = await build_verifiers((spec,))
    return verifier


async def judge(spec: dict[str, Any], text: str, answer: str | None = None) -> VerifierReport:
    return await (await build(spec)).verify(question="?", text=text, answer=answer)


@pytest.mark.parametrize(
    ("operation", "answer", "passed"),
    [
        ("eq", "Paris", True),
        ("eq", " Paris ", True),
        ("eq", "paris", False),
        ("ne", "Rome", True),
        ("ne", "Paris", False),
        ("like", "in Paris today", True),
        ("like", "in PARIS", False),
        ("ilike", "in PARIS", True),
    ],
)
async def test_string_check_compares_like_openai(operation: str, answer: str, passed: bool) -> None:
    spec = {"type": "string_check", "operation": operation, "reference": "Paris"}

    assert (await judge(spec, "ignored", answer)).passed == passed


async def test_string_check_takes_the_text_where_there_is_no_answer() -> None:
    spec = {"type": "string_check", "operation": "eq", "reference": "hello", "name": "greets"}

    assert (await judge(spec, "hello\n")).passed


@pytest.mark.parametrize(
    ("text", "answer", "passed"),
    [
        ("", "1/2", True),
        ("", "0.50", True),
        ("", "0.51", False),
        ("so 3 and then \\boxed{0.5}", None, True),
        ("so 3", None, False),
        ("nothing", None, False),
        ("Then \\boxed{0.5} metres", "7", False),
    ],
)
async def test_math_compares_by_value(text: str, answer: str | None, passed: bool) -> None:
    assert (await judge({"type": "math", "reference": "\\frac12"}, text, answer)).passed == passed


@pytest.mark.parametrize(
    ("reference", "answer", "passed"),
    [
        ("x^2-1", "(x-1)(x+1)", True),
        (r"\frac{x^2-1}{x-1}", "x+1", True),
        (r"\{7,-4\}", r"\{-4,7\}", True),
        (r"\frac{1}{\sqrt2}", r"\frac{\sqrt2}{2}", True),
        ("x>3", "3<x", True),
        ("5!", "(5!)", True),
        ("5!", "5", False),
        ("34", r"3\ 4", False),
        ("34", r"3\,4", False),
        ("R-r", "r-R", False),
        ("5 km", "5 m", False),
        ("5 km", "5", True),
        ("x=3", "y=3", False),
        ("x+y=5", "5", False),
        ("2^-60", "2^-59", False),
    ],
)
async def test_math_is_the_equality_of_a_vote_formulas_included(
    reference: str, answer: str, passed: bool
) -> None:
    report = await judge({"type": "math", "reference": reference}, "", answer)
    assert report.passed == passed


@pytest.mark.parametrize(
    ("reference", "wrong"),
    [
        ("3/4", r"The slope is $-\frac{3}{4}$."),
        ("5", "The change is –5."),
        ("1/2", r"It takes $3\frac{1}{2}$ hours."),
        ("3", "The speed is 3.0 × 10^8 m/s."),
        ("500", "You pay 12 500."),
        ("3", "The length is 2√3."),
        ("30", "It arrives at 12:30."),
        ("4", "The total is not 4."),
        ("5", "<think>It is 5.</think>The sum is 7."),
    ],
)
async def test_math_passes_no_fragment_of_another_value(reference: str, wrong: str) -> None:
    for answer in (None, wrong):
        report = await judge({"type": "math", "reference": reference}, wrong, answer)
        assert not report.passed


async def test_no_verifier_reads_a_deliberation() -> None:
    said = '<think>maybe {"a": 1}</think>{"a": "x"}'
    schema = {"type": "json_schema", "schema": {"properties": {"a": {"type": "integer"}}}}
    assert not (await judge(schema, said)).passed
    check = {"type": "string_check", "operation": "eq", "reference": "7"}
    assert (await judge(check, "[THINK]5?[/THINK]\n7")).passed
    block = "```python\n%s\n```"
    thought = f"<think>\n{block % 'x = 1'}\n</think>\n{block % 'x = 2'}"
    assert code_of(thought) == "x = 2\n"
    assert code_of(f"[THINK]{block % 'x = 1'}[/THINK]x = 2") == "x = 2"


SHAPE = {
    "type": "json_schema",
    "schema": {
        "type": "object",
        "required": ["n"],
        "properties": {"n": {"type": "integer"}, "s": {"type": "string", "pattern": "^(a+)+$"}},
        "patternProperties": {"^x-": {"type": "string"}},
    },
}


@pytest.mark.parametrize(
    ("text", "passed", "word"),
    [
        ('{"n": 1}', True, "matches"),
        ('Here:\n```json\n{"n": 1, "s": "aa"}\n```', True, "matches"),
        ('{"n": "1"}', False, "$.n"),
        ('{"n": 1, "s": "b"}', False, "$.s"),
        ('{"n": 1, "x-y": 5}', False, "x-y"),
        ("no", False, "no JSON"),
    ],
)
async def test_json_schema_checks_the_shape(text: str, passed: bool, word: str) -> None:
    report = await judge(SHAPE, text)

    assert report.passed == passed
    assert word in report.detail


def doubling(levels: int) -> dict[str, Any]:
    """Return a schema that is small, and whose references double with every level."""
    steps = {f"s{n}": {"allOf": [{"$ref": f"#/$defs/s{n + 1}"}] * 2} for n in range(levels)}
    return {"$ref": "#/$defs/s0", "$defs": {**steps, f"s{levels}": {"type": "string"}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "^(a|aa)+$"},
        {"$ref": "#"},
        {"$ref": "http://127.0.0.1:9/schema.json"},
        doubling(40),
    ],
    ids=["slow pattern", "endless reference", "remote reference", "references without end"],
)
async def test_a_schema_can_neither_hang_nor_recurse_for_ever_nor_fetch(
    schema: dict[str, Any],
) -> None:
    report = await judge({"type": "json_schema", "schema": schema}, '"' + "a" * 60 + '!"')

    assert not report.passed
    assert "cannot be checked" in report.detail
    assert (await judge(SHAPE, '{"n": 1}')).passed, "the next one is checked as ever"


@pytest.mark.parametrize(
    ("spec", "tier"),
    [
        ({"type": "string_check", "operation": "eq", "reference": "x"}, Tier.FEEDBACK),
        ({"type": "string_check", "operation": "ne", "reference": "x"}, None),
        ({"type": "string_check", "operation": "ilike", "reference": "x"}, None),
        ({"type": "math", "reference": "1"}, Tier.FEEDBACK),
        (SHAPE, None),
    ],
)
async def test_a_pass_is_worth_what_the_signal_is_worth(
    spec: dict[str, Any], tier: Tier | None
) -> None:
    assert (await build(spec)).tier is tier


@pytest.mark.parametrize(
    ("spec", "key"),
    [
        ({}, "type"),
        ({"type": "magic"}, "type"),
        ({"type": ["math"]}, "type"),
        ({"type": "math"}, "reference"),
        ({"type": "math", "reference": "1", "extra": 1}, "extra"),
        ({"type": "string_check", "operation": "is", "reference": "x"}, "operation"),
        ({"type": "json_schema"}, "schema"),
        ({"type": "json_schema", "schema": {"type": 5}}, "schema"),
        ({"type": "json_schema", "schema": {"pattern": "("}}, "schema"),
        ({"type": "json_schema", "schema": {"$schema": []}}, "schema"),
        ({"type": "json_schema", "schema": {"not": {"patternProperties": {"(": True}}}}, "schema"),
        ({"type": "json_schema", "schema": {"enum": ["x" * 70_000]}}, "schema"),
        ({"type": "json_schema", "schema": {"allOf": [{}] * 16_000}}, "schema"),
        ({"type": "python", "tests": 5}, "tests"),
        ({"type": "python", "tests": "assert 1", "timeout_s": 0}, "timeout_s"),
    ],
)
async def test_a_bad_specification_is_refused_by_key(spec: dict[str, Any], key: str) -> None:
    with pytest.raises(InvalidOptionsError) as error:
        await build_verifiers(({"type": "math", "reference": "1"}, spec))
    assert api_error(error.value).param == f"adaptation.verifiers.1.{key}"
