"""What replies are read as, by kind of mistake: a value as a whole, or none."""

from __future__ import annotations

import pytest

from memory.identity.answers import agree, canonical, extract
from memory.identity.answers.deliberation import conclusion
from memory.identity.answers.keys import joined
from memory.identity.answers.options import AnswerKind, AnswerOptions
from tests.memory.identity.answers.reading import key_of


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"The slope is $-\frac{3}{4}$.", "-3/4"),
        ("The slope is –3/4.", "-3/4"),
        ("Balance: –$200", "-$200"),
        ("The result is negative 5.", "-5"),
        ("The result is minus seven.", "-7"),
        (r"It takes $3\frac{1}{2}$ hours.", "3.5 hours"),
        (r"It takes 3\frac12 hours.", "3.5 hours"),
        ("It takes 3 1/2 hours.", "3.5 h"),
        ("The speed is 3.0 × 10^8 m/s.", "3e8 m/s"),
        ("The speed is 3.0 x 10^8 m/s.", "3e8 m/s"),
        ("The value is 3.0e8.", "3e8"),
        ("There are 10²³ of them.", "1e23"),
        ("You pay CHF 12'500.", "CHF 12500"),
        ("The length is 2√3.", r"2\sqrt{3}"),
        ("The root is 5 + 3i.", "3i+5"),
        ("The number of orders is 10!.", "3628800"),
        ("There are 7! arrangements.", "5040"),
        ("The point is (2, 3).", "(2,3)"),
        ("The interval is [1, 5).", "[1,5)"),
        ("So x > 3.", "x>3"),
        ("The ratio is 3:2.", "3:2"),
        ("So the ratio is 3 to 2.", "3:2"),
        ("The value is 0.333...", "1/3"),
        ("The value is 0.1666….", "1/6"),
        ("The period is 0.142857142857...", "1/7"),
        ("The probability is 5 out of 8.", "5/8"),
        ("Her chance is 1 in 6.", "1/6"),
        ("The answer is one half.", "0.5"),
        ("So two-thirds of it is left.", "2/3"),
        ("It takes two and a half hours.", "2.5 hours"),
        ("She bought a dozen eggs.", "12"),
        ("So the derivative is 2*x**3.", "2x^3"),
        ("17 and 25 add up to 42.", "42"),
        ("42 is the answer.", "42"),
        ("The solutions are 3 and -3.", "x = -3 or x = 3"),
        (r"The roots are $\frac{1}{2}$ and $2$.", "{2, 0.5}"),
        ("Spiders have 8 legs, not 6.", "8"),
        ("So P(A) = 3/8.", "3/8"),
        ("The population was 1.5 million in 2020.", "1500000"),
        ("She had 12, gave away 5, and has 7 left.", "7"),
        ("The answer is 3 and a half.", "3.5"),
        ("So f(2) = 8.", "8"),
        ("It takes him 2 hours and 15 minutes.", "135 minutes"),
        ("He is 6 feet 2 inches tall.", "74 inches"),
        ("La réponse est 42.", "42"),
        ("Die Antwort lautet 42.", "42"),
        ("La respuesta es 42.", "42"),
        ("A resposta é 42.", "42"),
        ("答案是42。", "42"),
        ("答え：42", "42"),
        ("Ответ: 42", "42"),
        ("It arrives at 12:30.", "12:30"),
        ("The date is 2024-05-01.", "May 1, 2024"),
        ("The answer is that it costs 1.5 million dollars", "1500000"),
        ("The answer is that it costs $2.5k", "$2500"),
        ("The answer is that she has 3 dozen eggs", "36"),
        ("The answer is that the discount is 15 percent", "3/20"),
        (r"#### the slope is $-\frac{3}{4}$", "-3/4"),
        ("17 + 25 is 42.", "42"),
        ("The sum is **42**.", "42"),
        ("So you'd have 14 apples left.", "14"),
        ("The answer to this question is 14.", "14"),
        ("The sum is 14. I hope this answer is helpful!", "14"),
        ("3 books cost **$21**.", "$21"),
        ("Tom has **14** apples.", "14"),
        ("Therefore, Tom has 14 apples.", "14"),
        ("The final answer is 1/2 (0.5).", "1/2"),
        ("gcd(12, 18) = 6", "6"),
        ("Area = π r² = 25π cm²", r"25\pi cm^2"),
        ("Therefore, $a + b = 5$.", "a+b=5"),
        (r"\boxed{\frac{5}{8} \approx 0.625}", "5/8"),
        (r"$\boxed 42$", "42"),
        ("<answer>42</answer>", "42"),
        ("The total is one hundred forty.", "140"),
        ("The answer is a hundred forty.", "140"),
        ("The trip costs one thousand two hundred dollars.", "$1200"),
        ("So one hundred and five remain.", "105"),
        ("It isn't 42, it's 45.", "45"),
        ("The total is not 12 but 15.", "15"),
        ("14\n\nExplanation: 12 + 7 = 19 and 19 - 5 = 14.", "14"),
        ("42\n\nBecause there are 3 groups of 14.", "42"),
        ("=> 14", "14"),
        ("∴ 3/4", "3/4"),
        ("Final answer - 14", "14"),
        ("Tom now has 14 apples (12 + 7 - 5).", "14"),
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
def test_a_value_is_read_whole(text: str, value: str, kind: AnswerKind) -> None:
    found = key_of(text, kind)
    assert found is not None
    assert agree(found, canonical(value))


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize(
    "text",
    [
        "The total is not 4.",
        "It isn't 12, because the bus leaves later.",
        "Tom has 14 apples and 3 oranges.",
        "He could be 12 or 13.",
        "It ran 5 km in 30 minutes.",
        "31 + 46 is not a mathematical operation but rather a combination.",
        "You pay 12 500.",
        "The value is 3.14...",
        "So 8 out of 10 students passed.",
        "It costs 5 plus tax.",
        "Die Antwort ist nicht 42.",
        "答案不是42。",
        "The twenty-fifth one.",
        "5 is not the answer.",
        r"\boxed{?}",
        "The hex value is 0x1F.",
        "The version is 3.2.1.",
        "You need at least 5.",
        "So it takes 3 to 2.",
        "The price rose from $5 to $8.",
        "The answer is unclear.",
        r"The result is \boxed{28",
        "7 is a prime number.",
        "Sarah baked 18 muffins and ate 3.",
        "He worked 8 hours and earned $96.",
        "So hundred five people came.",
        "Tom has 13 apples (12 + 7 - 5).",
        "It isn't 42, it's 45 or 46.",
        "So one two three.",
        "Only one forty",
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
        "I doubt the first answer is 5.",
    ],
)
def test_what_gives_no_one_value_gives_none(text: str, kind: AnswerKind) -> None:
    assert key_of(text, kind) is None


@pytest.mark.parametrize(
    "text",
    [
        "Paris is the capital of France. It has about 2.1 million inhabitants.",
        "2 dogs ran home.",
        "Neil Armstrong walked on the Moon in 1969.",
        "1. Heat the oven to 180 °C.\n2. Mix.\n3. Bake for 30 minutes.",
        "Dear Anna,\n\nwe will send your 3 chairs on May 5.\n\nBest regards",
    ],
)
def test_free_text_is_no_number_because_it_holds_one(text: str) -> None:
    answer = extract(text, AnswerOptions())
    assert answer is not None
    assert not answer.structured


SEVEN = (
    "<think>the answer is 5</think>7",
    "<think>the answer is 5</think>7</think>",
    r"[THINK]Maybe \boxed{5}.[/THINK]7",
    r"analysisMaybe \boxed{5}.assistantfinal7",
    "analysis\nIs it 5?\nassistantfinal\n7",
    r"<|channel|>analysis<|message|>\boxed{5}<|end|><|start|>assistant<|channel|>final<|message|>7",
    r"<seed:think>\boxed{5}</seed:think>7",
    "<reasoning>the answer is 5</reasoning>7",
    "<thinking>5?</thinking>\n\n7",
    "◁think▷5?◁/think▷7",
    "It may be 5, or\n</think>\n\n7",
)


@pytest.mark.parametrize("text", SEVEN)
@pytest.mark.parametrize("kind", ["auto", "math", "json", "text", "regex"])
def test_no_kind_reads_a_deliberation(text: str, kind: AnswerKind) -> None:
    pattern = "[0-9]" if kind == "regex" else None
    answer = extract(text, AnswerOptions(kind=kind, pattern=pattern))
    assert answer is not None
    assert answer.key == "7"


@pytest.mark.parametrize(
    "text",
    [
        "<think>\\boxed{5}",
        "[THINK]5",
        "<seed:think>5",
        "<|channel|>analysis<|message|>5",
        "analysisIt is 5",
    ],
)
def test_a_deliberation_without_an_end_concludes_nothing(text: str) -> None:
    assert conclusion(text) == ""


@pytest.mark.parametrize(
    "text", ["analysis of the data: 5", "Analysis: 5", "After <think> comes 5"]
)
def test_a_word_that_resembles_a_channel_is_none(text: str) -> None:
    assert conclusion(text) == text


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("ANSWER: I don't know", None),
        ("Answer: I am not sure.", None),
        ("Answer: I do not know.", None),
        ("Answer: A lot of people", None),
        ("Answer: B, D", None),
        ("Answer: A or C", None),
        ("Answer: A and B", None),
        ("The answer is B/C", None),
        (r"\boxed{B, D}", None),
        ("The correct answers are B and D.", None),
        ("Answer: I", "i"),
        ("The answer is A, because B is wrong.", "a"),
        ("The answer is B and not C.", "b"),
        (r"\boxed{\textbf{(B)}\ 12}", "b"),
        ("Correct answer: D) None of the above", "d"),
        ("I would not choose B.", None),
        ("I would never pick option D.", None),
        ("I cannot choose B.", None),
        ("I don't think it is (C).", None),
        ("Rule out (D).", None),
        ("Option B is wrong.", None),
        ("(B) is incorrect because it is too long.", None),
        ("B would be the wrong choice.", None),
        ("A: wrong\nB: wrong\nC: correct", "c"),
        ("(A) incorrect\n(B) correct", "b"),
        ("A) False\nB) False\nC) True\nD) False", "c"),
        ("A: wrong\nB: correct\nC: correct", None),
        ("C) 7\n\nBecause 3 + 4 = 7, not 8 (A).", "c"),
        ("B) Paris\n\nOption A is wrong.", "b"),
        ("I choose B, not C.", "b"),
        ("B. Not enough information", "b"),
        ("B) Incorrect use of a comma", "b"),
        ("B. False", "b"),
    ],
)
def test_a_choice_is_one_letter_or_none(text: str, letter: str | None) -> None:
    assert key_of(text, "choice") == letter


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("R-r", "r-R"), (r"\frac{R}{r}", r"\frac{r}{R}"), ("T-t", "t-T"), ("2R", "2r"),
        ("V=2v+1", "v=2v+1"), ("CO", "Co"), ("aBc", "AbC"), ("5 MB", "5 Mb"), ("X+x", "2x"),
        (r"\frac{R}{r}", "1"), ("1/2^60", "1/2^59"), ("2^-60", "2^-59"), ("(1/2)^60", "(1/2)^61"),
        ("(1/6)^24", "(1/6)^25"), ("e^-40", "e^-41"), ("3/4^30", "5/4^30"), ("1/5^25", "2/5^25"),
        ("√2·10^-20", "√3·10^-20"), ("1−1/2^60", "1−1/2^61"), ("2^100", "2^100+1"),
        ("2^100000", "2^100001"), ("5 km", "5 m"), ("30 minutes", "30 seconds"), ("$5", "€5"),
        ("x=3", "y=3"), ("34", r"3\ 4"), ("34", r"3\,4"), ("5!", "5"), ("10⁵", "105"),
        ("x₂", "x2"), ("There are 10⁵ ways.", "There are 105 ways."),
        ("15-20%", "14.8"), ("2-3 million", "-1000000"), ("10 (15 - 5)", "100"),
        ("10 lakh", "10"), ("10 lakh", "10 crore"), ("five sixteenths", "five"),
        ("five thousandths", "five"), ("a dozen and a half", "12.5"),
        ("a million and a half", "1000000.5"), ("15 April", "15"), ("15 April", "April 16"),
        ("March 2024", "March"), ("1,00,000", "1,0"), ("5,10,100", "510100"),
        ("A or B", "A and B"), ("5 years older", "5 years younger"), ("1010 (binary)", "1010"),
    ],
)  # fmt: skip
def test_two_answers_are_two(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)
    assert not agree(canonical(one), canonical(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x^2-1", "(x-1)(x+1)"), ("2x+1", "1+2x"), (r"\{7,-4\}", r"\{-4,7\}"),
        ("(2,2.5)", r"(2,\frac52)"), (r"3\sqrt7", r"3\sqrt{7}"),
        (r"\frac{1}{\sqrt2}", r"\frac{\sqrt2}{2}"), ("2^{10}", "1024"), ("6π", "2·3π"),
        (r"\frac{-1}{2}", r"\frac{1}{-2}"), ("x>3", "3<x"), ("5!", "120"),
        (r"\frac{5}{8} = 0.625", r"\frac{5}{8}"), ("72", "72, in total"), ("3", "3 (three)"),
        ("1/3", r"0.\overline{3}"), ("10", r"\binom{5}{2}"), ("a or b", "b or a"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", r"\begin{bmatrix}1&2\\3&4\end{bmatrix}"),
        ("5 km", "5 kilometers"), ("10 cm²", "10 square centimeters"),
        ("60 mph", "60 miles per hour"),

        ("2 h 30 min", "2 hours and 30 minutes"), ("9:45 AM", "9:45 a.m."), ("Paris.", "PARIS"),
        ("The answer is 4.", "4"), ("e^{-x}", r"\frac{1}{e^x}"),
        ("15 March", "March 15th"), ("the answer is 1,00,000", "100000"), ("5 Ω", "5 ohms"),
        ("1,25,00,000", "12,500,000"), ("10 (15 - 5)", "10"), ("10 km ≈ 6.2 mi", "6.2 miles"),
        ("3 hours and thirty minutes", "3 h 30 min"), ("three dollars and fifty cents", "$3.50"),
    ],
)  # fmt: skip
def test_one_answer_in_two_spellings_has_one_key(one: str, other: str) -> None:
    assert canonical(one) == canonical(other)


@pytest.mark.parametrize(
    ("one", "other"), [("(0,3)", "0<x<3"), ("x = 5", "5"), ("$29", "29"), ("x>3", r"(3,\infty)")]
)
def test_what_names_its_unit_or_symbol_is_joined_by_what_does_not(one: str, other: str) -> None:
    assert len(set(joined([canonical(one), canonical(other)]).values())) == 1
