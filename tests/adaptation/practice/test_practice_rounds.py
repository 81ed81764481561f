"""Rounds of practice, with a model that can do some things."""

import random
from collections.abc import Sequence

import numpy as np
import pytest

from adaptation.conversation import Conversation
from adaptation.errors import PracticeError
from adaptation.evaluation.suites.errors import TooFewQuestionsError
from adaptation.evaluation.suites.solved import Solved, solved
from adaptation.evaluation.suites.split import Split, split_of
from adaptation.evaluation.suites.suite import Generated, Group
from adaptation.learning.practice.controller import TARGET, Controller, start
from adaptation.learning.practice.exercise import Exercise, OfSuite, equals
from adaptation.learning.practice.novelty import novel
from adaptation.learning.practice.posing import Drawn
from adaptation.learning.practice.practising import Practice
from adaptation.learning.practice.solving import Attempted
from adaptation.learning.practice.tally import IN_VAIN, Tally
from memory.types import TIERS_THAT_TRAIN, Draft, Source


@pytest.mark.parametrize("able", [1.0, 4.3, 7.5, 10.0])
def test_the_difficulty_settles_where_half_is_right(able: float) -> None:
    """A solver with a logistic curve of ability, as item response theory has it."""
    rng = random.Random(7)
    controller, rates = Controller(range(1, 11)), []
    for _ in range(60):
        p = 1 / (1 + np.exp(controller.level - able))
        rate = sum(rng.random() < p for _ in range(64)) / 64
        rates.append(rate)
        controller.learn(rate)
    settled = sum(rates[20:]) / 40
    assert abs(settled - TARGET) < 0.15
    assert abs(controller.level - able) <= 1.5


def test_the_difficulty_stays_within_what_there_is() -> None:
    controller = Controller(range(1, 4))
    for _ in range(9):
        controller.learn(1.0)
    assert controller.level == 3
    controller.learn(0.0)
    assert controller.level == 2, "one round is enough to come back from the end"


def level_of(question: str) -> int:
    return question.count("+")


def _draw(rng: random.Random, level: int) -> Solved:
    numbers = [rng.randint(1, 999) for _ in range(level + 1)]
    return solved(
        f"What is {' + '.join(map(str, numbers))}?", "by adding", sum(numbers), "additions"
    )


def _nothing(rng: random.Random, level: int) -> Solved:
    raise TooFewQuestionsError("there is none")


FAMILY = OfSuite(Generated("additions", Group.IN_DISTRIBUTION, _draw, range(1, 9), 1))


class Student:
    """Adds up to three numbers always, four in half of the tries, more never."""

    def __init__(self) -> None:
        self.kept: list[Draft] = []
        self.told: list[Sequence[Tally]] = []

    async def reply(self, prompts: Sequence[Conversation], seed: int) -> list[str]:
        return [self._said(prompt.messages[-1].content, seed) for prompt in prompts]

    def _said(self, question: str, seed: int) -> str:
        level = level_of(question)
        knows = level < 3 or (level == 3 and seed % 2 == 0)
        numbers = [int(each) for each in question[8:-1].split(" + ")]
        return f"I add.\n#### {sum(numbers) if knows else 0}"

    async def keep(self, drafts: Sequence[Draft]) -> None:
        self.kept += drafts

    async def note(self, tallies: Sequence[Tally]) -> None:
        self.told.append(list(tallies))

    async def fresh(self, exercises: Sequence[Exercise]) -> list[Exercise]:
        return list(exercises)

    def practice(self, **changes: object) -> Practice:
        given: dict[str, object] = {
            "tenant": "ann", "model": "m", "adapter": None, "reply": self.reply,
            "novel": self.fresh, "keep": self.keep, "told": self.note,
        }  # fmt: skip
        return Practice(**given | changes)  # type: ignore[arg-type]


async def test_what_the_model_can_solve_but_not_always_becomes_records() -> None:
    student = Student()
    (tally,) = await student.practice().run([Drawn(FAMILY)], 80)
    assert tally.posed == 80
    own = [draft for draft in student.kept if draft.evidence["practice"]["solution"] == "own"]
    assert own
    assert all(level_of(draft.messages[-1].content) == 3 for draft in own)
    assert all(draft.evidence["practice"]["pass_rate"] == 0.5 for draft in own)
    assert all(draft.rationale.startswith("I add.") for draft in own)
    assert all(draft.source is Source.ENVIRONMENT for draft in student.kept)
    assert all(draft.tier in TIERS_THAT_TRAIN for draft in student.kept)
    assert tally.levels[-1] == 3, "where half is right"
    assert tally.kept == len(student.kept)
    assert tally.kept + tally.too_easy == tally.posed, "what is unsolved has the generator's work"


async def test_practice_may_begin_above_the_middle() -> None:
    (usual,) = await Student().practice().run([Drawn(FAMILY)], 8)
    (raised,) = await Student().practice(raised=1).run([Drawn(FAMILY)], 8)
    assert raised.levels[0] == usual.levels[0] + 1
    assert start(range(1, 2), 1) == 1, "of one level there is no other"


async def test_whoever_goes_on_begins_after_the_last_round() -> None:
    student = Student()
    whole = await student.practice(seed=5).run([Drawn(FAMILY)], 48)
    kept, student.kept = student.kept, []
    rest = await student.practice(seed=5).run([Drawn(FAMILY)], 48, student.told[2])
    assert rest == whole
    assert student.kept == kept[-len(student.kept) :]
    assert len(student.kept) < len(kept)


async def test_families_take_turns_and_one_that_brings_nothing_is_left_alone() -> None:
    student = Student()
    nothing = Generated("nothing", Group.IN_DISTRIBUTION, _nothing, range(1, 2), 1)
    tallies = await student.practice().run([Drawn(FAMILY), Drawn(OfSuite(nothing))], 64)
    assert [tally.posed for tally in tallies] == [64, 0]
    assert not tallies[1].is_open
    assert len(tallies[1].levels) == IN_VAIN


async def test_where_there_is_no_exercise_so_difficult_easier_ones_are_practised() -> None:
    def up_to_two(rng: random.Random, level: int) -> Solved:
        return _draw(rng, level) if level <= 2 else _nothing(rng, level)

    steep = Generated("steep", Group.IN_DISTRIBUTION, up_to_two, range(1, 9), 1)
    (tally,) = await Student().practice().run([Drawn(OfSuite(steep))], 16)
    assert tally.posed == 16
    assert tally.levels[:4] == (5, 4, 3, 2)


async def test_questions_that_evaluations_ask_are_not_practised() -> None:
    for level in FAMILY.levels:
        drawn = await FAMILY.draw(8, level, seed=3)
        assert {split_of(each.question) for each in drawn} == {Split.TRAINING}


async def test_practice_without_any_exercise_says_what_to_do() -> None:
    async def known(exercises: Sequence[Exercise]) -> list[Exercise]:
        return []

    with pytest.raises(PracticeError, match="40 are in memory already"):
        await Student().practice(novel=known).run([Drawn(FAMILY)], 16)


def exercise(question: str) -> Exercise:
    return Exercise(question, "1", "f", 1, equals("1"))


def test_what_memory_holds_is_told_by_embedding_and_numbers() -> None:
    def embed(texts: Sequence[str]) -> np.ndarray:
        return np.array([[1.0, 0.0]] * len(texts), np.float32)

    known = [("Please, what is 3 + 4?", 0.99)]
    asked = [exercise(q) for q in ("What is 3 + 4?", "What is 3 + 5?", "So what is 3 + 5?")]
    found = novel(asked, embed, lambda question, vector: known)
    assert [each.question for each in found] == ["What is 3 + 5?"]
    far = novel(asked[:1], embed, lambda question, vector: [("What is 3 + 4 ?", 0.2)])
    assert len(far) == 1


def test_an_exercise_that_is_nearly_always_solved_teaches_nothing() -> None:
    assert not Attempted(exercise("?"), ("1",) * 7, 8).teaches
    assert Attempted(exercise("?"), ("long 1", "1"), 8).solution == "1"
    assert not Attempted(exercise("?"), (), 8).teaches
