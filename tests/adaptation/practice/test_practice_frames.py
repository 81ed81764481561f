"""What a model writes has an answer only where it is computed."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptation.conversation import Conversation
from adaptation.evaluation.suites.split import Split, split_of
from adaptation.learning.practice.exercise import Exercise, OfSuite, equals
from adaptation.learning.practice.frames import frame_of, solution_of_equation, value_of_sum
from adaptation.learning.practice.posing import Written, written_in
from adaptation.learning.practice.programs import AFTER, BEFORE, FRAME, Programs
from adaptation.learning.practice.sums import SUITE


@pytest.mark.parametrize(
    ("equation", "solution"),
    [
        ("3 * x + 5 = 26", "7"),
        ("3x + 5 = 26", "7"),
        ("7 * z = 2 * z - 15", "-3"),
        ("2 * (y + 1) = 5", "3/2"),
        ("x * x = 4", None),
        ("x + 1 = x + 2", None),
        ("x = y", None),
        ("3 + 4 = 7", None),
        ("x / 0 = 3", None),
        ("9 ** 9 ** 9 + x = 1", None),
    ],
)
async def test_a_linear_equation_has_its_one_solution(equation: str, solution: str | None) -> None:
    assert await solution_of_equation(equation) == solution


@given(st.integers(1, 30), st.integers(-50, 50), st.integers(-99, 99))
async def test_the_solution_solves_the_equation(a: int, x: int, b: int) -> None:
    assert await solution_of_equation(f"{a} * x {b:+d} = {a * x + b}") == str(x)


async def test_the_words_around_what_is_computed_may_not_change() -> None:
    frame = await frame_of("What is 3 + 4?", "7")
    assert frame is not None
    assert await frame.answer_of("What is 12 - 5 + 1?") == "8"
    for other in (
        "What is 12 - 5, doubled?",
        "What is 12 - 5?!",
        "What was 12 - 5?",
        "What is 12?",
        "What is __import__('os')?",
        "What is ?",
        "",
    ):
        assert await frame.answer_of(other) is None


async def test_a_question_whose_answer_is_no_part_of_it_has_no_frame() -> None:
    assert await frame_of("What is 3 + 4?", "8") is None
    assert await frame_of("Who was born in 1912 - 1915?", "Ann") is None
    assert await value_of_sum("12") is None


async def test_what_a_program_prints_is_executed_and_must_be_one_line_twice() -> None:
    async def answer(code: str) -> str | None:
        return await FRAME.answer_of(f"{BEFORE}{code}{AFTER}")

    assert await answer("print(6 * 7)") == "42"
    assert await answer("print(1)\nprint(2)") is None
    assert await answer("x = 1") is None
    assert await answer("print(id(object()))\nimport os\nprint(os.urandom(4))") is None
    assert await answer("import os\nprint(os.urandom(8).hex())") is None
    assert await answer("raise SystemExit(3)") is None
    assert await answer("while True: pass") is None


async def test_programs_of_every_level_are_different_and_known_by_what_they_print() -> None:
    family = Programs()
    for level in family.levels:
        drawn = await family.draw(3, level, seed=1)
        assert len({exercise.question for exercise in drawn}) == 3
        for exercise in drawn:
            assert exercise.answer is not None
            assert await exercise.is_right(f"It prints this.\n#### {exercise.answer}")
            assert not await exercise.is_right("#### 123456")


def sums_of(split: Split) -> list[str]:
    asked = (f"What is {n} + {n} + 9?" for n in range(200, 300))
    return [question for question in asked if split_of(question) is split]


async def test_the_model_poses_and_whatever_nothing_computes_is_refused() -> None:
    """So is what evaluations ask, what it was shown, and what it has said before."""
    good, measured = sums_of(Split.TRAINING)[0], sums_of(Split.EVALUATION)[0]
    shown: set[str] = set()

    async def ask(prompts: Sequence[Conversation], seed: int) -> list[str]:
        shown.update(turn.content for prompt in prompts for turn in prompt.messages)
        example = prompts[0].messages[1].content
        assert example.startswith("What is ")
        return [f"Exercise: {good}", measured, example, good, "I am a model.", "What is love?"]

    posed = await Written(OfSuite(SUITE), ask).pose(6, level=2, seed=3)
    (exercise,) = posed.exercises
    assert exercise.question == good not in shown
    assert exercise.answer == str(2 * int(good.split()[2]) + 9)
    assert await exercise.is_right(f"#### {exercise.answer}")
    assert posed.refused == 5


async def test_a_family_without_a_computed_part_lets_nothing_be_written_after_it() -> None:
    class Riddles:
        name, levels = "riddles", range(1, 2)

        async def draw(self, n: int, level: int, seed: int) -> list[Exercise]:
            return [
                Exercise(f"Riddle {i}?", "a shadow", "riddles", 1, equals("a shadow"))
                for i in range(n)
            ]

    async def ask(prompts: Sequence[Conversation], seed: int) -> list[str]:
        raise AssertionError("nobody is asked")

    posed = await Written(Riddles(), ask).pose(4, level=1, seed=0)
    assert (len(posed.exercises), posed.refused) == (0, 4)


def test_what_models_put_around_an_exercise_is_taken_off() -> None:
    assert written_in(' Question: "What is 1 + 1?" ') == "What is 1 + 1?"
