"""Evaluations and runs: one holder at a time, nothing twice, nothing of another tenant."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from memory.errors import ConflictError, NotFoundError
from memory.memory import LongTermMemory
from memory.offline import eval_runs as eval_runs_module
from memory.offline.evaluation import (
    EvalRun,
    Evaluation,
    EvaluationDetails,
    ModelUsage,
    NewEvaluation,
    NewOutput,
    NewRun,
    Outcomes,
    RunDetails,
    RunStatus,
    RunSummary,
)

CRITERION = {"type": "string_check", "name": "equal"}


def made(memory: LongTermMemory, tenant: str = "ann", most: int = 10) -> Evaluation:
    details = EvaluationDetails(source={"type": "custom"}, criteria=[CRITERION])
    return memory.evals.create(NewEvaluation(tenant=tenant, name="sums", details=details), most)


def run_of(memory: LongTermMemory, found: Evaluation, most_open: int = 9, most: int = 9) -> EvalRun:
    details = RunDetails(source={"type": "jsonl"}, criteria=[CRITERION])
    new = NewRun(tenant=found.tenant, eval_id=found.id, name="", model="m", details=details)
    return memory.eval_runs.create(new, most_open, most)


def claimed(memory: LongTermMemory, holder: str = "one") -> EvalRun:
    found = memory.eval_runs.claim(holder)
    assert found is not None
    return found


def output(line: int, *, passed: bool = True) -> NewOutput:
    return NewOutput(
        line=line,
        status="pass" if passed else "fail",
        content={"results": [{"passed": passed}]},
        met={"equal": passed},
        usage={"m": ModelUsage(invocation_count=1, prompt_tokens=3)},
    )


def test_a_run_goes_its_way_and_its_outputs_add_up(memory: LongTermMemory) -> None:
    found = made(memory)
    run = run_of(memory, found)
    assert (run.status, run.summary) == (RunStatus.QUEUED, RunSummary())
    assert claimed(memory).status is RunStatus.IN_PROGRESS
    memory.eval_runs.begin(run.id, "one", 3)
    memory.eval_runs.note(run.id, "one", [output(2), output(1, passed=False)])
    memory.eval_runs.note(run.id, "one", [output(2, passed=False), output(3)])
    memory.eval_runs.note(run.id, "other", [output(4)])
    assert memory.eval_runs.done(run.id) == {1, 2, 3}
    memory.eval_runs.end(run.id, "one", RunStatus.COMPLETED)
    done = memory.eval_runs.get("ann", found.id, run.id)
    assert (done.status, done.total) == (RunStatus.COMPLETED, 3)
    assert done.summary == RunSummary(
        passed=2,
        failed=1,
        criteria={"equal": Outcomes(passed=2, failed=1)},
        usage={"m": ModelUsage(invocation_count=3, prompt_tokens=9)},
    )
    kept = memory.eval_runs.outputs("ann", found.id, run.id, 10)
    assert [(each.line, each.status) for each in kept] == [(1, "fail"), (2, "pass"), (3, "pass")]
    after = memory.eval_runs.outputs("ann", found.id, run.id, 10, kept[1].id, newest_first=True)
    assert after == kept[:1]
    assert memory.eval_runs.output("ann", found.id, run.id, kept[2].id) == kept[2]
    assert memory.eval_runs.claim("one") is None


def test_a_run_is_one_holders_until_it_falls_silent(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(memory, made(memory))
    claimed(memory)
    assert memory.eval_runs.claim("two") is None
    assert not memory.eval_runs.hold(run.id, "two")
    assert memory.eval_runs.hold(run.id, "one")
    monkeypatch.setattr(eval_runs_module, "HELD_S", -1.0)
    memory.eval_runs.hold(run.id, "one")
    assert claimed(memory, "two").id == run.id
    assert not memory.eval_runs.hold(run.id, "one")
    memory.eval_runs.let_go("two")
    assert claimed(memory, "three").id == run.id


def test_of_each_tenant_one_run_is_worked_on(memory: LongTermMemory) -> None:
    ann, bob = made(memory), made(memory, "bob")
    first, _, third = run_of(memory, ann), run_of(memory, ann), run_of(memory, bob)
    assert claimed(memory).id == first.id
    other = memory.eval_runs.claim("one", ["ann"])
    assert other is not None
    assert other.id == third.id
    assert memory.eval_runs.claim("two") is None


def test_a_canceled_run_takes_nothing_more(memory: LongTermMemory) -> None:
    found = made(memory)
    run = run_of(memory, found)
    claimed(memory)
    canceled = memory.eval_runs.cancel("ann", found.id, run.id)
    assert canceled.status is RunStatus.CANCELED
    memory.eval_runs.note(run.id, "one", [output(1)])
    memory.eval_runs.end(run.id, "one", RunStatus.COMPLETED)
    assert memory.eval_runs.get("ann", found.id, run.id) == canceled
    assert not memory.eval_runs.hold(run.id, "one")
    with pytest.raises(ConflictError):
        memory.eval_runs.cancel("ann", found.id, run.id)


def test_there_are_bounds(memory: LongTermMemory) -> None:
    found = made(memory)
    with pytest.raises(ConflictError, match="1 evals"):
        made(memory, most=1)
    run = run_of(memory, found)
    with pytest.raises(ConflictError, match="not done"):
        run_of(memory, found, most_open=1)
    memory.eval_runs.cancel("ann", found.id, run.id)
    with pytest.raises(ConflictError, match="1 runs"):
        run_of(memory, found, most=1)


def test_an_eval_goes_with_its_runs_and_is_nobody_elses(memory: LongTermMemory) -> None:
    found = made(memory)
    run = run_of(memory, found)
    claimed(memory)
    memory.eval_runs.note(run.id, "one", [output(1)])
    for asked in (
        lambda: memory.evals.get("bob", found.id),
        lambda: memory.evals.change("bob", found.id, {"name": "x"}),
        lambda: memory.evals.delete("bob", found.id),
        lambda: memory.eval_runs.get("bob", found.id, run.id),
        lambda: memory.eval_runs.cancel("bob", found.id, run.id),
        lambda: memory.eval_runs.delete("bob", found.id, run.id),
        lambda: memory.eval_runs.outputs("bob", found.id, run.id, 5),
        lambda: memory.eval_runs.list("bob", found.id, 5),
    ):
        with pytest.raises(NotFoundError):
            asked()
    memory.evals.delete("ann", found.id)
    assert memory.evals.list("ann", 5) == []
    assert memory.eval_runs.done(run.id) == set()
    assert not memory.eval_runs.hold(run.id, "one")


def test_evaluations_are_in_a_backup(memory: LongTermMemory, tmp_path: Path) -> None:
    found = made(memory)
    run = run_of(memory, found)
    claimed(memory)
    memory.eval_runs.note(run.id, "one", [output(1)])
    memory._database.copy_to(tmp_path / "copy.db")
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        kept = "SELECT e.id, r.id, o.line FROM evaluation e JOIN eval_run r ON r.eval_id = e.id"
        rows = copy.execute(f"{kept} JOIN eval_output o ON o.run_id = r.id").fetchall()
    assert rows == [(found.id, run.id, 1)]
