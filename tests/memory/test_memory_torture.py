"""A hundred kills, and two tenants with canaries: `make torture` in small."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

from loadtests.torture.kills import LIFE, SCENES
from loadtests.torture.place import opened
from loadtests.torture.tenants import Tenants
from loadtests.torture.truth import Truth
from memory.memory import LongTermMemory
from memory.types import Draft, State

Tenants.TestCase.settings = settings(max_examples=6, stateful_step_count=12, deadline=None)
TestTenantsShareNothing = Tenants.TestCase


def test_kills_at_random_points_of_every_kind_of_work_lose_nothing(tmp_path: Path) -> None:
    """In a process of its own, as it forks: the tests' has threads."""
    out = tmp_path / "kills.json"
    kills = LIFE * len(SCENES)
    words = ["-m", "loadtests.torture", "--only", "kills", "--kills", str(kills)]
    done = subprocess.run(
        [sys.executable, *words, "--out", str(out)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())["parts"]["kills"]
    assert found["faults"] == []
    assert found["kills"] == dict.fromkeys(SCENES, LIFE)
    assert found["under_way"] > kills / 4, "they fall within acts, not between them"


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
