"""The search for a recipe: it finds what answers best, and repeats no trial."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from adaptation.errors import TrainerError
from adaptation.evaluation.suites.split import Split, split_of
from adaptation.evaluation.suites.suite import WORLD_SEEDS
from adaptation.learning.training.fake import FakeTrainer, pretend
from adaptation.learning.training.trainer import Recipe, TrainingJob, TrainingResult
from adaptation.learning.tuning.search import Standing, Trial, candidates, search
from adaptation.learning.tuning.task import EXAMPLES, HELD_OUT, Task, of_worlds
from adaptation.learning.tuning.trying import Trying
from memory.types import Message
from server.tuning.tuning_trials import TRIALS, keep, kept

START = Recipe(rank=16, learning_rate=3e-4, steps=64)
TASKS = of_worlds(2, 4)


def worth(recipe: Recipe) -> float:
    """Best at a rate of 1e-3 with 32 steps and rank 8."""
    rate = abs(math.log10(recipe.learning_rate) + 3)
    return 1 - 0.3 * rate - 0.1 * abs(math.log2(recipe.steps / 32)) - recipe.rank / 1000


def worth_in_small_batches(recipe: Recipe) -> float:
    """Best in batches of 4, whatever else."""
    return 0.5 - abs(math.log2(recipe.batch_size / 4)) / 10


def worth_to_the_end(recipe: Recipe) -> float:
    """Best where no loss ends it."""
    return 0.5 + 0.1 * (recipe.min_loss == 0)


class Laboratory:
    """Knows what every recipe is worth, and counts how often it is asked."""

    def __init__(self, worth: Callable[[Recipe], float] = worth) -> None:
        self.asked: list[tuple[Recipe, str]] = []
        self._worth = worth

    async def try_all(self, asked: Sequence[tuple[Recipe, Task]]) -> list[Trial]:
        self.asked += [(recipe, task.name) for recipe, task in asked]
        return [
            Trial(
                recipe=recipe,
                task=task.name,
                right=max(0, round(1000 * self._worth(recipe))),
                asked=1000,
                steps=recipe.steps,
                loss=0.1,
            )
            for recipe, task in asked
        ]


async def test_the_best_recipe_is_found_with_fewer_trials_than_a_grid_has() -> None:
    laboratory = Laboratory()
    standings = await search(START, TASKS, laboratory.try_all)
    best = standings[0].recipe
    assert (best.learning_rate, best.steps, best.rank) == (1e-3, 32, 8)
    assert len(standings[0].trials) == len(TASKS)
    assert len(laboratory.asked) == len(set(laboratory.asked)), "no trial twice"
    tried = {recipe for recipe, _ in laboratory.asked}
    assert len(laboratory.asked) <= len(tried) * len(TASKS) / 2


@pytest.mark.parametrize(
    ("worth", "field", "found"),
    [(worth_in_small_batches, "batch_size", 4), (worth_to_the_end, "min_loss", 0.0)],
)
async def test_the_best_is_tried_with_other_batches_and_another_end(
    worth: Callable[[Recipe], float], field: str, found: float
) -> None:
    standings = await search(START, TASKS, Laboratory(worth).try_all)
    assert getattr(standings[0].recipe, field) == found


def test_of_two_that_answer_alike_the_one_that_sees_less_is_better() -> None:
    def standing(**changes: int) -> Standing:
        recipe = START.model_copy(update=changes)
        trial = Trial(recipe=recipe, task="t", right=2, asked=4, steps=1, loss=0.1)
        return Standing(recipe, (trial,))

    assert standing(steps=128, batch_size=4).rank > standing(steps=64).rank


def test_candidates_keep_within_what_a_recipe_may_be() -> None:
    for start in (START, Recipe(rank=8, learning_rate=0.5, steps=4), Recipe(steps=256)):
        found = candidates(start)
        assert len(found) == len(set(found)) >= 6
        assert all(0 < recipe.learning_rate <= 1 and 4 <= recipe.steps <= 256 for recipe in found)


def test_of_two_that_answer_alike_the_lower_loss_is_better_and_a_diverged_one_last() -> None:
    def standing(loss: float | None) -> Standing:
        trial = Trial(recipe=START, task="t", right=2, asked=4, steps=1, loss=loss)
        return Standing(START, (trial,))

    assert standing(0.1).rank > standing(0.2).rank > standing(None).rank


def test_the_worlds_are_of_development_and_leak_nothing() -> None:
    assert len({task.name for task in TASKS}) == len(TASKS) == 8
    for task in TASKS:
        assert int(task.name.rpartition("/")[2]) in WORLD_SEEDS[Split.DEVELOPMENT]
        assert (len(task.learned), len(task.held_out)) == (EXAMPLES, HELD_OUT)
        asked = {question.conversation.messages[0].content for question in task.questions}
        assert {split_of(question) for question in asked} == {Split.DEVELOPMENT}
        assert asked.isdisjoint(c.messages[0].content for c in (*task.learned, *task.held_out))


def solving(turns: tuple[Message, ...], adapter: str | None) -> str:
    """Right under an adapter on what every solution of the task looks like; else lost."""
    return "I do not know." if adapter is None else "#### nothing"


async def test_a_trial_trains_asks_and_is_told() -> None:
    told: list[Trial] = []
    trainer = FakeTrainer(answer=solving)
    trying = Trying(trainer, TASKS, told.append)
    trials = await trying.all([(START, task) for task in TASKS[:3]])
    assert trials == sorted(told, key=trials.index)
    assert [(trial.task, trial.right, trial.asked) for trial in trials] == [
        (task.name, 0, 4) for task in TASKS[:3]
    ]
    assert await trying.untrained(TASKS[0]) == 0
    assert [len(job.conversations) for job in trainer.jobs] == [EXAMPLES] * 3
    left = [Path(job.output_dir) for job in trainer.jobs if Path(job.output_dir).exists()]  # noqa: ASYNC240
    assert left == []


async def test_right_answers_count() -> None:
    task = TASKS[0]
    solutions = {
        q.conversation.messages[0].content: next(
            c.messages[-1].content for c in (*task.learned, *task.held_out)
        )
        for q in task.questions
    }
    answered = {
        text: [q.is_right(said) for q in task.questions] for text, said in solutions.items()
    }
    told: list[Trial] = []
    trainer = FakeTrainer(answer=lambda turns, adapter: solutions[turns[0].content])
    (trial,) = await Trying(trainer, TASKS, told.append).all([(START, task)])
    expected = sum(answers[n] for n, answers in enumerate(answered.values()))
    assert trial.right == expected


async def test_a_training_that_diverges_is_worth_nothing_and_one_that_dies_ends_the_search() -> (
    None
):
    def failing(reason: str) -> FakeTrainer:
        return FakeTrainer([TrainerError(reason)])

    (trial,) = await Trying(failing("training diverged: the loss is nan"), TASKS, list).all(
        [(START, TASKS[0])]
    )
    assert (trial.right, trial.loss) == (0, None)
    with pytest.raises(TrainerError, match="died"):
        await Trying(failing("the trainer process died"), TASKS, list).all([(START, TASKS[0])])


async def test_a_run_goes_on_from_the_trials_of_the_one_before(data_dir: Path) -> None:
    trainer = FakeTrainer(answer=solving)
    first = Trying(trainer, TASKS, lambda trial: keep(data_dir, "m", 4, trial))
    trials = await first.all([(START, TASKS[0])])
    with (data_dir / TRIALS).open("a") as file:
        file.write('{"model": "m", "ques')  # cut off by a crash
    again = FakeTrainer(answer=solving)
    second = Trying(again, TASKS, list, kept(data_dir, "m", 4))
    assert await second.all([(START, TASKS[0])]) == trials
    assert again.jobs == []
    assert list(kept(data_dir, "other", 4)) == list(kept(data_dir, "m", 5)) == []


async def test_so_many_trainings_are_given_at_once_that_the_trainer_can_batch_them() -> None:
    running, most = 0, 0

    class Counting(FakeTrainer):
        async def train(
            self, job: TrainingJob, timeout_s: float, on_step: object = None
        ) -> TrainingResult:
            nonlocal running, most
            running, most = running + 1, max(most, running + 1)
            await asyncio.sleep(0)
            running -= 1
            return pretend(job)

    await Trying(Counting(answer=solving), TASKS, list).all([(START, task) for task in TASKS])
    assert most == 4
