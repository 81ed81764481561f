"""More of each kind of mistake: other units, signs, corrections and languages."""

from __future__ import annotations

import pytest

from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.options import AnswerKind, AnswerOptions
from tests.memory.identity.answers.reading import key_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("7 milligrams", "7 micrograms"), ("7 mcg", "7 mg"), ("7 light-years", "7 years"),
        ("7 nautical miles", "7 miles"), ("7 fluid ounces", "7 ounces"), ("7 psi", "7 bar"),
        ("7 lux", "7 lumens"), ("7 tesla", "7 gauss"), ("7 picometers", "7 nanometers"),
        ("7 megawatts", "7 kilowatts"), ("7 decibels", "7 hertz"), ("7 ppm", "7 ppb"),
        ("7 nickels", "7 dimes"), ("7 krona", "7 zloty"), ("7 baht", "7 dong"),
        ("7 words per minute", "7 words per hour"), ("7 mpg", "7 mph"),
        ("7 steps forward", "7 steps backward"), ("7 becquerels", "7 sieverts"),
        ("5 Millionen", "5"), ("5 mil", "5"), ("5 Mrd.", "5"), ("5 sevenths", "5"), ("5 tens", "5"),
        ("5 per mille", "5"), ("5 per thousand", "5"), ("5 out of ten", "5"), ("5 Prozent", "5"),
        ("5 daily", "5 weekly"), ("5 surplus", "5 deficit"), ("5 colder", "5 warmer"),
        ("5% growth", "5% decline"), ("N-E-S-W", "N-S-E-W"), ("w-w-l", "w-l-w"),
        ("a dog", "a cat"), ("a dog", "a"), ("C major", "C minor"), ("x axis", "x intercept"),
        ("B cells", "B vitamins"), ("A flat", "A sharp"), ("n people", "n"),
        ("12 Angry Men", "12 Monkeys"), ("$40 CAD", "$40"), ("$40 USD", "$40 CAD"), ("👍", "👎"),
        ("✓", "✗"), ("￡40", "$40"),
        ("7 millennia", "7 centuries"), ("7 pixels", "7 inches"), ("7 torr", "7 atm"),
    ],
)  # fmt: skip
def test_two_measures_are_two_answers(one: str, other: str) -> None:
    assert not agree(canonical(one), canonical(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("7 µg", "7 micrograms"), ("7 eV", "7 electronvolts"), ("7 N·m", "7 Nm"),
        ("7 kWh", "7 kilowatt-hours"), ("7 cc", "7 cm³"), ("7 Kg", "7 kg"), ("7 KM", "7 km"),
        ("7 kΩ", "7 kiloohms"), ("7 rpm", "7 revolutions per minute"), ("7 kn", "7 knots"),
        ("7 psi", "7 pounds per square inch"), ("7 kB", "7 kilobytes"),
        ("7 light years", "7 light-years"),
        ("＄40", "$40"), ("￥40", "¥40"), ("n/a", "N/A"), ("$40 USD", "$40"),
        ("A dog", "a dog."), ("2x apples", "2x"), ("x cm", "x centimeters"),
        ("60 words per minute", "60 per minute"), ("5 millions", "5000000"), ("5 dozens", "60"),
        ("5 pct", "5%"), ("5 Prozent", "5%"), ("5 pour cent", "5%"), ("5 por ciento", "5%"),
        ("5 visits weekly", "5 visits per week"), ("500 (five hundred)", "500"),
    ],
)  # fmt: skip
def test_one_measure_has_one_name(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize(
    "text",
    [
        "<scratchpad>the answer is 5</scratchpad>7",
        "<inner_monologue>5</inner_monologue>7",
        "<longcat_think>5</longcat_think>7",
        "<mm:think>5</mm:think >7",
        "<rationale>the answer is 5</rationale>\n7",
        "<cot>the answer is 5</cot>7",
        "<|START_THINKING|>5<|END_THINKING|><|START_RESPONSE|>7<|END_RESPONSE|>",
        "Here are my reasoning steps:\n5?\n[BEGIN FINAL RESPONSE]\n7\n[END FINAL RESPONSE]",
        "<unused94>thought\n5<unused95>7",
    ],
)
def test_deliberation_under_other_marks_is_none(text: str, kind: AnswerKind) -> None:
    assert key_of(text, kind) == "7"


def test_the_reasons_within_a_document_are_no_deliberation_before_its_end() -> None:
    said = (f"<r><verdict>{word}</verdict><reasoning>a</reasoning></r>" for word in ("yes", "no"))
    one, other = (extract(text, AnswerOptions(kind="text")) for text in said)
    assert one
    assert other
    assert one.key != other.key


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Answer: A; C", None),
        ("Answer: B + C", None),
        ("Answer: I, II and III", None),
        ("Answer: F = ma", None),
        ("A) Paris\nB) London", None),
        ("A: Paris is false.\nB: Rome is the answer.", "b"),
        ("A - Paris\nB - London\nC - Rome", None),
        ("I'd go with B or C.", None),
        ("Hence not B.", None),
        ('{"answer": ["A", "B"]}', None),
        ('{"answer": "Paris"}', None),
        ('{"reasoning": "A is wrong", "answer": "C"}', "c"),
        ('```json\n{"answer": "C) Rome"}\n```', "c"),
        ("Answer：B", "b"),
        ("Answer: I think B", "b"),
        ("It's B.", "b"),
        ("Eliminate A and B. C is wrong too. So D.", "d"),
        ("I would go with C.", "c"),
        ("Would you go with B", None),
        ("Both are plausible. Do you think C", None),
        ("Hmm, should we pick (A)?", None),
        ("What would you do? I'd go with B.", "b"),
        ("If you can, you should choose B.", "b"),
        ("Should you ask me, I think C.", "c"),
        ("Only then can we conclude that the answer is B.", "b"),
        ("Only then can we say the answer is B", "b"),
        ("Would you like to know why A is wrong? The answer is B.", "b"),
        ("C - Paris", "c"),
        ("Solution: B", "b"),
        ("B\n\nA is for apples.", "b"),
    ],
)
def test_a_choice_in_other_words(text: str, letter: str | None) -> None:
    assert key_of(text, "choice") == letter
