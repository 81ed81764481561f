"""Releases of adapter versions: their stages, their numbers, their shadows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memory.embedding.hashing import HashingEmbedder
from memory.errors import ConflictError
from memory.memory import LongTermMemory
from memory.types import AdapterVersion
from memory.versions.adapters import NewVersion
from memory.versions.release import Stage
from memory.versions.shadows import Shadow
from tests.memory.adapters_made import write_adapter
from tests.memory.older import older_database

Register = Callable[..., AdapterVersion]


@pytest.fixture
def register(memory: LongTermMemory, tmp_path: Path) -> Register:
    def build(value: float, stage: Stage | None = None, **fields: Any) -> AdapterVersion:
        folder = write_adapter(tmp_path / f"trained-{value}", value)
        given = {"tenant": "ann", "base_model": "pebble", "rank": 2, **fields}
        return memory.adapters.register(folder, NewVersion(stage=stage, **given))

    return build


def stages(memory: LongTermMemory, version: AdapterVersion) -> list[Stage]:
    return [step.stage for step in memory.releases.of(version.tenant, version.id)]


def names(memory: LongTermMemory) -> dict[str, str | None]:
    found = {n: memory.adapters.alias("ann", n) for n in ("champion", "candidate", "previous")}
    return {name: version.id if version else None for name, version in found.items()}


def test_generations_of_a_tenant_on_a_base_are_counted_and_models_of_their_own_are_not(
    memory: LongTermMemory, register: Register
) -> None:
    first, other = register(1.0), register(2.0, base_model="another")
    model = register(3.0, name="ft:pebble:x::y")
    second = register(4.0)
    foreign = register(5.0, tenant="bob")
    assert [v.number for v in (first, other, model, second, foreign)] == [1, 1, None, 2, 1]
    assert register(1.0).number == 1, "the same again keeps its number"
    memory.adapters.retire("ann", [second.id], "erased")
    assert register(6.0).number == 3, "a number is given once"
    assert memory.adapters.numbered("ann", "pebble", 1) == first
    assert memory.adapters.numbered("bob", "pebble", 2) is None
    assert memory.adapters.numbered("ann", "pebble", 10**30) is None


@pytest.mark.sqlite
def test_versions_of_an_older_database_are_numbered_as_they_were_made(tmp_path: Path) -> None:
    file = older_database(tmp_path, "0018")
    with sqlite3.connect(file) as connection:
        for name, at in (("ad_b", 1.0), ("ad_a", 2.0), ("ad_ft", 3.0)):
            connection.execute(
                "INSERT INTO adapter VALUES (?, 'ann', 'pebble', NULL, 2, 'x', '{}', NULL, ?)",
                (name, at),
            )
        connection.execute("INSERT INTO alias VALUES ('ann', 'ft:pebble:x::y', 'ad_ft')")
    memory = LongTermMemory.open(tmp_path, HashingEmbedder(64))
    found = {version.id: version.number for version in memory.adapters.list("ann")}
    assert found == {"ad_b": 1, "ad_a": 2, "ad_ft": None}
    memory.close()


def test_what_is_suggested_is_no_candidate_until_it_is_approved(
    memory: LongTermMemory, register: Register
) -> None:
    suggested = register(1.0, Stage.SUGGESTED)
    assert names(memory)["candidate"] is None
    memory.adapters.approve("ann", suggested.id, Stage.SHADOW)
    assert names(memory)["candidate"] == suggested.id
    waiting = register(2.0, Stage.WAITING)
    assert stages(memory, suggested) == [Stage.SUGGESTED, Stage.SHADOW, Stage.SUGGESTED]
    assert memory.releases.now("candidate")["ann"].stage is Stage.WAITING
    memory.adapters.approve("ann", waiting.id, Stage.ALL)
    assert names(memory) == {"champion": waiting.id, "candidate": None, "previous": None}
    with pytest.raises(ConflictError, match="at the stage all: it waits for no approval"):
        memory.adapters.approve("ann", waiting.id, Stage.ALL)
    with pytest.raises(ConflictError, match="never released"):
        memory.adapters.approve("ann", register(3.0).id, Stage.SHARE)


def test_a_candidate_goes_on_from_stage_to_stage_once(
    memory: LongTermMemory, register: Register
) -> None:
    version = register(1.0, Stage.SHADOW)
    for _ in range(2):  # of two servers that look at once, one is late
        memory.adapters.advance("ann", version.id, Stage.SHADOW, Stage.SHARE, "no harm")
    memory.adapters.advance("ann", version.id, Stage.SHARE, Stage.ALL, "it helped")
    memory.adapters.advance("ann", version.id, Stage.SHARE, Stage.ALL, "it helped")
    memory.adapters.advance("ann", version.id, Stage.ALL, Stage.KEPT, "it helped")
    assert stages(memory, version) == [Stage.SHADOW, Stage.SHARE, Stage.ALL, Stage.KEPT]
    assert names(memory) == {"champion": version.id, "candidate": None, "previous": None}


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.SHARE, Stage.ALL])
def test_what_hurts_is_taken_back_at_every_stage(
    memory: LongTermMemory, register: Register, stage: Stage
) -> None:
    before = register(1.0)
    memory.adapters.promote("ann", before.id)
    version = register(2.0, Stage.SHADOW)
    if stage is not Stage.SHADOW:
        memory.adapters.advance("ann", version.id, Stage.SHADOW, stage, "on")
    memory.adapters.take_back("ann", version.id, Stage.KEPT, "another has moved it meanwhile")
    assert stages(memory, version)[-1] is stage
    for _ in range(2):
        memory.adapters.take_back("ann", version.id, stage, "it hurt")
    assert names(memory) == {"champion": before.id, "candidate": None, "previous": None}
    assert memory.adapters.show("ann", version.id).rejected == "it hurt"
    assert stages(memory, version).count(Stage.BACK) == 1
    with pytest.raises(ConflictError, match="it hurt"):
        memory.adapters.promote("ann", version.id)


def test_without_a_champion_before_the_base_comes_back(
    memory: LongTermMemory, register: Register
) -> None:
    version = register(1.0, Stage.SHARE)
    memory.adapters.promote("ann", version.id)
    memory.adapters.take_back("ann", version.id, Stage.ALL, "it hurt")
    assert names(memory) == {"champion": None, "candidate": None, "previous": None}


def test_what_was_reset_is_not_what_was_served_before_its_successor(
    memory: LongTermMemory, register: Register
) -> None:
    old, new = register(1.0), register(2.0)
    memory.adapters.promote("ann", old.id)
    memory.adapters.reset("ann")
    memory.adapters.promote("ann", new.id)
    assert names(memory) == {"champion": new.id, "candidate": None, "previous": None}
    memory.adapters.take_back("ann", new.id, Stage.ALL, "it hurt")
    assert names(memory)["champion"] is None, "the base was served"


def test_a_version_that_is_refused_as_it_is_made_displaces_no_candidate(
    memory: LongTermMemory, register: Register
) -> None:
    tried = register(1.0, Stage.SHARE)
    refused = register(2.0, rejected="no better")
    assert names(memory)["candidate"] == tried.id
    assert (refused.rejected, refused.number) == ("no better", 2)
    assert stages(memory, refused) == [Stage.BACK]
    memory.adapters.promote("ann", tried.id)
    assert register(1.0, rejected="no better than itself").rejected is None, "it is the champion"
    assert register(2.0, Stage.SHARE) == refused, "it stays refused"
    assert names(memory) == {"champion": tried.id, "candidate": None, "previous": None}
    third, fourth = register(3.0, Stage.SHARE), register(4.0)
    assert stages(memory, third) == [Stage.SHARE, Stage.SUGGESTED]
    assert names(memory)["candidate"] == fourth.id


def test_a_version_for_all_is_the_champion_as_it_is_made(
    memory: LongTermMemory, register: Register
) -> None:
    first, second = register(1.0, Stage.ALL), register(2.0, Stage.ALL)
    assert names(memory) == {"champion": second.id, "candidate": None, "previous": first.id}
    assert stages(memory, second) == [Stage.ALL]
    assert register(1.0, Stage.ALL) == first
    assert names(memory)["champion"] == first.id, "it was let through again"


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.SHARE, Stage.ALL])
def test_the_release_of_a_version_that_is_retired_ends(
    memory: LongTermMemory, register: Register, stage: Stage
) -> None:
    version = register(1.0, stage)
    shadow = {"adapter_id": version.id, "shown_right": True, "right": True, "same": True}
    memory.shadows.add("ann", Shadow.model_validate({"id": "c1", **shadow}))
    memory.adapters.retire("ann", [version.id], "it learned from what was erased")
    memory.shadows.add("ann", Shadow.model_validate({"id": "c2", **shadow}))
    assert memory.shadows.of("ann", version.id).total == 0
    assert stages(memory, version) == [stage, Stage.BACK]
    memory.adapters.retire("ann", [version.id], "again")
    assert stages(memory, version) == [stage, Stage.BACK]


def test_a_version_that_only_passed_takes_no_retired_champions_place(
    memory: LongTermMemory, register: Register
) -> None:
    passed = register(1.0, Stage.SUGGESTED, metrics={"decision": "passed"})
    champion = register(2.0)
    memory.adapters.promote("ann", champion.id)
    memory.adapters.retire("ann", [champion.id], "erased")
    assert names(memory)["champion"] is None
    memory.adapters.approve("ann", passed.id, Stage.ALL)
    last = register(3.0)
    memory.adapters.promote("ann", last.id)
    memory.adapters.retire("ann", [last.id], "erased")
    assert names(memory)["champion"] == passed.id
    assert stages(memory, passed)[-1] is Stage.KEPT


def test_shadows_last_as_long_as_their_stage(memory: LongTermMemory, register: Register) -> None:
    version = register(1.0, Stage.SHADOW)

    def add(number: int, shown: bool | None, right: bool | None) -> None:
        about = {"adapter_id": version.id, "shown_right": shown, "right": right, "same": False}
        memory.shadows.add("ann", Shadow.model_validate({"id": f"c{number}", **about}))

    add(1, True, False)
    add(2, None, True)
    add(3, False, True)
    seen = memory.shadows.of("ann", version.id)
    assert (seen.total, seen.same, seen.pairs) == (3, 0, [(False, True), (True, False)])
    assert memory.shadows.of("bob", version.id).total == 0
    memory.adapters.advance("ann", version.id, Stage.SHADOW, Stage.SHARE, "no harm")
    add(4, True, True)
    assert memory.shadows.of("ann", version.id).total == 0
