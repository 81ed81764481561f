"""The grid that a tuned recipe is held against."""

from __future__ import annotations

import pytest

from adaptation.learning.training.recipes import recipe_for
from adaptation.learning.tuning.search import Standing, Trial
from adaptation.learning.tuning.task import of_worlds
from loadtests import bench_tune
from loadtests.bench_tune import UNSEEN, grid

START = recipe_for(135_000_000)


def test_the_grid_is_five_rates_with_four_numbers_of_steps_around_the_recipe_by_size() -> None:
    cells = grid(START)
    assert len(set(cells)) == 20
    assert START in cells
    assert {cell.steps for cell in cells} == {24, 48, 96, 192}


def test_the_worlds_of_the_grid_are_none_that_the_tuning_sees() -> None:
    seen, unseen = of_worlds(20, 4), of_worlds(3, 4, first=UNSEEN)
    assert {task.name for task in seen}.isdisjoint(task.name for task in unseen)


@pytest.mark.parametrize(("right", "verdict"), [(9, "met"), (7, "MISSED")])
def test_a_tuned_recipe_far_below_the_best_cell_misses(
    right: int, verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def standing(right: int) -> Standing:
        trial = Trial(recipe=START, task="t", right=right, asked=10, steps=1, loss=0.1)
        return Standing(START, (trial,))

    bench_tune._print(standing(right), [standing(n % 10) for n in range(20)])
    assert f"2 points: {verdict}" in capsys.readouterr().out
