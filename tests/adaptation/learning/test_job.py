import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from adaptation.conversation import spoken
from adaptation.errors import TrainerError
from adaptation.learning.service import adapter_io, watch
from adaptation.learning.service import job as jobs
from adaptation.learning.service.asking import Ask, Losses, answer, mean
from adaptation.learning.service.base import Base
from adaptation.learning.service.job import Control, batches, learning_rate
from adaptation.learning.service.packing import Part
from adaptation.learning.service.watch import Descent
from adaptation.learning.training.chat import Template
from adaptation.learning.training.recipes import distillation_recipe, recipe_for
from adaptation.learning.training.sequences import TrainingExample, to_example
from adaptation.learning.training.trainer import Recipe, Served, TrainingJob
from memory.types import Message
from tests.adaptation.learning.running import run_job

Job = Callable[..., TrainingJob]


@pytest.fixture(scope="module")
def base(tiny_model: Path) -> Base:
    torch.set_num_threads(1)  # more threads only wait for each other on a model this small
    return Base.load(str(tiny_model), Template(), "cpu")


@pytest.fixture
def examples(base: Base, job: Job, tmp_path: Path) -> list[TrainingExample]:
    return [to_example(base.chat, c, 2048) for c in job(tmp_path).conversations]


def test_a_memorised_loss_ends_the_job(base: Base, job: Job, tmp_path: Path) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=50, min_loss=5.0)
    result = run_job(base, job(tmp_path, recipe=recipe, holdout=()), Control())
    assert result.losses[-1] < 5.0 < result.losses[-2]
    assert 0 < result.steps < 50
    assert len(result.losses) == result.steps + 1


def test_a_rising_held_out_loss_ends_the_job_at_the_best_weights(
    base: Base, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A random model of two layers learns so little that any rise is within the tolerance.
    monkeypatch.setattr(watch, "TOLERANCE_NATS", 0.0)
    recipe = Recipe(learning_rate=2e-2, steps=32, min_loss=0.0)
    strange = spoken(Message(role="user", content="?"), Message(role="assistant", content="zqZQXJ"))
    result = run_job(base, job(tmp_path, recipe=recipe, holdout=(strange,)), Control())
    assert sum(result.holdout_after) <= sum(result.holdout_before)
    assert result.steps < 32
    again = run_job(
        base,
        job(
            tmp_path / "b",
            parent=str(tmp_path),
            holdout=(strange,),
            recipe=Recipe(steps=1, min_loss=99),
        ),
        Control(),
    )
    assert again.holdout_before == pytest.approx(result.holdout_after, abs=1e-3)


def test_no_step_is_begun_past_the_soft_deadline(base: Base, job: Job, tmp_path: Path) -> None:
    result = run_job(base, job(tmp_path), Control(soft_s=0.0))
    assert result.steps == 0
    assert result.holdout_before == result.holdout_after


@pytest.mark.parametrize("taken", [1, 3, 5, 7, 8])
def test_a_job_that_ends_early_is_looked_at_and_keeps_what_it_learned(
    taken: int, base: Base, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]  # moves with the steps alone
    monkeypatch.setattr(jobs.time, "perf_counter", lambda: clock[0])

    def on_step(descent: Descent) -> None:
        clock[0] += 1.0

    control = Control(soft_s=taken + 0.5, on_step=on_step)
    recipe = Recipe(learning_rate=1e-4, steps=17, min_loss=0.0)  # a look after every fifth step
    result = run_job(base, job(tmp_path, recipe=recipe), control)
    assert result.steps == taken
    assert len(result.losses) == taken + 1
    assert result.holdout_after != result.holdout_before


def test_a_memorised_job_is_judged_by_its_last_weights(
    base: Base, job: Job, tmp_path: Path
) -> None:
    recipe = Recipe(learning_rate=1e-2, steps=50, min_loss=5.0)
    result = run_job(base, job(tmp_path, recipe=recipe), Control())
    assert 0 < result.steps < 13  # before the first look
    assert sum(result.holdout_after) < sum(result.holdout_before)


def test_time_is_left_for_the_look_at_the_end(
    base: Base, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(jobs.time, "perf_counter", lambda: clock[0])
    usual = base.look

    def look(parts: list[Part]) -> list[Losses]:
        clock[0] += 3.0 if len(parts[0].examples) == 2 else 0.0  # those held out
        return usual(parts)

    monkeypatch.setattr(base, "look", look)

    def on_step(descent: Descent) -> None:
        clock[0] += 1.0

    recipe = Recipe(learning_rate=1e-4, steps=17, min_loss=0.0)
    run_job(base, job(tmp_path, recipe=recipe), Control(soft_s=9.5, on_step=on_step))
    assert clock[0] <= 9.5


def test_a_cancelled_job_says_so(base: Base, job: Job, tmp_path: Path) -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(TrainerError, match="cancelled"):
        run_job(base, job(tmp_path), Control(cancelled))


def test_a_job_cancelled_after_its_last_step_writes_nothing(
    base: Base, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = threading.Event()

    usual = base.look

    def look(parts: list[Part]) -> list[Losses]:
        if len(parts[0].examples) == 16:  # the loss after the last step
            cancelled.set()
        return usual(parts)

    monkeypatch.setattr(base, "look", look)
    with pytest.raises(TrainerError, match="cancelled"):
        run_job(base, job(tmp_path, recipe=Recipe(steps=1)), Control(cancelled))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_its_owner_deleted_is_not_made_again(
    base: Base, job: Job, tmp_path: Path
) -> None:
    folder = tmp_path / "lease"
    work = job(folder, recipe=Recipe(steps=1))
    control = Control(on_step=lambda descent: folder.rmdir())
    with pytest.raises(TrainerError, match="cannot be written"):
        run_job(base, work, control)
    assert not folder.exists()


def test_many_small_passes_give_the_loss_of_one(
    base: Base, examples: list[TrainingExample]
) -> None:
    found = []
    for most_tokens in (10_000, 64):
        adapter = adapter_io.fresh(base, 4, seed=1)
        (losses,) = answer(base, [Ask(adapter, examples, learns=True)], most_tokens)
        found.append((mean(losses), float(adapter.master.grad.norm())))
    assert found[1] == pytest.approx(found[0], rel=2e-2)


def test_every_epoch_shows_every_example_once(examples: list[TrainingExample]) -> None:
    groups = batches(examples, Recipe(batch_size=6, seed=3))
    for _ in range(2):
        epoch = [example for _ in range(3) for example in next(groups)]
        assert sorted(e.token_ids for e in epoch) == sorted(e.token_ids for e in examples)


@pytest.mark.parametrize("steps", [1, 2, 8, 16, 50])
def test_the_triangle_rises_to_the_rate_and_falls(steps: int) -> None:
    recipe = Recipe(steps=steps, learning_rate=1.0, schedule="triangle")
    rates = [learning_rate(recipe, step) for step in range(steps)]
    peak = rates.index(max(rates))
    assert max(rates) == 1.0
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert min(rates) > 0


def test_small_models_take_higher_rates() -> None:
    sizes = (None, 8_000_000_000, 1_500_000_000, 3_500_000)
    rates = [recipe_for(size).learning_rate for size in sizes]
    assert rates == sorted(rates)


@pytest.mark.parametrize(
    ("parameters", "records", "steps", "part"),
    [
        (8_000_000_000, 4000, 1000, 2),
        (None, 20, 48, 2),
        (135_000_000, 53, 96, 2),
        (3_500_000, 51, 192, 8),
    ],
)
def test_small_models_are_distilled_in_smaller_steps_and_more_of_them(
    parameters: int | None, records: int, steps: int, part: int
) -> None:
    recipe = distillation_recipe(parameters, records)
    assert recipe.steps == steps
    assert recipe.learning_rate == recipe_for(parameters).learning_rate / part


def test_the_holdout_of_a_parent_of_another_shape_is_refused(
    base: Base, job: Job, tmp_path: Path
) -> None:
    from adaptation.learning.training.fake import write_zeros

    (tmp_path / "fake").mkdir()
    write_zeros(tmp_path / "fake", 4)
    with pytest.raises((ValueError, RuntimeError)):
        run_job(base, job(tmp_path / "b", parent=str(tmp_path / "fake")), Control())


def test_nothing_is_trained_for_a_prompt_that_was_served_otherwise(
    base: Base, job: Job, tmp_path: Path
) -> None:
    asked = spoken(Message(role="user", content="lamp 3 5?"))
    ids = tuple(base.chat.encode(asked))
    whole = run_job(
        base, job(tmp_path, served=Served(conversation=asked, token_ids=ids)), Control()
    )
    assert whole.steps > 0
    other = Served(conversation=asked, token_ids=(*ids[:-1], 0))
    steps: list[int] = []
    control = Control(on_step=lambda descent: steps.append(descent.steps))
    with pytest.raises(TrainerError, match="does not render this prompt"):
        run_job(base, job(tmp_path / "b", served=other), control)
    assert not steps
    assert not list((tmp_path / "b").iterdir())
