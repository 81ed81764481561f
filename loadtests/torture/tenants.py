"""Two tenants with canaries in one memory, by hypothesis: neither ever sees the other's.

Index files are swapped, damaged, cut short and forged between two openings; what is remembered is
asked for in every way there is. Every call of the memory is an operation.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from loadtests.torture.databases import Databases, Files
from loadtests.torture.place import DIMENSIONS, opened
from memory.embedding.hashing import HashingEmbedder
from memory.errors import ConflictError, NotFoundError
from memory.types import Draft, Message, Record, State, Tier

TENANTS = ("ann", "bob")
CANARIES = {"ann": "sparrow-7c1f", "bob": "finch-93ab"}
STEPS = 40
RECALLS = 100
"""In one step: most of what a memory does is to be asked."""
tenants = st.sampled_from(TENANTS)
numbers = st.integers(0, 30)
Harm = Callable[[Path, Path], None]


class Tenants(RuleBasedStateMachine):
    """One memory, opened and closed as the rules have it."""

    operations = 0
    databases: Databases = Files()

    @initialize()
    def begin(self) -> None:
        """Open an empty one."""
        self.folder = Path(tempfile.mkdtemp(prefix="whet-canaries-"))
        self.url = self.databases.new()
        self.memory = opened(self.folder, self.url)
        self.embedder = HashingEmbedder(DIMENSIONS)

    @rule(tenant=tenants, number=numbers, answer=st.sampled_from("45"), tier=st.sampled_from(Tier))
    def save(self, tenant: str, number: int, answer: str, tier: Tier) -> None:
        """Remember what both are asked, each with a canary."""
        question = f"what is {number} and {number}?"
        draft = Draft(
            tenant=tenant,
            messages=(Message(role="user", content=question),),
            answer=answer,
            rationale=f"because of the {CANARIES[tenant]}",
            tier=tier,
        )
        self.seen(tenant, [self.count(self.memory.save, draft).record])

    @rule(tenant=tenants, number=numbers, k=st.integers(1, 40))
    def recall(self, tenant: str, number: int, k: int) -> None:
        """Find neighbours, of the other's questions as well."""
        for place in range(RECALLS):
            vector = self.embedder.embed([f"what is {number} and {number + place}?"])[0]
            near = self.count(self.memory.near, tenant, vector, k=k)
            self.seen(tenant, [neighbour.record for neighbour in near])

    @rule(tenant=tenants)
    def read(self, tenant: str) -> None:
        """List, walk, look for the other's word, and ask for the other's records by id."""
        other = TENANTS[1 - TENANTS.index(tenant)]
        self.seen(tenant, self.count(self.memory.list, tenant, limit=1000))
        self.seen(tenant, list(self.count(self.memory.walk, tenant)))
        assert not self.count(self.memory.list, tenant, q=CANARIES[other])
        for record in self.memory.list(other, limit=3):
            for call in (self.memory.get, self.memory.forget):
                self.refused(call, tenant, record.id)
            self.refused(self.memory.set_state, tenant, record.id, State.QUARANTINED, "")

    @rule(tenant=tenants, pick=st.integers(0, 1000), state=st.sampled_from(list(State)))
    def move(self, tenant: str, pick: int, state: State) -> None:
        """Quarantine, erase, revive."""
        records = self.memory.list(tenant)
        if records:
            try:
                record_id = records[pick % len(records)].id
                self.count(self.memory.set_state, tenant, record_id, state, "")
            except ConflictError:
                assert state is State.ACTIVE

    @rule(place=st.integers(0, 1 << 20), byte=st.integers(1, 255))
    def damage(self, place: int, byte: int) -> None:
        """Change a byte of each index file."""

        def harm(file: Path, _: Path) -> None:
            data = bytearray(file.read_bytes())
            data[place % len(data)] ^= byte
            file.write_bytes(data)

        self.reopened(harm)

    @rule(place=st.integers(0, 1 << 20))
    def cut(self, place: int) -> None:
        """Cut each index file short."""
        self.reopened(lambda file, _: file.write_bytes(_beginning(file, place)) and None)

    @rule()
    def swap(self) -> None:
        """Give each tenant the other's index file."""
        self.reopened(_swapped)

    @rule()
    def forge(self) -> None:
        """Give each tenant the other's vectors under its own name, with a manifest that fits."""
        self.reopened(_forged)

    @rule()
    def restart(self) -> None:
        """Close and open."""
        self.reopened(None)

    @invariant()
    def both_indexes_equal_the_database(self) -> None:
        """Vector by vector."""
        if hasattr(self, "memory"):
            for tenant in TENANTS:
                report = self.count(self.memory.verify, tenant)
                assert report.ok, report

    def teardown(self) -> None:
        """Close and tidy."""
        if hasattr(self, "memory"):
            self.memory.close()
            self.databases.drop(self.url)
            shutil.rmtree(self.folder, ignore_errors=True)

    def reopened(self, harm: Harm | None) -> None:
        """Close, do harm to the index files, and open."""
        for tenant in TENANTS:  # an index that was used is written
            self.memory.near(tenant, self.embedder.embed(["what is 1 and 1?"])[0], k=1)
        self.count(self.memory.close)
        files = [_index_file(self.folder, tenant) for tenant in TENANTS]
        if harm is not None and all(files):
            first, second = (file for file in files if file is not None)
            harm(first, second)
            if harm not in (_swapped, _forged):
                harm(second, first)
        self.memory = self.count(opened, self.folder, self.url)

    def count(self, call: Callable[..., Any], *given: Any, **named: Any) -> Any:
        """Call, as one operation."""
        type(self).operations += 1
        return call(*given, **named)

    def refused(self, call: Callable[..., Any], *given: Any) -> None:
        """Call what must not find anything."""
        try:
            self.count(call, *given)
        except NotFoundError:
            return
        raise AssertionError(f"{call.__name__} reached another tenant's record")

    def seen(self, tenant: str, records: list[Record]) -> None:
        """Look at what a tenant was given."""
        for record in records:
            assert record.tenant == tenant
            assert CANARIES[tenant] in record.rationale or record.state is State.ERASED


def _index_file(folder: Path, tenant: str) -> Path | None:
    files = (folder / "index").glob("*.vectors")
    return next((file for file in files if _manifest(file).get("tenant") == tenant), None)


def _manifest(file: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(file.read_bytes().partition(b"\n")[0])
    except (ValueError, OSError):
        return {}
    return found


def _beginning(file: Path, place: int) -> bytes:
    data = file.read_bytes()
    return data[: place % len(data)]


def _swapped(first: Path, second: Path) -> None:
    one, other = first.read_bytes(), second.read_bytes()
    first.write_bytes(other)
    second.write_bytes(one)


def _forged(first: Path, second: Path) -> None:
    for file, names in ((first, _manifest(first)), (second, _manifest(second))):
        other = second if file is first else first
        manifest, _, body = other.read_bytes().partition(b"\n")
        told = json.loads(manifest) | {"tenant": names["tenant"]}
        file.with_suffix(".forged").write_bytes(json.dumps(told).encode() + b"\n" + body)
    for file in (first, second):
        file.with_suffix(".forged").replace(file)


def torture(
    operations: int,
    number: int,
    databases: Databases,
    say: Callable[[str], None],
    limit_s: float = inf,
) -> int:
    """Run until there were so many operations, or for a time; return how many.

    What fails is raised and told.
    """
    end = time.monotonic() + limit_s
    machine = type("Tenants", (Tenants,), {"databases": databases, "operations": 0})
    bounds = settings(
        max_examples=25,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    round_ = 0
    while machine.operations < operations and time.monotonic() < end:
        run_state_machine_as_test(seed(number + round_)(machine), settings=bounds)
        round_ += 1
        say(f"{machine.operations:,} operations of two tenants, 0 records of another")
    return int(machine.operations)
