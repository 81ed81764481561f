"""What `make bench-ttt` measures is real work: both trainers learn, and the figures are theirs."""

from __future__ import annotations

import pytest

from adaptation.learning.training.trainer import TrainingJob
from adaptation.pebble import model_path
from loadtests import bench_ttt
from loadtests.bench_ttt import _job
from loadtests.sound.builds import THIS
from loadtests.ttt.workers import ORDINARY, TRAINER, Worker, WorkerFailedError, at_work

STEPS = 3


def jobs_for(worker: Worker) -> list[TrainingJob]:
    """Two small ones."""
    whole = [_job(worker, seed, steps=STEPS) for seed in (1, 2)]
    return [job.model_copy(update={"conversations": job.conversations[:2]}) for job in whole]


@pytest.mark.parametrize("script", [TRAINER, ORDINARY])
def test_a_worker_trains_what_it_is_given_and_says_what_that_took(script: str) -> None:
    with at_work(script, THIS, model_path(), 1) as worker:
        took = worker.train(jobs_for(worker))
        again = worker.train(jobs_for(worker))
    assert took["cpu_s"] > 0
    assert len(took["last_losses"]) == 2
    assert again["last_losses"] == pytest.approx(took["last_losses"], rel=0.3)
    if script == TRAINER:
        assert took["steps"] == [STEPS, STEPS]
        assert took["flops"] > 0


def test_the_trainer_and_the_ordinary_loop_come_to_about_the_same_loss() -> None:
    found = []
    for script in (TRAINER, ORDINARY):
        with at_work(script, THIS, model_path(), 1) as worker:
            constant = {"schedule": "constant", "learning_rate": 1e-3}
            jobs = [
                job.model_copy(update={"recipe": job.recipe.model_copy(update=constant)})
                for job in jobs_for(worker)
            ]
            found.append(worker.train(jobs)["last_losses"])
    assert found[0] == pytest.approx(found[1], rel=0.5)
    assert max(found[0]) < 0.5


def test_a_worker_that_cannot_start_says_why(tmp_path: object) -> None:
    with (
        pytest.raises(WorkerFailedError, match=r"no folder|not a valid|nowhere"),
        at_work(TRAINER, THIS, model_path() / "nowhere", 1),
    ):
        pass


def test_the_real_part_needs_a_model() -> None:
    with pytest.raises(SystemExit):
        bench_ttt.main(["--only", "real"])
