"""What a generation grows from, and where its release begins."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adaptation.errors import DistillationError
from adaptation.learning.distillation.archive import draw, find_parent, parent_again, weight
from adaptation.learning.distillation.generation import Distiller, Settings
from adaptation.learning.distillation.select import Records
from adaptation.learning.training.fake import FakeTrainer
from adaptation.learning.training.trainer import OnStep, TrainingJob, TrainingResult
from memory.types import AdapterVersion, Record, Retirement
from memory.versions.adapter_files import CONFIG
from memory.versions.adapters import AdapterRegistry
from memory.versions.release import Stage
from tests.adaptation.distillation.test_generation import grade, solves

Make = Callable[..., Record]
Memory = Callable[[list[Record]], Records]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def version(number: int, right: float, parent: str | None = None, **more: object) -> AdapterVersion:
    fields: dict[str, object] = {
        "id": f"ad_{number}",
        "tenant": "ann",
        "base_model": "fake",
        "path": "",
        "parent": parent,
        "rank": 4,
        "created_at": NOW,
        "metrics": {"accuracy": {"base": 0.4, "candidate": right}},
    }
    return AdapterVersion.model_validate(fields | more)


class Trainer(FakeTrainer):
    """Writes other weights for other material."""

    async def train(
        self, job: TrainingJob, timeout_s: float, on_step: OnStep | None = None
    ) -> TrainingResult:
        result = await super().train(job, timeout_s, on_step)
        config = Path(job.output_dir) / CONFIG
        told = json.loads(config.read_text()) | {"examples": len(job.conversations)}
        config.write_text(json.dumps(told))
        return result


def distiller(
    memory: Records, registry: AdapterRegistry, trainer: FakeTrainer, **changes: object
) -> Distiller:
    settings = Settings.model_validate(changes)
    return Distiller(memory, registry, trainer, "fake", grade, settings)


def test_a_parent_is_drawn_by_its_score_and_how_few_grew_from_it() -> None:
    assert weight(0.9, 0) > weight(0.5, 0) > weight(0.1, 0)
    assert weight(0.9, 3) == pytest.approx(weight(0.9, 0) / 4)
    drawn: Counter[str | None] = Counter()
    good, bad = version(1, 0.9), version(2, 0.1)
    for number in range(400):  # the draw goes by how many there are: other tenants draw otherwise
        chosen, told = draw(f"tenant {number}", "fake", [good, bad])
        drawn[chosen.id if chosen else None] += 1
        assert told.among == 3
    total = weight(0.9, 0) + weight(0.1, 0) + weight(0.4, 2)
    assert drawn["ad_1"] / 400 == pytest.approx(weight(0.9, 0) / total, abs=0.07)
    assert drawn["ad_1"] > drawn[None] > drawn["ad_2"]


def test_the_same_archive_draws_the_same_and_none_that_is_retired() -> None:
    versions = [version(1, 0.9, retired=Retirement(at=NOW, reason="erased")), version(2, 0.8)]
    assert draw("ann", "fake", versions) == draw("ann", "fake", versions[::-1])
    chosen = [draw(f"t{i}", "fake", versions)[0] for i in range(40)]
    assert {each.id for each in chosen if each} == {"ad_2"}


async def test_a_child_is_trained_on_from_its_parent_and_judged_by_what_that_has_not_seen(
    registry: AdapterRegistry, record: Make, records: Memory
) -> None:
    first = await distiller(
        records([record(i) for i in range(64)]), registry, Trainer(answer=solves)
    ).run("default")
    assert first.adapter is not None
    parent = registry.show("default", first.adapter)
    more, trainer = records([record(i) for i in range(128)]), Trainer(answer=solves)
    report = await distiller(more, registry, trainer, parent=parent.id).run("default")
    assert trainer.jobs[-1].parent == parent.path
    assert trainer.jobs[-1].recipe.rank == parent.rank
    assert report.parent == parent.id
    assert report.adapter is not None
    child = registry.show("default", report.adapter)
    assert child.parent == parent.id
    seen = find_parent(registry, "default", "fake", parent.id, draws=False).seen
    assert len(seen) == 64
    assert not seen & set(child.metrics["judged_by"])


async def test_an_archive_draws_and_says_so(
    registry: AdapterRegistry, record: Make, records: Memory
) -> None:
    report = await distiller(
        records([record(i) for i in range(64)]), registry, Trainer(answer=solves), archive=True
    ).run("default")
    assert report.parent is None
    assert report.drawn is not None
    assert (report.drawn.among, report.drawn.chance) == (1, 1.0)


async def test_an_unknown_parent_or_one_of_another_base_is_refused(
    registry: AdapterRegistry, record: Make, records: Memory
) -> None:
    memory = records([record(i) for i in range(64)])
    made = await distiller(memory, registry, Trainer(answer=solves)).run("default")
    for parent, base in (("ad_unknown", "fake"), (made.adapter, "another")):
        with pytest.raises(DistillationError, match="whet adapters lineage"):
            find_parent(registry, "default", base, parent, draws=False)


async def test_what_is_trained_again_grows_from_what_took_its_parents_place(
    registry: AdapterRegistry, record: Make, records: Memory
) -> None:
    made = [
        await distiller(
            records([record(i) for i in range(n)]), registry, Trainer(answer=solves)
        ).run("default")
        for n in (64, 80)
    ]
    old, heir = (registry.show("default", each.adapter or "") for each in made)
    child = old.model_copy(update={"id": "ad_child", "parent": old.id})
    assert parent_again(registry, "default", child).version == old
    registry.retire("default", [old.id], "erased")
    assert parent_again(registry, "default", child).version is None
    registry.replace("default", old.id, heir.id)
    found = parent_again(registry, "default", child).version
    assert found is not None
    assert found.id == heir.id


@pytest.mark.parametrize(
    ("first", "named"),
    [(Stage.SUGGESTED, None), (Stage.WAITING, "candidate"), (Stage.SHADOW, "candidate")],
)
async def test_a_version_that_passed_begins_where_it_may(
    registry: AdapterRegistry, record: Make, records: Memory, first: Stage, named: str | None
) -> None:
    memory = records([record(i) for i in range(64)])
    running = distiller(memory, registry, Trainer(answer=solves), first=first)
    report = await running.run("default")
    assert (report.decision, report.stage) == ("passed", first)
    assert registry.alias("default", "champion") is None
    candidate = registry.alias("default", "candidate")
    assert (candidate.id if candidate else None) == (report.adapter if named else None)
    (judged,) = running.judgements.of("default", "fake")
    assert judged.promoted, "the error budget goes by what the gate found"


async def test_what_the_gate_rejects_is_never_offered(
    registry: AdapterRegistry, record: Make, records: Memory
) -> None:
    memory = records([record(i) for i in range(64)])
    report = await distiller(memory, registry, FakeTrainer(), first=Stage.SHADOW).run("default")
    assert (report.decision, report.stage) == ("rejected", None)
    assert registry.alias("default", "candidate") is None
