"""How answers fared while a candidate was tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memory.errors import ConflictError
from memory.memory import LongTermMemory
from memory.types import AdapterVersion, Completion, Message, Trial
from memory.versions.adapters import NewVersion
from tests.memory.adapters_made import write_adapter


def answered(
    memory: LongTermMemory,
    number: int,
    arm: str | None,
    *,
    tenant: str = "ann",
    candidate: str = "ad_1",
    right: bool | None = None,
) -> str:
    release = {"candidate": candidate, "arm": arm} if arm else None
    name = f"chatcmpl-{tenant}-{candidate}-{number}"
    memory.completions.append(
        Completion(
            id=name,
            tenant=tenant,
            messages=(Message(role="user", content=f"What is {number}?"),),
            text="#### 1",
            answer="1",
            report={"release": release},
            trial=Trial(strategy="consistency", right=right),
        )
    )
    assert memory.completions.flush()
    return name


def test_only_what_somebody_judged_is_counted_by_its_arm(memory: LongTermMemory) -> None:
    for number, (arm, right) in enumerate(
        [("candidate", True), ("control", False), ("candidate", None), (None, True)]
    ):
        answered(memory, number, arm, right=right)
    assert memory.live.of("ann", "ad_1", 0.0) == [("candidate", True), ("control", False)]


def test_what_was_tried_beside_an_answer_is_not_counted_as_the_answer(
    memory: LongTermMemory,
) -> None:
    name = answered(memory, 1, "candidate", right=True)
    lighter = Trial(strategy="plain", source="shadow", right=False)
    memory.completions.append(
        Completion(
            id=f"{name}-again",
            tenant="ann",
            messages=(Message(role="user", content="What is 2?"),),
            text="#### 1",
            answer="1",
            report={"release": {"candidate": "ad_1", "arm": "control"}},
            trial=Trial(strategy="consistency", right=True),
            tried=(lighter,),
        )
    )
    assert memory.completions.flush()
    assert memory.live.of("ann", "ad_1", 0.0) == [("candidate", True), ("control", True)]


def test_feedback_has_the_last_word(memory: LongTermMemory) -> None:
    name = answered(memory, 1, "candidate", right=True)
    memory.completions.note_feedback("ann", name, {"verdict": "incorrect"})
    other = answered(memory, 2, "control")
    memory.completions.note_feedback("ann", other, {"verdict": "correct"})
    assert memory.live.of("ann", "ad_1", 0.0) == [("candidate", False), ("control", True)]


def test_another_tenants_and_another_candidates_answers_do_not_count(
    memory: LongTermMemory,
) -> None:
    answered(memory, 1, "candidate", tenant="bob", right=True)
    answered(memory, 2, "candidate", candidate="ad_2", right=True)
    assert memory.live.of("ann", "ad_1", 0.0) == []
    assert memory.live.of("ann", "ad_2", 4e9) == [], "from a later moment on"


def version(memory: LongTermMemory, folder: Path, value: float, **metrics: Any) -> AdapterVersion:
    return memory.adapters.register(
        write_adapter(folder / f"trained-{value}", value),
        NewVersion(tenant="ann", base_model="pebble", rank=2, metrics=metrics),
    )


def test_a_candidate_is_one_that_the_gate_let_through(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    """A process that is killed between the gate's word and its note leaves nothing to try."""
    registry = memory.adapters
    version(memory, tmp_path, 1.0, decision="rejected")
    assert registry.candidates() == {}
    good = version(memory, tmp_path, 2.0, decision="promoted")
    assert registry.candidates() == {"ann": good}
    registry.promote("ann", good.id)
    assert registry.candidates() == {}


def test_what_is_served_or_was_refused_cannot_be_offered(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    registry = memory.adapters
    first, second = version(memory, tmp_path, 1.0), version(memory, tmp_path, 2.0)
    registry.promote("ann", first.id)
    with pytest.raises(ConflictError, match="champion"):
        registry.offer("ann", first.id)
    registry.record_reject("ann", second.id, "it hurt")
    with pytest.raises(ConflictError, match="it hurt"):
        registry.offer("ann", second.id)
    third = version(memory, tmp_path, 3.0)
    registry.reset("ann")
    assert registry.offer("ann", first.id).id == first.id
    assert registry.candidates() == {"ann": first}
    assert registry.offer("ann", third.id) == third
