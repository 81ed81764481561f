"""Jobs: each is held by one at a time, obeys its tenant, and outlives whoever worked on it."""

from __future__ import annotations

import pytest

from memory.errors import ConflictError, NotFoundError
from memory.memory import LongTermMemory
from memory.offline import jobs as jobs_module
from memory.offline.job import Job, JobKind, JobStatus, NewEvent, NewJob, Progress, Wish


def made(
    memory: LongTermMemory, tenant: str = "ann", kind: JobKind = JobKind.DISTILL, most: int = 10
) -> Job:
    return memory.jobs.create(NewJob(tenant=tenant, kind=kind, request={"n": 1}), most)


def claimed(memory: LongTermMemory, holder: str = "one") -> Job:
    found = memory.jobs.claim(holder)
    assert found is not None
    return found


def test_a_job_goes_its_way(memory: LongTermMemory) -> None:
    job = made(memory)
    assert (job.status, job.started_at) == (JobStatus.QUEUED, None)
    held = claimed(memory)
    assert (held.id, held.status, held.request) == (job.id, JobStatus.RUNNING, {"n": 1})
    memory.jobs.advance(job.id, "one", Progress(phase="train", done=1, total=4))
    memory.jobs.keep(job.id, "one", {"loss": 0.5})
    again = memory.jobs.hold(job.id, "one")
    assert again is not None
    assert (again.progress, again.result) == (
        Progress(phase="train", done=1, total=4),
        {"loss": 0.5},
    )
    done = memory.jobs.end(job.id, "one", JobStatus.SUCCEEDED, {"loss": 0.1})
    assert done is not None
    assert (done.status, done.result, done.error) == (JobStatus.SUCCEEDED, {"loss": 0.1}, None)
    assert done.ended_at is not None
    assert done.started_at is not None
    assert memory.jobs.get("ann", job.id) == done
    assert memory.jobs.claim("one") is None


def test_what_another_says_of_a_job_changes_nothing(memory: LongTermMemory) -> None:
    job = made(memory)
    held = claimed(memory)
    memory.jobs.advance(job.id, "other", Progress(phase="x", done=0, total=1))
    memory.jobs.keep(job.id, "other", {})
    memory.jobs.note(job.id, "other", [NewEvent(message="x")])
    memory.jobs.let_go(job.id, "other")
    assert memory.jobs.end(job.id, "other", JobStatus.FAILED) is None
    assert memory.jobs.hold(job.id, "other") is None
    assert memory.jobs.get("ann", job.id) == held
    assert memory.jobs.events("ann", job.id, 10) == []


def test_whoever_dies_is_followed_by_another(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = made(memory)
    monkeypatch.setattr(jobs_module, "HELD_S", -1.0)
    first = claimed(memory)
    monkeypatch.undo()
    second = claimed(memory, "two")
    assert (second.id, second.started_at) == (job.id, first.started_at)
    assert memory.jobs.hold(job.id, "one") is None
    assert memory.jobs.claim("three") is None


@pytest.mark.parametrize(
    ("wish", "status"), [(Wish.CANCEL, JobStatus.CANCELLED), (Wish.PAUSE, JobStatus.PAUSED)]
)
def test_a_wish_is_fulfilled_at_once_where_nobody_works(
    memory: LongTermMemory, wish: Wish, status: JobStatus
) -> None:
    job = made(memory)
    assert memory.jobs.ask("ann", job.id, wish).status is status
    assert memory.jobs.claim("one") is None


def test_whoever_follows_a_jobs_events_learns_where_it_stops_and_why(
    memory: LongTermMemory,
) -> None:
    job = made(memory)
    claimed(memory)
    memory.jobs.ask("ann", job.id, Wish.PAUSE)
    memory.jobs.let_go(job.id, "one")
    memory.jobs.ask("ann", job.id, Wish.RESUME)
    claimed(memory)
    memory.jobs.let_go(job.id, "one")
    claimed(memory)
    memory.jobs.end(job.id, "one", JobStatus.FAILED, error="line 3: not a JSON object")
    told = memory.jobs.events("ann", job.id, 10, oldest=True)
    assert [(event.level, event.message) for event in told] == [
        ("info", "The job is paused until it is resumed"),
        ("error", "line 3: not a JSON object"),
    ]


def test_whoever_works_is_told_what_is_wanted(memory: LongTermMemory) -> None:
    job = made(memory)
    claimed(memory)
    assert memory.jobs.ask("ann", job.id, Wish.PAUSE).status is JobStatus.RUNNING
    held = memory.jobs.hold(job.id, "one")
    assert held is not None
    assert held.wanted is Wish.PAUSE
    memory.jobs.let_go(job.id, "one")
    paused = memory.jobs.get("ann", job.id)
    assert (paused.status, paused.wanted) == (JobStatus.PAUSED, None)
    assert memory.jobs.claim("one") is None
    assert memory.jobs.ask("ann", job.id, Wish.RESUME).status is JobStatus.QUEUED
    assert claimed(memory).id == job.id


def test_a_pause_can_be_taken_back_but_a_cancellation_cannot(memory: LongTermMemory) -> None:
    job = made(memory)
    claimed(memory)
    memory.jobs.ask("ann", job.id, Wish.PAUSE)
    assert memory.jobs.ask("ann", job.id, Wish.RESUME).wanted is None
    memory.jobs.ask("ann", job.id, Wish.CANCEL)
    assert memory.jobs.ask("ann", job.id, Wish.PAUSE).wanted is Wish.CANCEL
    with pytest.raises(ConflictError):
        memory.jobs.ask("ann", job.id, Wish.RESUME)


def test_a_job_that_is_let_go_waits_for_anybody(memory: LongTermMemory) -> None:
    job = made(memory)
    claimed(memory)
    memory.jobs.let_go(job.id, "one")
    assert claimed(memory, "two").id == job.id


def test_a_job_that_is_let_go_is_cancelled_where_that_is_wanted(memory: LongTermMemory) -> None:
    job = made(memory)
    claimed(memory)
    memory.jobs.ask("ann", job.id, Wish.CANCEL)
    left = memory.jobs.let_go(job.id, "one")
    assert left is not None
    assert (left.status, left.wanted) == (JobStatus.CANCELLED, None)
    assert left.ended_at is not None
    assert memory.jobs.claim("two") is None


def test_an_ended_job_cannot_be_changed(memory: LongTermMemory) -> None:
    job = made(memory)
    claimed(memory)
    memory.jobs.end(job.id, "one", JobStatus.FAILED, error="no records")
    for wish in Wish:
        with pytest.raises(ConflictError, match="failed"):
            memory.jobs.ask("ann", job.id, wish)
    assert memory.jobs.get("ann", job.id).error == "no records"


def test_tenants_take_turns(memory: LongTermMemory) -> None:
    for _ in range(3):
        made(memory)
    made(memory, "bob")
    order = []
    for _ in range(4):
        job = claimed(memory)
        order.append(job.tenant)
        memory.jobs.end(job.id, "one", JobStatus.SUCCEEDED)
    assert order == ["ann", "bob", "ann", "ann"]


def test_only_the_kinds_asked_for_are_claimed_and_listed(memory: LongTermMemory) -> None:
    tune, distill = made(memory, kind=JobKind.TUNE), made(memory)
    found = memory.jobs.claim("one", [JobKind.DISTILL])
    assert found is not None
    assert found.id == distill.id
    assert [job.id for job in memory.jobs.list("ann", 10, kinds=[JobKind.TUNE])] == [tune.id]


def test_one_job_can_be_taken_whoever_waits(memory: LongTermMemory) -> None:
    made(memory)
    mine = made(memory)
    assert memory.jobs.take("ann", mine.id, "one").status is JobStatus.RUNNING
    with pytest.raises(ConflictError):
        memory.jobs.take("ann", mine.id, "two")
    resting = made(memory)
    memory.jobs.ask("ann", resting.id, Wish.PAUSE)
    with pytest.raises(ConflictError, match="is paused"):
        memory.jobs.take("ann", resting.id, "one")


def test_events_come_newest_first_or_oldest_first(memory: LongTermMemory) -> None:
    job = made(memory)
    claimed(memory)
    words = ["a", "b", "c"]
    memory.jobs.note(job.id, "one", [NewEvent(message=word) for word in words])
    metrics = NewEvent(message="step 1", type="metrics", data={"loss": 0.5})
    memory.jobs.note(job.id, "one", [metrics])
    newest = memory.jobs.events("ann", job.id, 2)
    assert [event.message for event in newest] == ["step 1", "c"]
    assert newest[0].data == {"loss": 0.5}
    rest = memory.jobs.events("ann", job.id, 10, after=newest[-1].id)
    assert [event.message for event in rest] == ["b", "a"]
    oldest = memory.jobs.events("ann", job.id, 10, after=rest[-1].id, oldest=True)
    assert [event.message for event in oldest] == ["b", "c", "step 1"]


def test_nothing_of_another_tenant_is_found(memory: LongTermMemory) -> None:
    job = made(memory)
    for look in (
        lambda: memory.jobs.get("bob", job.id),
        lambda: memory.jobs.ask("bob", job.id, Wish.CANCEL),
        lambda: memory.jobs.events("bob", job.id, 10),
        lambda: memory.jobs.take("bob", job.id, "one"),
        lambda: memory.jobs.list("bob", 10, after=job.id),
    ):
        with pytest.raises(NotFoundError):
            look()
    assert memory.jobs.list("bob", 10) == []


def test_a_tenant_has_so_many_jobs_at_a_time(memory: LongTermMemory) -> None:
    made(memory, most=1)
    with pytest.raises(ConflictError, match="1 jobs are not done"):
        made(memory, most=1)
    made(memory, "bob", most=1)


def test_pages_follow_each_other(memory: LongTermMemory) -> None:
    ids = [made(memory).id for _ in range(5)][::-1]
    page = memory.jobs.list("ann", 2)
    assert [job.id for job in page] == ids[:2]
    assert [job.id for job in memory.jobs.list("ann", 9, after=page[-1].id)] == ids[2:]


def test_what_ended_long_ago_is_forgotten_with_its_events(memory: LongTermMemory) -> None:
    job, other = made(memory), made(memory)
    claimed(memory)
    memory.jobs.note(job.id, "one", [NewEvent(message="x")])
    done = memory.jobs.end(job.id, "one", JobStatus.SUCCEEDED)
    assert done is not None
    assert done.ended_at is not None
    assert memory.jobs.drop_ended(done.ended_at) == []
    assert memory.jobs.drop_ended(done.ended_at + 1) == [job.id]
    assert [each.id for each in memory.jobs.list("ann", 10)] == [other.id]


def test_what_no_database_takes_is_kept_as_what_it_takes(memory: LongTermMemory) -> None:
    job = made(memory)
    claimed(memory)
    memory.jobs.keep(job.id, "one", {"said": "half \ud800 and \0", "loss": float("nan")})
    memory.jobs.note(job.id, "one", [NewEvent(message="\udfff\0", data={"loss": float("inf")})])
    failed = memory.jobs.end(job.id, "one", JobStatus.FAILED, error="half \ud800 and \0")
    assert failed is not None
    assert failed.result == {"said": "half ? and \0", "loss": None}
    assert failed.error == "half ? and \0"
    why, event = memory.jobs.events("ann", job.id, 10)
    assert why.message == failed.error
    assert (event.message, event.data) == ("?\0", {"loss": None})


def test_how_often_a_job_was_killed_is_in_its_row(memory: LongTermMemory) -> None:
    job = made(memory)
    claimed(memory)
    assert memory.jobs.killed(job.id, "other") == 0
    assert memory.jobs.killed(job.id, "one") == 1
    memory.jobs.let_go(job.id, "one")
    claimed(memory, "two")
    assert memory.jobs.killed(job.id, "two") == 2
