"""The laws of answer keys: formatting never splits a vote, and different values never merge."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.json_value import canonical_json
from memory.identity.answers.keys import joined, parts
from memory.identity.answers.options import AnswerOptions

INTEGERS = st.integers(min_value=-(10**15), max_value=10**15)
FRACTIONS = st.fractions(max_denominator=10**6)
JSON_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
JSON_VALUES = st.recursive(
    JSON_LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
TEMPLATES = [
    "\\boxed{%s}",
    "Work: 3 + 4.\n#### %s",
    "The answer is %s.",
    "So the final answer is **%s**.",
    "Answer: $%s$",
    "<think>\\boxed{99999}</think>\n\\[ \\boxed{ %s } \\]",
]


def same(a: str, b: str) -> bool:
    """Whether the two are one answer among themselves."""
    return agree(canonical(a), canonical(b))


def spellings(number: int) -> list[str]:
    grouped = f"{number:,}"
    return [
        str(number),
        grouped,
        grouped.replace(",", "{,}"),
        f"{number}.0",
        f"{number} apples",
        f"\\frac{{{2 * number}}}{{2}}",
        f"{number}\\text{{ kg}}",
        f"{100 * number}%",
        f"  {grouped} ",
    ]


@given(INTEGERS, st.sampled_from(TEMPLATES), st.sampled_from(TEMPLATES), st.data())
def test_one_number_has_one_key_however_it_is_written(
    number: int, first: str, second: str, data: st.DataObject
) -> None:
    keys = {
        parts(answer.key).value
        for template in (first, second)
        for options in (AnswerOptions(kind="math"), AnswerOptions())
        if (answer := extract(template % data.draw(st.sampled_from(spellings(number))), options))
    }

    assert keys == {str(number)}


@given(INTEGERS, INTEGERS, st.data())
def test_different_integers_never_merge(left: int, right: int, data: st.DataObject) -> None:
    if left != right:
        a = data.draw(st.sampled_from(spellings(left)))
        b = data.draw(st.sampled_from(spellings(right)))

        assert canonical(a) != canonical(b)
        assert not same(a, b)


@given(FRACTIONS, FRACTIONS)
def test_fractions_merge_exactly_when_equal(left: Fraction, right: Fraction) -> None:
    a = f"\\frac{{{left.numerator}}}{{{left.denominator}}}"
    b = f"{3 * right.numerator}/{3 * right.denominator}"

    assert (canonical(a) == canonical(b)) == (left == right)


@given(
    INTEGERS.flatmap(lambda number: st.sampled_from(spellings(number)))
    | FRACTIONS.map(str)
    | st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str)
)
def test_the_key_of_a_number_is_its_own_key(text: str) -> None:
    key = parts(canonical(text)).value
    assert Fraction(key) is not None
    assert canonical(key) == key


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1/2", "0.5"),
        ("0.5", "50%"),
        ("50 percent", "1/2"),
        ("1.5e3", "1,500"),
        ("3 \\times 10^{4}", "30000"),
        ("3×10⁴", "30000"),
        ("6.02\\times10^{23}", "6.02e23"),
        ("2\\cdot10^3", "2000"),
        ("90^{\\circ}", "90\\degree"),
        ("1\\quad2", "1\\,2"),
        ("½", "0.5"),
        ("1½", "1 1/2"),
        ("1½", "1.5"),
        ("-1½", "-3/2"),
        ("2½ hours", "2.5 hours"),
        ("14 apples left", "14"),
        ("one half", "1/2"),
        ("two-thirds", "2/3"),
        ("three quarters", "0.75"),
        ("two and a half hours", "2.5 h"),
        ("half a dozen", "6"),
        ("a dozen", "12"),
        ("5 out of 8", "5/8"),
        ("1 in 6", "1/6"),
        ("7 over 2", "3.5"),
        ("x**2", "x^2"),
        ("2*x**3 + 1", "2x³+1"),
        ("1.234.567", "1234567"),
        ("1.000,50 €", "€1000.50"),
        ("1_000_000", "1,000,000"),
        ("0.333...", "1/3"),
        ("0.1666…", "1/6"),
        ("0.3̅", "0.(3)"),
        ("42。", "42"),
        ("5¢", "5 cents"),
        ("1 hour 30 minutes", "90 min"),
        ("6 ft 2 in", "74 inches"),
        ("6'2\"", "6 feet 2 inches"),
        ("3 dollars and 50 cents", "$3.50"),
        ("5 pounds sterling", "£5"),
        ("H₂O", "H2O"),
        ("\\text{H}_2\\text{O}", "H_2O"),
        ("\\mathrm{CO_2}", "CO2"),
        ("Ca(OH)₂", "Ca(OH)_2"),
        ("3rd", "third"),
        ("10 o'clock", "10:00"),
        ("∅", "\\emptyset"),
        ("\\{\\}", "\\varnothing"),
        ("7 R 2", "7 remainder 2"),
        ("7 r2", "7 with a remainder of 2"),
        ("A and C", "C, A"),
        ("P(A) = 3/8", "0.375"),
        ("f(2)=8", "8"),
        ("5.", "5"),
        ("1 1/2", "1.5"),
        ("1\\frac{1}{2}", "3/2"),
        ("-\\dfrac12", "−0.5"),
        ("$288", "288 dollars"),
        ("\\$288.00", "288"),
        ("288 $", "$288"),
        ("5€", "5 euros"),
        ("288", "288 apples"),
        ("5 million", "5,000,000"),
        ("$5M", "5000000 dollars"),
        ("90°", "90^\\circ"),
        ("5 km", "5km"),
        ("5 km", "5 kilometers"),
        ("x = 5", "5"),
        ("x^{2}+1", "x^2 + 1"),
        ("x²", "x^2"),
        ("\\frac{\\pi}{2}", "π/2"),
        ("(1, 2)", "\\left(1,\\,2\\right)"),
        ("(B)", "b"),
        ("**Paris.**", "paris"),
        ('"Paris"', "Paris"),
        ('{"a": 1, "b": [1.0]}', '{"b":[1],"a":1e0}'),
    ],
)
def test_the_same_answer_in_two_spellings(a: str, b: str) -> None:
    assert same(a, b)
    left, right = parts(canonical(a)), parts(canonical(b))
    names_one = all(
        one == other or not one or not other for one, other in zip(left, right, strict=True)
    )
    assert left.value == right.value
    assert names_one


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("5", "5x"),
        ("5m", "5"),
        ("5 x", "5"),
        ("5 and a half", "5"),
        ("5 squared", "5"),
        ("5!", "6"),
        ("3,5", "35"),
        ("1 234", "1234"),
        ("5 am", "5 pm"),
        ("5%", "5"),
        ("2^10", "2"),
        ("10^2", "102"),
        ("x²", "x2"),
        ("1/0", "1"),
        ("1:2", "1/2"),
        ("$5k", "5"),
        ("5 million", "5"),
        ("2/3", "2"),
        ("1e999999999", "1e999999998"),
        ("9" * 600, "9" * 599),
        ("true", "1"),
        ('{"a": 1}', '{"a": true}'),
        ("[1]", '["1"]'),
        ("E. coli", "E. faecalis"),
        ("one half", "one third"),
        ("two thirds", "three halves"),
        ("twenty-fifth", "20/5"),
        ("1 in 6", "6"),
        ("5 out of 8", "8/5"),
        ("0.33", "0.333..."),
        ("3.14...", "3.14"),
        ("9:05", "9:5"),
        ("5 per hour", "5 per day"),
        ("1 hour 30 minutes", "1 hour 20 minutes"),
        ("6'2\"", "62"),
        ("H2O", "H2O2"),
        ("x₂", "x2"),
        ("CO_2", "Co_2"),
        ("3rd", "3"),
        ("third", "1/3"),
        ("7 R 2", "7 R 3"),
        ("7 R 2", "72"),
        ("A and C", "A and B"),
        ("P(A) = 1/2", "P(B) = 1/2"),
        ("f(2)=8", "f(3)=8"),
        ("x**2", "2x"),
        ("5 pounds sterling", "5 lb"),
        ("1.234", "1234"),
        ("3,14", "314"),
        ("yes", "no"),
        ("1½", "11/2"),
        ("20% increase", "20% decrease"),
        ("$20 profit", "$20 loss"),
        ("5 km north", "5 km south"),
        ("5 km east", "5 km west"),
        ("10 degrees below zero", "10 degrees above zero"),
        ("2 minutes late", "2 minutes early"),
        ("5 higher", "5 lower"),
        ("3 wins", "3 losses"),
        ("2 units left", "2 units right"),
        ("2 days ago", "2 days later"),
        ("5 cents", "$5"),
        ("1. Paris", "1. London"),
        ("1. Paris", "1"),
    ],
)
def test_different_answers_stay_apart(a: str, b: str) -> None:
    assert not same(a, b)
    assert canonical(a) != canonical(b)


def test_a_bare_number_joins_the_one_unit_of_its_set_and_none_of_two() -> None:
    km, m, bare = map(canonical, ("5 km", "5 m", "5"))
    assert len({km, m, bare}) == 3
    assert len(set(joined([km, bare]).values())) == 1
    assert len(set(joined([m, bare]).values())) == 1
    assert len(set(joined([bare, km, m]).values())) == 3
    assert not same("$5", "5 euros")


@given(JSON_VALUES)
def test_json_layout_does_not_matter(value: Any) -> None:
    compact = json.dumps(value, separators=(",", ":"), sort_keys=True)
    spread = json.dumps(value, indent=3, ensure_ascii=True)

    assert canonical_json(compact) == canonical_json(f"  {spread}\n") is not None


@given(JSON_VALUES, JSON_VALUES)
def test_json_values_merge_exactly_when_equal(left: Any, right: Any) -> None:
    same = canonical_json(json.dumps(left)) == canonical_json(json.dumps(right))

    assert same == _equal(left, right)


def _equal(left: Any, right: Any) -> bool:
    """Python's equality, but with booleans apart from numbers."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(_equal(left[k], right[k]) for k in left)
    if type(left) in (int, float) and type(right) in (int, float):
        return Fraction(repr(left)) == Fraction(repr(right))
    return type(left) is type(right) and bool(left == right)


@pytest.mark.parametrize(
    ("a", "b"), [("1", "true"), ("1", '"1"'), ("null", '"null"'), ("0", "false"), ("[]", "{}")]
)
def test_json_types_stay_apart(a: str, b: str) -> None:
    assert canonical_json(a) != canonical_json(b)


def test_json_numbers_keep_every_digit() -> None:
    big = "1" * 5000

    assert canonical_json(big) == big
    assert canonical_json("0.1") != canonical_json("0.10000000000000000001")
    assert canonical_json("-0.0") == canonical_json("0") == canonical_json("0e99") == "0"
    assert canonical_json("1e400") != canonical_json("1e401")


AWKWARD = st.text(alphabet=st.sampled_from("\\{}[]()$#*`<>/=.,:-+%^ \n0159eEABxn\"'aw½²٣")) | (
    st.lists(
        st.sampled_from(
            [
                "\\boxed{",
                "}",
                "answer is ",
                "#### ",
                "[{",
                "}]",
                "</think>",
                '{"name":',
                '"arguments":',
                "```json\n",
                "```",
                "\\frac",
                "{1}",
                "1,000",
                "%",
                "\n",
            ]
        )
    ).map("".join)
)


@given(st.text() | AWKWARD, st.booleans())
def test_extraction_never_raises(text: str, json_output: bool) -> None:
    for kind in ("auto", "math", "choice", "json", "tool", "text"):
        options = AnswerOptions.model_validate({"kind": kind})
        answer = extract(text, options, json_output=json_output)
        assert answer is None or answer.key
    assert same(text, text)
    extract(text, AnswerOptions(kind="regex", pattern=r"(a|1)+"))
