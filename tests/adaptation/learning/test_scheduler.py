"""Several jobs at once: who joins, who leaves, and that nobody touches another."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from adaptation.conversation import spoken
from adaptation.errors import TrainerError
from adaptation.learning.service import job as one_job
from adaptation.learning.service.base import Base
from adaptation.learning.service.job import Control
from adaptation.learning.service.packing import Part
from adaptation.learning.service.scheduler import Room
from adaptation.learning.training.adapter_files import WEIGHTS
from adaptation.learning.training.chat import Template
from adaptation.learning.training.trainer import Recipe, TrainingJob, TrainingResult
from memory.types import Message
from tests.adaptation.learning.running import End, run_job, run_jobs

Job = Callable[..., TrainingJob]
PLENTY = Room(100_000, 100)


@pytest.fixture(scope="module")
def base(tiny_model: Path) -> Base:
    torch.set_num_threads(1)
    return Base.load(str(tiny_model), Template(), "cpu")


def taught(number: int) -> tuple[object, ...]:
    """Conversations of another content and length for every job."""
    return tuple(
        spoken(
            Message(role="user", content=f"lamp {number} {i}?" * (1 + number % 3)),
            Message(role="assistant", content=f"it is {number * i}"),
        )
        for i in range(3 + number % 4)
    )


def different_jobs(job: Job, folder: Path, count: int) -> list[tuple[TrainingJob, Control]]:
    """Jobs of different ranks, rates, lengths and schedules."""
    folder.mkdir(exist_ok=True)
    return [
        (
            job(
                folder / str(number),
                conversations=taught(number),
                recipe=Recipe(
                    rank=1 + number % 5,
                    steps=2 + number % 6,
                    learning_rate=1e-2 / (1 + number % 2),
                    schedule=("constant", "triangle")[number % 2],
                    min_loss=0.0,
                    seed=number,
                ),
            ),
            Control(),
        )
        for number in range(count)
    ]


def weights(end: End) -> dict[str, torch.Tensor]:
    assert isinstance(end, TrainingResult), end
    return load_file(Path(end.path) / WEIGHTS)


def same(one: End, other: End) -> bool:
    """To the last bit."""
    assert isinstance(one, TrainingResult)
    assert isinstance(other, TrainingResult)
    mine, theirs = weights(one), weights(other)
    told = [(r.losses, r.steps, r.holdout_before, r.holdout_after) for r in (one, other)]
    return told[0] == told[1] and all(torch.equal(mine[key], theirs[key]) for key in mine)


@pytest.mark.parametrize("room", [PLENTY, Room(200, 3)])
def test_jobs_together_come_to_what_each_comes_to_alone(
    base: Base, job: Job, tmp_path: Path, room: Room
) -> None:
    together = run_jobs(base, different_jobs(job, tmp_path / "a", 7), room)
    alone = [run_job(base, *each) for each in different_jobs(job, tmp_path / "b", 7)]
    assert all(same(one, other) for one, other in zip(together, alone, strict=True))


def test_a_job_that_is_not_a_number_leaves_fifteen_others_as_they_are_to_the_last_bit(
    base: Base, job: Job, tmp_path: Path
) -> None:
    healthy = run_jobs(base, different_jobs(job, tmp_path / "a", 16), PLENTY)
    sick = different_jobs(job, tmp_path / "b", 16)
    parent = tmp_path / "parent"
    parent.mkdir()
    spoil(Path(healthy[9].path), parent)  # type: ignore[union-attr]
    sick[9] = (sick[9][0].model_copy(update={"parent": str(parent)}), Control())
    ends = run_jobs(base, sick, PLENTY)
    assert isinstance(ends[9], TrainerError)
    assert "diverged" in str(ends[9])
    others = [number for number in range(16) if number != 9]
    assert all(same(healthy[number], ends[number]) for number in others)


def spoil(adapter: Path, to: Path) -> None:
    """Copy an adapter with one number in it that is none."""
    from safetensors.torch import save_file

    tensors = load_file(adapter / WEIGHTS)
    tensors[min(tensors)][0, 0] = math.nan
    save_file(tensors, to / WEIGHTS, metadata={"format": "pt"})
    (to / "adapter_config.json").write_bytes((adapter / "adapter_config.json").read_bytes())


def test_what_breaks_a_step_breaks_the_job_whose_fault_it_is(
    base: Base, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = [run_job(base, *each) for each in different_jobs(job, tmp_path / "a", 4)]
    usual, passes = base.learn, []

    def learn(parts: list[Part]) -> list[tuple[torch.Tensor, ...]]:
        passes.append(len(parts))
        if len(passes) > 2 and any(part.adapter.rank == 3 for part in parts):
            raise RuntimeError("no memory for rank 3")
        return usual(parts)

    monkeypatch.setattr(base, "learn", learn)
    ends = run_jobs(base, different_jobs(job, tmp_path / "b", 4), PLENTY)
    assert "rank 3" in str(ends[2])
    assert passes[0] == 4
    assert all(same(alone[number], ends[number]) for number in (0, 1, 3))


@pytest.mark.parametrize("is_short_for_good", [False, True])
def test_where_memory_runs_out_no_job_but_the_greedy_one_ends(
    base: Base, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_short_for_good: bool
) -> None:
    """All at once may be too many where each alone is not: then nobody is refused."""
    alone = [run_job(base, *each) for each in different_jobs(job, tmp_path / "a", 4)]
    usual, freed = base.learn, []

    def learn(parts: list[Part]) -> list[tuple[torch.Tensor, ...]]:
        is_greedy = any(part.adapter.rank == 3 for part in parts)
        if len(parts) > 1 or (is_short_for_good and is_greedy):
            raise torch.OutOfMemoryError("no memory for rank 3")
        return usual(parts)

    monkeypatch.setattr(base, "learn", learn)
    monkeypatch.setattr(base, "free_memory", lambda: freed.append(True))
    ends = run_jobs(base, different_jobs(job, tmp_path / "b", 4), PLENTY)
    fine = (0, 1, 3) if is_short_for_good else range(4)
    assert all(same(alone[number], ends[number]) for number in fine)
    assert isinstance(ends[2], torch.OutOfMemoryError) is is_short_for_good
    assert freed


def test_a_broken_accelerator_ends_all(
    base: Base, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of its memory can be trusted: the process ends, and another one is started."""

    def learn(parts: list[Part]) -> list[tuple[torch.Tensor, ...]]:
        raise torch.AcceleratorError("an illegal memory access was encountered")

    monkeypatch.setattr(base, "learn", learn)
    with pytest.raises(torch.AcceleratorError):
        run_jobs(base, different_jobs(job, tmp_path, 2), PLENTY)


def test_jobs_join_and_leave_between_steps_in_the_order_they_came(
    base: Base, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, ranks = base.learn, []

    def learn(parts: list[Part]) -> list[tuple[torch.Tensor, ...]]:
        ranks.append([part.adapter.rank for part in parts])
        return usual(parts)

    monkeypatch.setattr(base, "learn", learn)
    jobs = [
        (
            job(tmp_path / str(n), holdout=(), recipe=Recipe(rank=n, steps=n, min_loss=0.0)),
            Control(),
        )
        for n in (2, 1, 3)
    ]
    run_jobs(base, jobs, Room(100_000, 2))
    # Who has taken its last step is looked at once more, and leaves after that.
    assert ranks == [[2, 1], [2], [3], [3], [3]]


def test_a_job_is_cancelled_wherever_it_is_and_the_others_go_on(
    base: Base, job: Job, tmp_path: Path
) -> None:
    events = [threading.Event() for _ in range(3)]
    jobs = [
        (job(tmp_path / str(n), recipe=Recipe(steps=6, min_loss=0.0)), Control(event))
        for n, event in enumerate(events)
    ]

    def cancel(step: int) -> None:
        if step == 3:
            events[0].set()  # in training
            events[2].set()  # waiting

    ends = run_jobs(base, jobs, Room(100_000, 2), cancel)
    assert [str(ends[n]) for n in (0, 2)] == ["the job was cancelled"] * 2
    assert isinstance(ends[1], TrainingResult)
    assert ends[1].steps == 6
    assert not list((tmp_path / "0").iterdir())


def test_who_waits_until_the_time_is_up_is_told_so_and_who_trains_keeps_what_it_has(
    base: Base, job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(one_job.time, "perf_counter", lambda: clock[0])

    def pass_time(step: int) -> None:
        clock[0] += 1.0

    long = Recipe(steps=20, min_loss=0.0)
    jobs = [
        (job(tmp_path / str(n), holdout=(), recipe=long), Control(soft_s=soft_s))
        for n, soft_s in enumerate((9.5, 4.5))
    ]
    first, second = run_jobs(base, jobs, Room(100_000, 1), pass_time)
    assert isinstance(first, TrainingResult)
    assert 0 < first.steps < 20
    assert "busy" in str(second)


def test_a_job_larger_than_a_pass_trains_alone_and_is_not_starved(
    base: Base, job: Job, tmp_path: Path
) -> None:
    small = [(job(tmp_path / str(n), conversations=taught(n)), Control()) for n in range(2)]
    large = (job(tmp_path / "large"), Control())
    ends = run_jobs(base, [small[0], large, small[1]], Room(150, 10))
    assert all(isinstance(end, TrainingResult) for end in ends)
