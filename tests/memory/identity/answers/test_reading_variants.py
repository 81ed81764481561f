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
    ("text", "value"),
    [
        ("The slope is ‑3/4.", "-3/4"),
        ("The answer is ‑3.", "-3"),
        ("It is －5.", "-5"),
        ("The answer is two‑thirds.", "2/3"),
        ("The total is twenty‑one.", "21"),
        ("The date is 2024‑05‑01.", "May 1, 2024"),
        ("The answer is 5\u200b.", "5"),
        ("答案是：5", "5"),
        ("Final Answer： 42", "42"),
        ("最终答案是42。", "42"),
        ("The value is ln 2.", r"\ln 2"),
        ("7 = 3 + 4", "7"),
        ("The answer is 5 (not 6).", "5"),
        ("The answer is 5. Wait, that's wrong. The answer is 6.", "6"),
        ("The answer is the sum of 9 and 5, which is 14.", "14"),
        ("<Answer>7</Answer>", "7"),
        ("<answer>7</answer><answer>8</answer>", "8"),
        ("<final_answer>7 km</final_answer>", "7 km"),
        ("[ANSWER] 7 [/ANSWER]", "7"),
        ("Answer => 7", "7"),
        ("The answer is → 7", "7"),
        ("(b) 6\n\nThe answer is 8.", "8"),
        ("It takes three quarters of an hour.", "0.75 hours"),
        ("You need 2/3 of a cup.", "2/3 cup"),
        ("So he ate two and three-quarters pizzas.", "2.75"),
        ("The price fell to $15.", "$15"),
        ("The difference between 9 and 4 is 5.", "5"),
        ("The time between stops is 5 minutes.", "5 minutes"),
        ("The difference in price between the two is $5.", "$5"),
        ("You may want to check, but it is 5.", "5"),
        ("She has 9 instead of 12.", "9"),
        (r"\boxed{12}. Actually, we can verify: 3*4=12.", "12"),
        ("**The answer is 12.**\n\nActually, here is a check: 3*4 = 12.", "12"),
        (r"\boxed{5}" "\n\nSorry it took long.", "5"),
        ("The answer is 14. Hmm, nice problem.", "14"),
        (r"The answer is \boxed{7}. No, I did not use a calculator.", "7"),
        ("The answer is 5; no calculator needed.", "5"),
        ("So the answer is 42 - no rounding needed.", "42"),
        ("The answer is 9; wait times are equal.", "9"),
        ("The answer is 5, sorry for the delay.", "5"),
        ("First, compute. My first answer is 7.", "7"),
        ("The original answer is 12.", "12"),
        (r"\boxed{a-b-c}", "a-c-b"),
        ("The date is 2021/03/04.", "2021-03-04"),
    ],
)
def test_more_values_are_read_whole(text: str, value: str, kind: AnswerKind) -> None:
    found = key_of(text, kind)
    assert found is not None
    assert agree(found, canonical(value))


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize(
    "text",
    [
        "答えは42ではありません。",
        "답은 42가 아닙니다.",
        "The value is sin(30°).",
        "The length is 5-1/8 inches.",
        "The price fell by $15.",
        "It is between 4 and 9.",
        "He ate between 3 and 5 apples.",
        "Between 4 and 9 apples remain.",
        "It costs anywhere between $4 and $9.",
        "If the total is 9, we are done.",
        "See equation (5).",
        "It was in the 1960s.",
        "The answer is 5. Actually, it's 6.",
        "The answer is 5. Wait, no, 6.",
        "The answer is 5... no, 6.",
        "The answer is 5, no, 6.",
        "Answer: 5. Correction: 6.",
        r"\boxed{5} Wait, I made a mistake. It should be 6.",
        "The answer is 5? I'm not sure.",
        "Perhaps the answer is 5.",
        "The answer is definitely not 5.",
        "The answer is never 0.",
        "Tom may have 14 apples.",
        "The total is 14. If you need a more detailed answer: just ask!",
        "The previous answer was 5.",
        "The first answer is 5 and the second answer is 6.",
        "Answer 1: 5\nAnswer 2: 6",
        "(a) 5\n(b) 6",
        r"a) \boxed{7} b) \boxed{8}",
        "(a) $\\boxed{7}$\n\n(b) $\\boxed{8}$",
        "**Part 1:** 5\n**Part 2:** 6",
    ],
)
def test_what_is_taken_back_or_one_of_several_gives_none(text: str, kind: AnswerKind) -> None:
    assert key_of(text, kind) is None


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
        ("C - Paris", "c"),
        ("Solution: B", "b"),
        ("B\n\nA is for apples.", "b"),
    ],
)
def test_a_choice_in_other_words(text: str, letter: str | None) -> None:
    assert key_of(text, "choice") == letter
