"""What is read out of a sample, kind by kind."""

from __future__ import annotations

import time

import pytest

from memory.identity.answers import Answer, extract
from memory.identity.answers.keys import parts
from memory.identity.answers.options import AnswerOptions
from memory.identity.answers.value import parse_value

MATH = AnswerOptions(kind="math")
CHOICE = AnswerOptions(kind="choice")
JSON = AnswerOptions(kind="json")
TOOL = AnswerOptions(kind="tool")
TEXT = AnswerOptions(kind="text")
AUTO = AnswerOptions()


def key_of(text: str, options: AnswerOptions, **flags: bool) -> str | None:
    answer = extract(text, options, **flags)
    return None if answer is None else parts(answer.key).value


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("3 pens at 4 each. \\boxed{12}", "12"),
        ("\\boxed{1} was wrong, so \\boxed{\\frac{1}{2}}", "1/2"),
        ("\\boxed{\\boxed{5}}", "5"),
        ("so $\\boxed{1{,}234}$.", "1234"),
        ("\\boxed{288\\text{ apples}}", "288"),
        ("\\boxed{x = 5}", "5"),
        ("\\boxed{5x}", "5*x"),
        ("She pays 48/2 = <<48/2=24>>24\n#### 72", "72"),
        ("#### $1,200.50", "2401/2"),
        ("\\boxed{3} then\n#### 4", "4"),
        ("The answer is 288.", "288"),
        ("The answer is 288. I am sure of 3 things.", "288"),
        ("The final answer is: **288 apples**", "288"),
        ("**Answer:** 3.5", "7/2"),
        ("Answer:\n42", "42"),
        ("### Final Answer\n\n**42**", "42"),
        ("Final answer: $\\frac{3}{4}$ cup.", "3/4"),
        ("the answer is 5, because 7 is prime", "5"),
        ("The answer is 3 + 4 = 7.", "7"),
        ("The answer is that Janet has 288 apples left over now.", "288"),
        ("The answer to the question is 12", "12"),
        ("The answer is 1.5 \\times 10^{3}", "1500"),
        ("The answer is 1.5e3", "1500"),
        ("The answer is 2 1/2 cups", "5/2"),
        ("The answer is $5 million.", "5000000"),
        ("The answer is 25%", "1/4"),
        ("There are 3 of them.\nSo 4 * 5 = 20", "20"),
        ("x = -3/4", "-3/4"),
        ("First 7 come.\nJanet makes $18 per day.", "18"),
        ("First 7 come.\nThat is all.", None),
        ("<think>\\boxed{1}</think>The answer is 2", "2"),
        ("\\boxed{28", None),
        ("", None),
    ],
)
def test_math_reads_the_last_mark_and_never_the_first_number(text: str, key: str | None) -> None:
    assert key_of(text, MATH) == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("The answer is (B).", "b"),
        ("Answer: C", "c"),
        ("The correct answer is **D**", "d"),
        ("\\boxed{\\text{E}}", "e"),
        ("The answer is B) Paris", "b"),
        ("The answer is B. Paris", "b"),
        ("(A) is wrong.\nTherefore the correct option is B.", "b"),
        ("I would choose option C here", "c"),
        ("A looks right.\n\n(J)", "j"),
        ("B. Paris is the capital.", "b"),
        ("(A) or (B)?", None),
        ("A dog is an animal", None),
        ("The answer is Z", None),
    ],
)
def test_choice_reads_the_letter(text: str, key: str | None) -> None:
    assert key_of(text, CHOICE) == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"b": 1.0, "a": [1, 2]}', '{"a":[1,2],"b":1}'),
        ('Here:\n```json\n{"a": 1}\n```\nDone {', '{"a":1}'),
        ('I say {"a": 1} then {"a": 2} as in [3].', '{"a":2}'),
        ("  true ", "true"),
        ("1e2", "100"),
        ('{"a": NaN}', None),
        ("no json", None),
        ("{" * 10_000, None),
        ("[" * 100_000, None),
    ],
)
def test_json_is_read_by_value(text: str, key: str | None) -> None:
    assert key_of(text, JSON) == key


CALL = '{"name": "f", "arguments": {"b": 1.0, "a": "x"}}'
CALL_KEY = '{"arguments":{"a":"x","b":1},"name":"f"}'


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (CALL, CALL_KEY),
        (f"<think>Which one?</think>\n{CALL}\n", CALL_KEY),
        ("Let me look. " + CALL, None),
        ('{"arguments": {"a": "x", "b": 1}, "name": "f"}', CALL_KEY),
        ('{"name": "f", "parameters": {"a": "x", "b": 1}}', CALL_KEY),
        ('{"name": "f", "arguments": "{\\"a\\": \\"x\\", \\"b\\": 1}"}', CALL_KEY),
        (f"[{CALL}, {CALL}]", f"[{CALL_KEY},{CALL_KEY}]"),
        (f'[{CALL}, {{"oops": 1}}]', None),
        ("[]", None),
        (f"<tool_call>{CALL}</tool_call>", None),  # a format is for its parser to read
        ('{"name": "Ada", "age": 3}', None),
        ("no call", None),
    ],
)
def test_tool_calls_are_compared_by_name_and_arguments(text: str, key: str | None) -> None:
    assert key_of(text, TOOL) == key


def test_parallel_calls_keep_their_order() -> None:
    other = CALL.replace('"f"', '"g"')

    assert key_of(f"[{CALL}, {other}]", TOOL) != key_of(f"[{other}, {CALL}]", TOOL)


@pytest.mark.parametrize(
    ("pattern", "text", "value"),
    [
        (r"x(\d+)", "x1 x2", "2"),
        (r"\d+", "1 22", "22"),
        (r"x(\d+)", "nothing", None),
        (r"^", "text", None),
    ],
)
def test_regex_takes_the_last_match(pattern: str, text: str, value: str | None) -> None:
    assert key_of(text, AnswerOptions(kind="regex", pattern=pattern)) == value


def test_a_catastrophic_pattern_gives_no_answer_in_bounded_time() -> None:
    options = AnswerOptions(kind="regex", pattern="^(a|aa)+$")
    begun = time.monotonic()

    assert extract("a" * 60 + "!", options) is None
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("So \\boxed{Paris}.", Answer("Paris", "paris", structured=True)),
        ("The answer is Paris. It is in France.", Answer("Paris", "paris", structured=True)),
        ("The answer is Mr. Smith.", Answer("Mr. Smith", "Mr. smith", structured=True)),
        ("The answer is (B) 12", Answer("B", "b", structured=True)),
        ("The answer is E. coli", Answer("E. coli", "E. coli", structured=True)),
        ("288.", Answer("288", "288", structured=True)),
        ("b", Answer("B", "b", structured=True)),
        ("288 apples", Answer("288 apples", "288", structured=True)),
        ('{"b":1, "a":2}', Answer('{"b":1, "a":2}', '{"a":2,"b":1}', structured=True)),
        ("2 dogs ran home.", Answer("2 dogs ran home.", "2 dogs ran home", structured=False)),
        ("Hello,  world!", Answer("Hello,  world!", "hello, world", structured=False)),
        ("   ", None),
    ],
)
def test_auto_prefers_structure_and_falls_back_to_the_text(
    text: str, expected: Answer | None
) -> None:
    assert extract(text, AUTO) == expected


def fenced(code: str, fence: str = "```", language: str = "python") -> str:
    return f"Here it is:\n\n{fence}{language}\n{code}\n{fence}\nIt adds."


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (
            fenced("def f(a):\n    return a"),
            fenced("def f(a):\n\n    return a  ", "~~~", "py"),
            True,
        ),
        (fenced("x = 1").replace("Here it is", "Sure"), fenced("  x = 1"), True),
        (fenced("x = 1").replace("It adds", "It does not add"), fenced("x = 1"), False),
        (fenced("x = 1"), fenced("X = 1"), False),
        (fenced("if a:\n    b\nc"), fenced("if a:\n    b\n    c"), False),
        (fenced("x = 1"), fenced("x = 1") + "\n" + fenced("y = 2"), False),
        (fenced("x = 1"), "x = 1", False),
    ],
)
def test_code_is_compared_by_its_text_up_to_layout(one: str, other: str, same: bool) -> None:
    assert (key_of(one, AUTO) == key_of(other, AUTO)) is same
    answer = extract(one, AUTO)
    assert answer is not None
    assert not answer.structured


def test_an_exclamation_mark_is_a_factorial_in_a_box_and_emphasis_elsewhere() -> None:
    assert key_of(r"\boxed{5!}", AUTO) not in (key_of(r"\boxed{5}", AUTO), None)
    assert extract(r"\boxed{5!}", AUTO).text == "(5!)"
    assert key_of(r"\boxed{5!!}", AUTO) != key_of(r"\boxed{5!}", AUTO)
    assert key_of(r"\boxed{n!}", AUTO) != key_of(r"\boxed{n}", AUTO)
    assert key_of("The answer is 5!", AUTO) == key_of("#### 5!", AUTO) == "5"
    for said in (r"\boxed{\text{Yes!}}", r"\boxed{\text{Yes}!}", r"\boxed{Yes!}"):
        assert key_of(said, AUTO) == key_of(r"\boxed{Yes}", AUTO)


def test_one_document_is_one_answer_bare_fenced_or_introduced() -> None:
    document = '{"a": 1}'
    forms = (
        document,
        f"```json\n{document}\n```",
        f"Here is the JSON:\n\n{document}",
        f"Sure: {document}",
        f"Here you go:\n```\n{document}\n```\nLet me know if you need anything else!",
    )
    assert {key_of(form, AUTO) for form in forms} == {'{"a":1}'}


def test_auto_reads_scalars_and_embedded_objects_only_as_json_output() -> None:
    said = 'I took {"a": 1} for it, though 3 others would do.'
    assert key_of(said, AUTO, json_output=True) == '{"a":1}'
    answer = extract(said, AUTO)
    assert answer is not None
    assert not answer.structured


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("#### Final Answer\n42", "42"),
        ("#### Final Answer\n43", "43"),
        ("\\boxed{5}\n\n#### Verification\n5 = 2 + 3, as asked.", "5"),
        ("#### 42\n\nI am sure.", "42"),
        ("#### 42\n\n#### Verification\nIt holds.", "42"),
        ("So it is\n#### 42 apples \n\n", "42"),
    ],
)
def test_hashes_above_a_text_are_a_heading_if_they_hold_words(text: str, key: str) -> None:
    assert key_of(text, AUTO) == key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("The final answer is:\n\n\\[\n12\n\\]", "12"),
        ("The answer is:\n$$\n12\n$$\nas was to be shown.", "12"),
        ("The answer is: \\(\n\\frac12\n\\)", "1/2"),
        ("### Answer\n\n$$\nx = 12.\n$$", "12"),
    ],
)
def test_a_spoken_answer_in_display_math_is_read_up_to_its_end(text: str, key: str) -> None:
    assert key_of(text, AUTO) == key


@pytest.mark.parametrize(
    "text",
    [
        "Here is the answer:\n\n```python\nx=1\n```",
        "Here is the answer: ```python\nx=1\n```",
        "### Answer\n- Paris\n- London",
        "The answer is:\n1. Paris\n2. London",
        "The answer is:\n**1. Paris**\n**2. London**",
        "The answer is:\n| City | Country |\n|---|---|\n| Paris | France |",
        "The answer is:\n---\nParis",
        "### Answer\n#### Cities\nParis",
        "The answer is:\n\\[\n12",
    ],
)
def test_what_opens_a_block_or_breaks_off_in_math_is_no_spoken_answer(text: str) -> None:
    answer = extract(text, AUTO)
    assert answer is not None
    assert not answer.structured


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("The answer is:\n-5", "-5"),
        ("The answer is:\n**42**", "42"),
        ("The answer is 1. I am sure.", "1"),
        ("The answer is |x|", "|x|"),
    ],
)
def test_what_only_resembles_a_block_is_a_spoken_answer(text: str, key: str) -> None:
    assert key_of(text, AUTO) == key


@pytest.mark.parametrize("kind", ["auto", "math", "choice", "tool"])
def test_a_deliberation_that_breaks_off_holds_no_answer(kind: str) -> None:
    options = AnswerOptions.model_validate({"kind": kind})
    for said in ("Maybe the answer is 7. Wait,", "\\boxed{7}", "Is the answer B", CALL):
        assert extract(f"<think>\n{said}", options) is None


def test_a_reply_may_speak_of_the_tag_that_opens_a_deliberation() -> None:
    assert key_of("After <think> come 7 lines. The answer is 7", AUTO) == "7"


@pytest.mark.parametrize("kind", ["auto", "math", "choice", "json", "tool", "text"])
@pytest.mark.parametrize(
    "piece",
    ["\\boxed{", "answer is ", "#### ", "{", '{"a":', "[{", "```\n", "9,", "\u0301\u0323",
     "= ", "```a\nx\n", "(A) ", "answer to a ", "```", "[1,", "answer: \n", " ", "1 ", "-",
     "answer:\n$$\n", "#### a\n", "answer:\n- -"],
)  # fmt: skip
def test_a_huge_text_takes_linear_time(kind: str, piece: str) -> None:
    text = piece * (100_000 // len(piece))
    begun = time.thread_time()

    extract(text, AnswerOptions.model_validate({"kind": kind}))

    assert time.thread_time() - begun < 1.25


@pytest.mark.parametrize(
    "text",
    [
        "The answer is 5 %s?" % ("a" * 450),
        "The answer is 5 %s?" % ("ab " * 150),
        r"\boxed{5 %s?}" % ("a" * 450),
        "~" * 100_000 + "`\nx",
        "`" * 100_000 + "~`\nx",
    ],
)
def test_a_text_that_nearly_fits_takes_no_longer(text: str) -> None:
    begun = time.monotonic()
    for kind in ("auto", "math"):
        extract(text, AnswerOptions.model_validate({"kind": kind}))
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "text",
    [
        "(a+2)(b+3)(c+4)(d+5)(e+6)(f+7)(g+8)(h+9)(i+10)(j+11)",
        "".join(f"(x+{place})" for place in range(1, 31)),
        "So the product is (p-q)(r-s)(t-u)(v-w)(x-y)(k-l)(m-n)(b-c)(d-f).",
        "[1," * 5000,
    ],
)
@pytest.mark.parametrize("kind", ["auto", "math"])
def test_a_product_of_many_factors_costs_one_attempt_and_not_one_a_factor(
    text: str, kind: str
) -> None:
    options = AnswerOptions.model_validate({"kind": kind})
    ordinary = f"12 + 7 = 19, and 19 - 5 = 14. So Tom has 14 apples left. {'Well done. ' * 20}"
    once, usual = (min(_seconds(each, options) for _ in range(5)) for each in (text, ordinary))
    assert once < 40 * usual


def _seconds(text: str, options: AnswerOptions) -> float:
    parse_value.cache_clear()
    begun = time.thread_time()
    extract(text, options)
    return time.thread_time() - begun
