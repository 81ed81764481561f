"""Laws that hold after any sequence of operations."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from memory.embedding.hashing import HashingEmbedder
from memory.errors import ConflictError
from memory.memory import LongTermMemory
from memory.types import Draft, Message, State, Tier

tenants = st.sampled_from(["ann", "bob"])
questions = st.sampled_from([f"what is {n} and {m}?" for n in range(3) for m in range(2)])
picks = st.integers(0, 1_000)


class MemoryMachine(RuleBasedStateMachine):
    """Two processes share one folder; any of their views must satisfy the invariants."""

    @initialize()
    def open_twice(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.open = [self._open(), self._open()]

    @rule(
        tenant=tenants,
        question=questions,
        answer=st.sampled_from("45"),
        tier=st.sampled_from(Tier),
        which=st.integers(0, 1),
    )
    def save(self, tenant: str, question: str, answer: str, tier: Tier, which: int) -> None:
        message = Message(role="user", content=question)
        draft = Draft(tenant=tenant, messages=(message,), answer=answer, rationale="", tier=tier)
        saved = self.open[which].save(draft)
        assert self.open[1 - which].get(tenant, saved.record.id) == saved.record

    @rule(tenant=tenants, pick=picks, state=st.sampled_from(list(State)), which=st.integers(0, 1))
    def move(self, tenant: str, pick: int, state: State, which: int) -> None:
        records = self.open[which].list(tenant)
        if records:
            try:
                self.open[which].set_state(tenant, records[pick % len(records)].id, state, "")
            except ConflictError:
                assert state is State.ACTIVE

    @rule(which=st.integers(0, 1))
    def restart(self, which: int) -> None:
        self.open[which].close()
        self.open[which] = self._open()

    @rule(tenant=tenants, question=questions)
    def recall(self, tenant: str, question: str) -> None:
        for memory in self.open:
            active = {record.id for record in memory.walk(tenant, state=State.ACTIVE)}
            found = memory.recall(tenant, question, k=50)
            assert {neighbour.record.id for neighbour in found} == active
            assert all(n.record.tenant == tenant for n in found)

    @invariant()
    def one_question_has_at_most_one_active_answer(self) -> None:
        for tenant in ("ann", "bob"):
            asked = [r.question for r in self.open[0].walk(tenant, state=State.ACTIVE)]
            assert len(asked) == len(set(asked))

    @invariant()
    def every_index_equals_the_database(self) -> None:
        for memory in self.open:
            assert memory.verify("ann").ok
            assert memory.verify("bob").ok

    def teardown(self) -> None:
        for memory in getattr(self, "open", []):
            memory.close()
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def _open(self) -> LongTermMemory:
        return LongTermMemory.open(Path(self.folder.name), HashingEmbedder(32))


MemoryMachine.TestCase.settings = settings(max_examples=8, stateful_step_count=15)
TestMemoryLaws = MemoryMachine.TestCase


class MachineOnPostgres(MemoryMachine):
    """The same on PostgreSQL, each run in a database of its own."""


MachineOnPostgres.TestCase.settings = settings(max_examples=4, stateful_step_count=12)


@pytest.mark.usefixtures("on_postgres")
class TestMemoryLawsOnPostgres(MachineOnPostgres.TestCase):
    """Its folders are where `on_postgres` says."""
