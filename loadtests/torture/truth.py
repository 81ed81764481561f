"""What was acknowledged, what was under way, and whether a memory that was opened again agrees."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from loadtests.torture.acts import TASK
from memory.errors import NotFoundError
from memory.memory import LongTermMemory
from memory.types import Record, State


@dataclass
class Kept:
    """A record that was acknowledged."""

    tenant: str
    asked: str
    state: str = State.ACTIVE


@dataclass
class Truth:
    """Follows the lines of processes that are killed, each at some point of its work."""

    tenants: list[str]
    records: dict[str, Kept] = field(default_factory=dict)
    champions: dict[str, str | None] = field(default_factory=dict)
    open: dict[str, Any] | None = None
    """Was tried, and its end not told."""
    acknowledged: int = 0

    def hear(self, said: dict[str, Any]) -> None:
        """Take one line."""
        if "tried" in said:
            self.open = said
            return
        self.open = None
        self.acknowledged += 1
        match said["done"]:
            case "save":
                for record_id, asked in zip(said["ids"], said["asked"], strict=True):
                    self.records[record_id] = Kept(said["tenant"], asked)
            case "move":
                self.records[said["id"]].state = said["state"]
            case "point":
                self.champions[said["tenant"]] = said["to"]

    def faults(self, memory: LongTermMemory) -> list[str]:
        """Compare with what a memory holds; what was under way may have happened or not, whole."""
        found: list[str] = []
        for tenant in self.tenants:
            held = {record.id: record for record in memory.walk(tenant)}
            found += self._lost(memory, tenant, held)
            found += self._phantoms(tenant, held)
            report = memory.verify(tenant)
            if not report.ok:
                found.append(f"index differs from database: {report}")
            found += self._foreign(memory, tenant)
            found += self._champion(memory, tenant)
        self.open = None
        return found

    def _lost(self, memory: LongTermMemory, tenant: str, held: dict[str, Record]) -> list[str]:
        found = []
        for record_id, kept in self.records.items():
            if kept.tenant != tenant:
                continue
            allowed = {kept.state}
            if self.open is not None and self.open.get("id") == record_id:
                allowed.add(self.open["state"])
            state = held[record_id].state if record_id in held else _gone(memory, tenant, record_id)
            if state not in allowed:
                found.append(f"lost: {record_id} is {state}, acknowledged {kept}")
            kept.state = str(state)
        return found

    def _phantoms(self, tenant: str, held: dict[str, Record]) -> list[str]:
        unknown = [record for key, record in held.items() if key not in self.records]
        tried = self.open or {}
        asked = tried.get("asked", []) if tried.get("tenant") == tenant else []
        found = [f"phantom: {r.id} {r.question}" for r in unknown if r.question not in asked]
        if unknown and len(unknown) != len(asked):
            found.append(f"half of a commit: {len(unknown)} of {len(asked)} records")
        for record in unknown:
            self.records[record.id] = Kept(tenant, record.question, record.state)
        return found

    def _foreign(self, memory: LongTermMemory, tenant: str) -> list[str]:
        near = memory.recall(tenant, "question", k=50, task=TASK)
        return [f"foreign: {n.record.id}" for n in near if n.record.tenant != tenant]

    def _champion(self, memory: LongTermMemory, tenant: str) -> list[str]:
        champion = memory.adapters.alias(tenant, "champion")
        served, known = champion.id if champion else None, self.champions.get(tenant)
        tried = self.open or {}
        is_open = tried.get("tried") == "point" and tried.get("tenant") == tenant
        found = []
        if served != known and not (is_open and tried["to"] in (served, "rollback")):
            found.append(f"champion of {tenant}: {served}, acknowledged {known}")
        if champion is not None and not memory.adapters.files_ok(champion):
            found.append(f"the files of {served}, which is served, are not whole")
        self.champions[tenant] = served
        return found


def _gone(memory: LongTermMemory, tenant: str, record_id: str) -> str:
    try:
        return memory.get(tenant, record_id).state
    except NotFoundError:
        return "not there"
