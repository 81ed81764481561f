"""The adapter registry: files, aliases and lineage."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from memory.embedding.hashing import HashingEmbedder
from memory.errors import ConflictError, InvalidAdapterError, NotFoundError
from memory.memory import LongTermMemory
from memory.offline.job import JobKind, JobStatus, NewEvent, NewJob
from memory.types import AdapterVersion, Draft, Message, Tier
from memory.versions.adapter_files import CONFIG, WEIGHTS
from memory.versions.adapters import NewVersion
from memory.versions.retirement import UNSAID
from tests.memory.adapters_made import write_adapter

Register = Callable[..., AdapterVersion]


@pytest.fixture
def register(memory: LongTermMemory, tmp_path: Path) -> Register:
    def build(value: float, tenant: str = "ann", **fields: object) -> AdapterVersion:
        folder = write_adapter(tmp_path / f"trained-{value}", value)
        given = {"rank": 2, "metrics": {"loss": value}, "record_ids": ["rec_1"]}
        return memory.adapters.register(
            folder, NewVersion(tenant=tenant, base_model="pebble", **given | fields)
        )

    return build


def test_a_registered_adapter_is_a_complete_copy_and_the_candidate(
    memory: LongTermMemory, register: Register
) -> None:
    version = register(1.0)
    assert version.id.startswith("ad_")
    assert len(version.id) == 15
    assert sorted(path.name for path in Path(version.path).iterdir()) == [CONFIG, WEIGHTS]
    assert memory.adapters.alias("ann", "candidate") == version
    assert memory.adapters.files_ok(version)
    assert memory.adapters.revoked_by("rec_1") == [version]
    assert register(1.0) == version
    assert register(1.0, tenant="bob").id != version.id
    assert len(memory.adapters.list("ann")) == 1


def test_promotion_and_rollback_move_the_champion(
    memory: LongTermMemory, register: Register
) -> None:
    registry = memory.adapters
    first, second = register(1.0), register(2.0)
    registry.promote("ann", first.id)
    registry.promote("ann", second.id)
    registry.promote("ann", second.id)
    assert registry.alias("ann", "champion") == second
    assert registry.alias("ann", "previous") == first
    assert registry.alias("ann", "candidate") is None
    assert registry.rollback("ann") == first
    assert registry.alias("ann", "champion") == first
    with pytest.raises(ConflictError):
        registry.rollback("ann")
    registry.reset("ann")
    assert registry.alias("ann", "champion") is None
    assert registry.rollback("ann") == first


def test_a_promotion_cut_short_leaves_the_old_champion(
    memory: LongTermMemory, register: Register, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = register(1.0), register(2.0)
    memory.adapters.promote("ann", first.id)
    from memory.versions import adapter_moves

    real = adapter_moves.point

    def stops_at_champion(connection: object, tenant: str, name: str, value: str) -> None:
        if name == "champion":
            raise KeyboardInterrupt
        real(connection, tenant, name, value)

    monkeypatch.setattr(adapter_moves, "point", stops_at_champion)
    with pytest.raises(KeyboardInterrupt):
        memory.adapters.promote("ann", second.id)
    assert memory.adapters.alias("ann", "champion") == first
    assert memory.adapters.alias("ann", "previous") is None


def test_a_rejected_or_damaged_version_is_never_promoted(
    memory: LongTermMemory, register: Register
) -> None:
    rejected, damaged = register(1.0), register(2.0)
    memory.adapters.record_reject("ann", rejected.id, "worse than its parent")
    assert memory.adapters.show("ann", rejected.id).rejected == "worse than its parent"
    (Path(damaged.path) / WEIGHTS).write_bytes(b"")
    assert not memory.adapters.files_ok(damaged)
    for version in (rejected, damaged):
        with pytest.raises(ConflictError):
            memory.adapters.promote("ann", version.id)
    assert memory.adapters.files_ok(register(2.0))


def test_the_champion_cannot_be_rejected(memory: LongTermMemory, register: Register) -> None:
    version = register(1.0)
    memory.adapters.promote("ann", version.id)
    with pytest.raises(ConflictError, match="roll back"):
        memory.adapters.record_reject("ann", version.id, "late doubts")


def test_what_was_refused_or_retired_keeps_its_first_reason(
    memory: LongTermMemory, register: Register
) -> None:
    refused, retired = register(1.0), register(2.0)
    memory.adapters.record_reject("ann", refused.id, "worse than its parent")
    memory.adapters.retire("ann", [retired.id], "a test")
    before = [memory.releases.of("ann", each.id) for each in (refused, retired)]
    assert memory.adapters.record_reject("ann", refused.id).rejected == "worse than its parent"
    assert memory.adapters.record_reject("ann", retired.id).rejected is None
    assert [memory.releases.of("ann", each.id) for each in (refused, retired)] == before
    with pytest.raises(NotFoundError):
        memory.adapters.record_reject("bob", refused.id)


def test_another_tenant_can_neither_see_nor_promote(
    memory: LongTermMemory, register: Register
) -> None:
    version = register(1.0)
    assert memory.adapters.list("bob") == []
    with pytest.raises(NotFoundError):
        memory.adapters.promote("bob", version.id)
    with pytest.raises(NotFoundError):
        register(2.0, tenant="bob", parent=version.id)


def test_what_is_no_lora_is_refused(
    memory: LongTermMemory, register: Register, tmp_path: Path
) -> None:
    def refuse(folder: Path) -> None:
        with pytest.raises(InvalidAdapterError):
            memory.adapters.register(folder, NewVersion(tenant="ann", base_model="m", rank=2))

    refuse(tmp_path / "nowhere")
    hostile = write_adapter(tmp_path / "hostile")
    (hostile / WEIGHTS).write_bytes(b"\xff" * 64)
    refuse(hostile)
    linked = write_adapter(tmp_path / "linked")
    (linked / CONFIG).unlink()
    (linked / CONFIG).symlink_to("/etc/hostname")
    refuse(linked)
    with pytest.raises(InvalidAdapterError, match="rank"):
        register(1.0, rank=8)
    assert memory.adapters.list("ann") == []


@pytest.mark.sqlite
def test_versions_and_aliases_outlive_a_restart_and_a_move(
    tmp_path: Path, embedder: HashingEmbedder
) -> None:
    memory = LongTermMemory.open(tmp_path / "old", embedder)
    folder = write_adapter(tmp_path / "trained")
    version = memory.adapters.register(folder, NewVersion(tenant="ann", base_model="m", rank=2))
    memory.adapters.promote("ann", version.id)
    memory.close()
    (tmp_path / "old").rename(tmp_path / "new")
    memory = LongTermMemory.open(tmp_path / "new", embedder)
    champion = memory.adapters.alias("ann", "champion")
    assert champion is not None
    assert champion.path == str(tmp_path / "new" / "adapters" / version.id)
    assert memory.adapters.files_ok(champion)
    memory.close()


def test_what_continues_a_version_has_learned_from_the_same_records(
    memory: LongTermMemory, register: Register
) -> None:
    first = register(1.0)
    second = register(2.0, record_ids=["rec_2"], parent=first.id)
    third = register(3.0, record_ids=[], parent=second.id)
    other = register(4.0, record_ids=["rec_2"])
    assert memory.adapters.revoked_by("rec_1") == [first, second, third]
    assert {each.id for each in memory.adapters.revoked_by("rec_2")} == {
        second.id,
        third.id,
        other.id,
    }


def test_a_retired_champion_leaves_its_place_to_the_newest_that_may_be_served(
    memory: LongTermMemory, register: Register
) -> None:
    oldest, newer, damaged = register(1.0), register(2.0), register(3.0)
    rejected = register(4.0)
    memory.adapters.record_reject("ann", rejected.id, "worse")
    register(5.0, metrics={"decision": "rejected"})
    memory.adapters.register(
        write_adapter(Path(oldest.path).parent.parent / "other", 6.0),
        NewVersion(tenant="ann", base_model="another", rank=2),
    )
    champion = register(7.0)
    memory.adapters.promote("ann", champion.id)
    (Path(damaged.path) / WEIGHTS).write_bytes(b"damaged")
    memory.adapters.retire("ann", [champion.id], "a test")
    served = memory.adapters.alias("ann", "champion")
    assert served is not None
    assert served.id == newer.id
    assert memory.adapters.alias("ann", "candidate") is None
    memory.adapters.retire("ann", [newer.id, oldest.id], "a test")
    assert memory.adapters.alias("ann", "champion") is None
    assert not Path(champion.path).exists()
    memory.adapters.retire("ann", [champion.id], "again")
    retired = memory.adapters.show("ann", champion.id).retired
    assert retired is not None
    assert retired.reason == "a test"
    with pytest.raises(ConflictError, match="is retired: a test"):
        memory.adapters.promote("ann", champion.id)
    with pytest.raises(NotFoundError):
        memory.adapters.retire("bob", [damaged.id], "not mine")


def test_what_is_told_of_a_retired_version_keeps_figures_only(
    memory: LongTermMemory, register: Register
) -> None:
    """What a question is in other words is not found by the question."""
    said = "How many has zanzibar?"
    told = {
        "reasons": [f"near guards were lost: 1 of 3, such as {said}"],
        "near_guards": {"known": 3, "lost": [said], "families": {"announced": [1, 3]}},
        "doubts": [{"record_id": "rec_1", "reason": said, "near": []}],
        "tasks": {said: 2},
        "objections": [said],
        "helped": 4,
    }
    version, other = register(1.0, metrics=told), register(2.0, metrics={"reasons": ["it fell"]})
    jobs = {}
    for each in (version, other):
        job = memory.jobs.create(NewJob(tenant="ann", kind=JobKind.DISTILL, request={}), 10)
        memory.jobs.take("ann", job.id, "w")
        memory.jobs.note(job.id, "w", [NewEvent(message=f"lost: {said} {each.number}")])
        result = {**each.metrics, "adapter": each.id}
        memory.jobs.end(job.id, "w", JobStatus.SUCCEEDED, result)
        memory.adapters.record_reject("ann", each.id, str(each.metrics["reasons"]))
        jobs[each.id] = job.id
    memory.adapters.retire("ann", [version.id], "it learned from what was erased")
    (left,) = memory.traces([b"zanzibar"])
    assert left.table == "job_event"
    assert memory.jobs.events("ann", jobs[version.id], 10)[0].message == UNSAID
    figures = {"near_guards": {**told["near_guards"], "lost": []}, "helped": 4}  # type: ignore[dict-item]
    kept = memory.adapters.show("ann", version.id)
    assert (kept.metrics, kept.rejected) == (figures, UNSAID)
    assert memory.jobs.get("ann", jobs[version.id]).result == {**figures, "adapter": version.id}
    assert memory.adapters.show("ann", other.id).rejected == "['it fell']"
    assert memory.jobs.events("ann", jobs[other.id], 10)[0].message.startswith("lost: ")


def test_nothing_is_registered_that_learned_from_what_is_erased(
    memory: LongTermMemory, register: Register
) -> None:
    draft = Draft(
        tenant="ann",
        messages=(Message(role="user", content="two and two?"),),
        answer="4",
        rationale="4",
        tier=Tier.FEEDBACK,
    )
    record = memory.save(draft).record
    memory.forget("ann", record.id)
    with pytest.raises(ConflictError, match="was erased while it was learned from"):
        register(1.0, record_ids=["rec_1", record.id])
    assert memory.adapters.list("ann") == []
    assert list((memory.data_dir / "adapters").iterdir()) == []


def test_what_never_was_registered_goes_once_it_is_old(
    memory: LongTermMemory, register: Register
) -> None:
    version = register(1.0)
    folder = Path(version.path).parent
    for name in ("ad_0123456789ab", ".ad_ba9876543210.hex", "ad_new"):
        write_adapter(folder / name)
    for each in folder.iterdir():
        if each.name != "ad_new":
            os.utime(each, (0, 0))
    memory.adapters.drop_strays()
    assert {each.name for each in folder.iterdir()} == {version.id, "ad_new"}
