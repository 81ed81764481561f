"""Verified records without a database, and a registry that is the real one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memory.store.database import open_database
from memory.types import Message, Record, State, Tier
from memory.versions.adapters import AdapterRegistry


def make_record(number: int, **changes: object) -> Record:
    fields: dict[str, object] = {
        "id": f"rec_{number}",
        "tenant": "default",
        "messages": (Message(role="user", content=f"What is {number} lamp 5?"),),
        "answer": str(number + 5),
        "rationale": f"lamp adds.\n#### {number + 5}",
        "tier": Tier.IMPORTED,
        "state": State.ACTIVE,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Record.model_validate(fields | changes)


class RecordList:
    """A memory that is a list."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records

    def walk(self, tenant: str, *, state: State | None = None) -> Iterator[Record]:
        for record in self.records:
            if record.tenant == tenant and state in (None, record.state):
                yield record


@pytest.fixture
def record() -> Callable[..., Record]:
    return make_record


@pytest.fixture
def records() -> Callable[[list[Record]], RecordList]:
    return RecordList


@pytest.fixture
def registry(data_dir: Path) -> Iterator[AdapterRegistry]:
    database = open_database(data_dir)
    yield AdapterRegistry(database, data_dir / "adapters")
    database.close()
