"""Hundreds of kills, and two tenants with canaries: `make torture` in small, on both databases."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from loadtests.torture.databases import POSTGRESQL, SQLITE, absent
from loadtests.torture.kills import SCENES
from loadtests.torture.older import OLD, make_older
from loadtests.torture.place import opened
from loadtests.torture.tenants import Tenants
from loadtests.torture.truth import Truth
from memory.memory import LongTermMemory
from memory.store.migrating import known_version
from memory.types import Draft, State
from tests.memory.older import connected

KILLS = 17
"""Of every scene."""


def test_two_tenants_share_nothing_whatever_becomes_of_the_index_files(dialect: str) -> None:
    few = settings(max_examples=5, stateful_step_count=12, deadline=None)
    run_state_machine_as_test(Tenants, settings=few)


@pytest.mark.parametrize("database", [SQLITE, POSTGRESQL])
def test_kills_at_random_points_of_every_kind_of_work_lose_nothing(
    tmp_path: Path, database: str
) -> None:
    """In a process of its own, as it forks: the tests' has threads."""
    if why := absent(database):
        pytest.skip(why)
    out = tmp_path / "kills.json"
    kills = KILLS * len(SCENES)
    words = ["-m", "loadtests.torture", "--only", "kills", "--kills", str(kills)]
    words += ["--database", database, "--out", str(out)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())["parts"]["kills"][database]
    assert found["faults"] == []
    assert found["kills"] == dict.fromkeys(SCENES, KILLS)
    assert found["under_way"] > kills / 4, "they fall within acts, not between them"
    assert (found["servers"] > kills / 20) is (database == POSTGRESQL)


def test_a_memory_made_older_is_one_and_keeps_its_records(
    tmp_path: Path, draft: Callable[..., Draft], dialect: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("on_postgres")(tmp_path) if dialect == "postgres" else None
    memory = opened(tmp_path, url)
    saved = memory.save(draft("a question")).record
    memory.close()
    make_older(tmp_path, url)
    with connected(url or f"sqlite:///{tmp_path / 'whet.db'}") as connection:
        assert known_version(connection, "it", "") == OLD
    memory = opened(tmp_path, url)
    assert memory.get("ann", saved.id).question == "a question"
    assert memory.verify("ann").ok
    assert memory.save(draft("another")).created
    memory.close()


@pytest.fixture
def truth(tmp_path: Path, draft: Callable[..., Draft]) -> tuple[Truth, LongTermMemory, str]:
    """A memory with one acknowledged record, and what is known of it."""
    memory, truth = opened(tmp_path, None), Truth(["ann"])
    truth.hear({"tried": "save", "tenant": "ann", "asked": ["a question"]})
    saved = memory.save(draft("a question"))
    told = {"tenant": "ann", "asked": ["a question"], "ids": [saved.record.id]}
    truth.hear({"done": "save", **told})
    assert truth.faults(memory) == []
    return truth, memory, saved.record.id


def test_torture_sees_a_record_that_was_lost(truth: tuple[Truth, LongTermMemory, str]) -> None:
    known, memory, record_id = truth
    memory.set_state("ann", record_id, State.ERASED, "behind its back")
    assert [fault.split(":")[0] for fault in known.faults(memory)] == ["lost"]
    memory.close()


def test_torture_sees_phantoms_and_halves_of_commits(
    truth: tuple[Truth, LongTermMemory, str], draft: Callable[..., Draft]
) -> None:
    known, memory, _ = truth
    memory.save(draft("never tried"))
    assert any(fault.startswith("phantom") for fault in known.faults(memory))
    known.hear({"tried": "save", "tenant": "ann", "asked": ["one", "two"]})
    memory.save(draft("one"))
    assert any(fault.startswith("half") for fault in known.faults(memory))
    memory.close()


def test_what_was_under_way_may_have_happened_or_not(
    truth: tuple[Truth, LongTermMemory, str], draft: Callable[..., Draft]
) -> None:
    known, memory, record_id = truth
    known.hear({"tried": "save", "tenant": "ann", "asked": ["another"]})
    assert known.faults(memory) == []
    known.hear({"tried": "move", "tenant": "ann", "id": record_id, "state": "erased"})
    memory.forget("ann", record_id)
    assert known.faults(memory) == []
    memory.close()


def test_torture_sees_a_record_of_another_tenant(draft: Callable[..., Draft]) -> None:
    machine = Tenants()
    machine.begin()
    machine.memory.save(draft("a question", tenant="bob"))
    with pytest.raises(AssertionError):
        machine.seen("ann", machine.memory.list("bob"))
    machine.teardown()
