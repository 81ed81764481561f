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


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The speed is 3.0 * 10^8 m/s.", "3e8 m/s"),
        ("The distance is 3*10^5 km.", "3e5 km"),
        ("The net change is —5.", "-5"),
        ("The profit is minus $40.", "-$40"),
        (r"The slope is negative $\frac{3}{4}$.", "-3/4"),
        ("The answer is ½%", "1/200"),
        ("The rate is 3/4%.", "0.75%"),
        ("The rate is 33 1/3%.", "1/3"),
        ("It costs $3.5 m.", "$3500000"),
        ("It costs $3.5mm.", "$3500000"),
        ("They sold 1.5 bn.", "1500000000"),
        ("It costs 500₽.", "RUB 500"),
        ("The answer is ₩500.", "500 won"),
        ("So x ≠ 3.", r"x \ne 3"),
        ("The solution is x ∈ [1, 5).", r"x \in [1,5)"),
        ("Thus, x = 1, y = 2.", "x=1, y=2"),
        ("x = 1, y = 2", "x=1, y=2"),
        ("A: 7", "7"),
        ("3, 4", "3, 4"),
        ("5 remainder 2", "5 R 2"),
        ("<final>7</final>", "7"),
        ("2 + 5 = 7.\n<answer>7", "7"),
        ("The answer is _7_.", "7"),
        ("The answer comes out to 7.", "7"),
        ("Final Answer\n7", "7"),
        ("The answer is ~~5~~ **7**.", "7"),
        ("The answer is 5. ~~The answer is 7.~~", "5"),
        ("12 apples\n7 pears\nTotal: 19", "19"),
        ("Price: $20\nTax: $2\nTotal: $22", "$22"),
        ("答えは東京です。", "東京"),
        ("답은 사과입니다.", "사과"),
        ("Answer: 5\nConfidence: 90%", "5"),
        ("The total is 200 dollars ($200).", "$200"),
        ("The price is $3.459 per gallon.", "$3.459"),
        ("The total comes to minus five.", "-5"),
        ("The total comes to negative 5.", "-5"),
        ("He eats 5 a day.", "5 per day"),
        ("It takes 3 pills every hour.", "3 per hour"),
        ('He said: "It is 5".', "5"),
        ("He is 6'2\".", "74 inches"),
        ("> The total is 5.", "5"),
        ("The answer is:\n\n\\begin{align}\nx &= 6 \\cdot 7 \\\\\n&= 42\n\\end{align}", "42"),
        (
            "The answer is:\n\\begin{pmatrix}\n1\\\\\n2\n\\end{pmatrix}\nDone.",
            r"\begin{bmatrix}1\\2\end{bmatrix}",
        ),
        ("42\n\nI hope this helps!", "42"),
        ("The answer is 42. ■", "42"),
        ("The answer is approx. 3.14", "3.14"),
        ("The answer is 42, i.e. 6 times 7.", "42"),
        ("The answer is 42 as 6*7=42.", "42"),
        ("After that there are (-1, 2) in total.", "(-1, 2)"),
        ("The answer is f(b) = 5.", "f(b)=5"),
    ],
)
def test_values_in_other_spellings(text: str, value: str, kind: AnswerKind) -> None:
    found = key_of(text, kind)
    assert found is not None
    assert agree(found, canonical(value))


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize(
    "text",
    [
        "The balance is ($200).",
        "Her account is $20 in the red.",
        "He is $50 in debt.",
        "Es kostet 1.250 Euro.",
        "They sold 3万.",
        "They sold 3억.",
        "Width: 5\nHeight: 6",
        "Tom: $5\nAnn: $6",
        "x: 5\ny: 6",
        "The answer to (a) is 5 and to (b) is 6.",
        "Final answers:\n(a) 5\n(b) 6",
        "So 5, x = 3.",
        "It is >5.",
        "Therefore, >5.",
        "It is log 5.",
        "It is 5'.",
        'It is 5".',
        "It is 1F.",
        "It is 1010 in binary.",
    ],
)
def test_a_part_of_what_is_said_is_no_value(text: str, kind: AnswerKind) -> None:
    assert key_of(text, kind) is None


@pytest.mark.parametrize(
    ("text", "value"), [(r"\boxed{\textbf{(C)}~14}", "14"), ("The answer is (C) 14.", "14")]
)
def test_a_value_behind_its_letter_is_the_value_of_kind_math(text: str, value: str) -> None:
    assert key_of(text, "math") == value
    assert key_of(text, "auto") == "c"


def test_a_day_keeps_its_month() -> None:
    assert key_of("It starts on the 1st of May 2024.", "math") == "2024-05-01"
    for text in ("He came 1st.", "He came 1st", "He came 1st of", "2nd", "The 3rd of May"):
        assert key_of(text, "math") is None


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize(
    "text",
    [
        "<|think|>5<|/think|>7",
        "<scratch_pad>5</scratch_pad>7",
        "<chain_of_thought>the answer is 5</chain_of_thought>7",
        "<deliberation>the answer is 5</deliberation>7",
        "<o1_thinking>5</o1_thinking>7",
        "[REASONING]The answer is 5.[/REASONING]7",
        "[THINKING]5[/THINKING]7",
        "<思考>答案是5</思考>7",
        "＜think＞5＜/think＞7",
        "<ctrl94>thought\n5<ctrl95>7",
        "```thinking\nthe answer is 5\n```\n7",
        '<details type="reasoning" done="true"><summary>Thought</summary>5</details>\n7',
        "<details><summary>Thinking</summary>the answer is 5</details>\n7",
        "7\n<think>the answer is 5</think>",
        "<think>5</think>7</s>",
        "<think>5</think>7<|eot_id|>",
        "<think>5</think>7<end_of_turn>",
    ],
)
def test_more_marks_of_deliberation(text: str, kind: AnswerKind) -> None:
    assert key_of(text, kind) == "7"


@pytest.mark.parametrize(
    "document",
    [
        '{"tag":"</think>","x":1}',
        '{"think":"<think>5</think>","x":1}',
        '["</think>",{"x":1}]',
        '{"x":"a </think> b"}',
    ],
)
def test_a_json_document_has_no_deliberation(document: str) -> None:
    for kind in ("json", "auto"):
        assert key_of(document, kind) == document  # type: ignore[arg-type]
    assert key_of(f"<think>or 5?</think>{document}", "json") == document


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("Answer: B D", None),
        ("Answer: (B)(D)", None),
        ("Answer: B and possibly D", None),
        ("Answer: B (or D)", None),
        ("Answer: B, maybe D", None),
        ("The answer is C... actually D.", None),
        ("Answer: I would say C.", "c"),
        ("Answer: I would not say C.", None),
        ("Probably B.", "b"),
        ("B, I think.", "b"),
        ("C seems right.", "c"),
        ("✅ B", "b"),
        ("Eliminating A, C and D leaves B.", "b"),
        ("The answer is ~~A~~ B.", "b"),
        ("Answer: B I think", "b"),
        ("Answer: B. A is wrong.", "b"),
    ],
)
def test_more_ways_to_choose(text: str, letter: str | None) -> None:
    assert key_of(text, "choice") == letter
