"""What is denied, supposed or only bounded is no answer; what is said beside it may be."""

from __future__ import annotations

import pytest

from memory.identity.answers import canonical
from memory.identity.answers.options import AnswerKind
from tests.memory.identity.answers.reading import key_of


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize(
    "text",
    [
        "I don't think the answer is 5.",
        "I do not believe that the answer is 12.",
        "I doubt the answer is 5.",
        "It is false that the answer is 5.",
        "It's not true that the final answer is 40.",
        "It is unlikely that the answer is 5.",
        "Nobody said the answer is 5.",
        "Suppose the answer is 5.",
        "Assume that the answer is 9.",
        "If the answer is 5, then x = 2.",
        "Let's check whether the answer is 5.",
        "You claim the answer is 5, but that's wrong.",
        "The answer is 7, but that is wrong.",
        "The answer is 7, which is incorrect.",
        "The answer is 31. But that can't be right.",
        r"Initially I got \boxed{7} but this is wrong; the correct value is 8.",
        r"I doubt that it is \boxed{5}.",
        r"\boxed{5} is wrong.",
        "So 5 is wrong.",
        "5 is incorrect.",
        "So 5 is clearly wrong.",
        "So 5 is too small.",
        "The answer is no longer 5.",
        "The answer is anything but 5.",
        "The total exceeds 4.",
        "The total would have been 4 if it rained.",
        "It's false that the total is 4.",
        "The claim that the answer is 5 is false.",
        "Bob says the answer is 5.",
        "Some would argue the answer is 5.",
        "A common mistake is to say the answer is 5.",
        "La risposta non è 5.",
        "My initial answer was 5, but it's actually 6.",
        "#### 5\nWait, I made an error.",
        "<answer>5</answer> Oops, that's wrong.",
        "Answer: 5 (edit: 6)",
        "The answer is 6; strike that, 7.",
        "The answer is 6, actually 7.",
        "The answer is 6. On reflection, 7.",
        "The answer is 6. Upon closer inspection, it is 7.",
        "The answer is 6. Rather, 7.",
        "The answer is 6. Apologies, it should be 7.",
        "The answer is 6. I misread; it's 7.",
    ],
)
def test_what_is_denied_or_supposed_gives_none(text: str, kind: AnswerKind) -> None:
    assert key_of(text, kind) is None


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize(
    "text",
    [
        "I don't think it is hard. The answer is 5.",
        "If you add them, the answer is 5.",
        "If x = 2 then the answer is 5.",
        "I don't know much, but the answer is 5.",
        "You say 7, but that is wrong. The answer is 5.",
        "The answer is 5. Some say 7, but that is wrong.",
        "So the number of wrong answers is 5.",
        "The answer is 5, not 7.",
        "The answer is 5. I apologize for any confusion earlier.",
        "The answer is 5. Actually, E = mc^2 shows it.",
        "After fixing the mistake, the answer is 5.",
        "Some say 7, but the answer is 5.",
        "The correct answer is 5; the claim that it is 7 is false.",
        "#### 5\nRather simple!",
        "<answer>5</answer>\nI hope this helps. Wait times may vary.",
        "It could not be simpler: the answer is 5.",
        "Suppose n = 3. Then the answer is 5.",
        "It cannot be 6, so the answer is 5.",
        r"If we simplify we get \boxed{5}.",
        r"Some say 4, but that is wrong. \boxed{5}",
        r"I got \boxed{7}, but that is wrong. The answer is 5.",
    ],
)
def test_a_denial_of_something_else_denies_no_mark(text: str, kind: AnswerKind) -> None:
    assert key_of(text, kind) == canonical("5")


@pytest.mark.parametrize("kind", ["auto", "math"])
@pytest.mark.parametrize("mark", ["The answer is {}.", "#### {}", "Answer: {}", "So it is {}."])
@pytest.mark.parametrize(
    "said",
    ["5 or more", "more than 100", "a multiple of 5", "twice 5", "close to 5", "5 less than x",
     "option 5 or 6", "up to 30", "half of 10", "the square of 7", "5 apples more or less",
     "12 and up", "$20 at most", "under 5 minutes", "near 40", "three times 8"],
)  # fmt: skip
def test_what_bounds_a_number_is_not_the_number(mark: str, said: str, kind: AnswerKind) -> None:
    assert key_of(mark.format(said), kind) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Half of 12 is 6.", "6"),
        ("Twice 5 is 10.", "10"),
        ("Three times 4 is 12.", "12"),
        ("The answer is about 5.", "5"),
        ("The answer is x > 5.", "x > 5"),
        ("It all adds up to 18.", "18"),
        ("The answer is that twice 5 is 10.", "10"),
        ("So the square of 7 is 49.", "49"),
    ],
)
def test_a_bound_of_another_number_bounds_nothing(text: str, value: str) -> None:
    assert key_of(text, "math") == canonical(value)
