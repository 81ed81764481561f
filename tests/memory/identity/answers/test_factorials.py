"""When an exclamation mark is a factorial, and when it is emphasis."""

from __future__ import annotations

import pytest

from memory.identity.answer_key import same_answer
from memory.identity.answers import canonical
from memory.identity.answers.options import AnswerKind
from tests.memory.identity.answers.reading import key_of


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$(n+1)!$", "(n+1)!"),
        ("The answer is $(n+1)!$.", "(n+1)!"),
        ("#### (n+1)!", "(n+1)!"),
        ("<answer>(k-2)!</answer>", "(k-2)!"),
        ("The answer is (m+n)!", "(m+n)!"),
        (r"\boxed{2n!}", "2(n!)"),
        (r"\boxed{x = 3!}", "x = 6"),
        ("$5!$", "120"),
        ("$$ 6! $$", "720"),
        (r"\[ 4! \]", "24"),
        ("The answer is $5!$.", "120"),
        ("The answer is 5!.", "120"),
        (r"The final answer is \(7!\).", "5040"),
        (r"So the number of ways is \(5!\)", "120"),
        ("The number of ways is $6!$", "720"),
        ("The answer is 10!/7!", "720"),
        ("The answer is k!", "k!"),
        ("The answer is 5!, because every order counts.", "120"),
        ("There are $n!$ orders.", "n!"),
    ],
)
def test_in_mathematics_or_after_a_formula_it_is_a_factorial(
    text: str, value: str, kind: AnswerKind
) -> None:
    assert key_of(text, kind) == canonical(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5!", "5"),
        ("The answer is 5!", "5"),
        ("The answer is **24**!", "24"),
        ("The answer is **24!**", "24"),
        ("The answer is $24$!", "24"),
        (r"The answer is $\frac{1}{2}$!", "1/2"),
        ("The answer is 1/2 (0.5)!", "1/2"),
        ("The answer is 5 (five)!", "5"),
        ("The answer is (2, 3)!", "(2,3)"),
        ("The answer is 5 m!", "5 m"),
        ("The value is 5 + 3i!", "5+3i"),
        ("The answer is 4x!", "4x"),
        ("The answer is Paris!", "Paris"),
        ("The answer is Paris!.", "Paris"),
        ("The answer is vitamin K!", "vitamin K"),
    ],
)
def test_what_is_exclaimed_is_the_value_itself(text: str, value: str) -> None:
    assert key_of(text, "auto") == canonical(value)


@pytest.mark.parametrize("text", ["The answer is B!", "Answer: (B)!", "**B!**", "b!", "B!."])
def test_an_exclaimed_letter_is_a_choice(text: str) -> None:
    assert key_of(text, "choice") == "b"


@pytest.mark.parametrize(
    ("one", "other"),
    [("(n+1)!", "n+1"), ("$5!$", "5"), ("2n!", "(2n)!"), (r"\(5!\)", "5"), ("k!", "k"),
     ("$(a+b)!$", "a+b"), ("5!.", "5")],
)  # fmt: skip
def test_a_factorial_is_not_what_it_is_of(one: str, other: str) -> None:
    assert not same_answer(one, other)
    assert canonical(one) != canonical(other)
