"""What a process does until it is killed: acts on a memory, each told before and after.

`acts(memory, ...)` yields closures; `Told` writes a line of JSON for each try and each success, so
that whoever reads knows what was acknowledged and what may have been half done.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from loadtests.torture.older import make_older
from loadtests.torture.place import opened
from loadtests.torture.releasing import Releasing
from loadtests.torture.small_adapter import MODEL, write_adapter
from memory.errors import ConflictError
from memory.memory import LongTermMemory
from memory.types import Draft, Message, State, Tier
from memory.versions.adapters import NewVersion

TASK = "canary"
OLDER_RECORDS = 20


class Told:
    """Lines to a pipe; each is written whole or not at all."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def __call__(self, **said: Any) -> None:
        """Say one thing."""
        os.write(self._pipe, json.dumps(said).encode() + b"\n")  # less than PIPE_BUF


class Acts:
    """One process's work on one folder, by a seed."""

    def __init__(self, folder: Path, url: str | None, tenants: list[str], seed: int, pipe: int):
        self._folder, self._url, self._tenants = folder, url, tenants
        self._random = random.Random(seed)
        self._seed, self._number = seed, 0
        self._tell = Told(pipe)
        self._own: list[tuple[str, str]] = []
        """(tenant, record id) of this process's active records."""

    def write(self) -> None:
        """Save, save many, quarantine, forget, recall: without an end."""
        memory = opened(self._folder, self._url)
        while True:
            self._random.choice((self._save, self._save, self._save_many, self._move))(memory)
            memory.recall(self._random.choice(self._tenants), "question", k=3)

    def snapshot(self) -> None:
        """Open, save a little, close: a close writes the snapshots of what has changed."""
        while True:
            memory = opened(self._folder, self._url)
            for tenant in self._tenants:
                memory.recall(tenant, "question", k=3)
            self._save(memory)
            memory.recall(self._tenants[0], "question", k=3)
            memory.close()

    def compact(self) -> None:
        """Rebuild the index, prune, forget (which empties the log): without an end."""
        memory = opened(self._folder, self._url)
        while True:
            self._save(memory)
            memory.rebuild(self._random.choice(self._tenants))
            self._move(memory, State.ERASED)
            memory.completions.prune()

    def older(self) -> None:
        """Leave a memory of an older schema."""
        memory = opened(self._folder, self._url)
        for _ in range(OLDER_RECORDS):
            self._save(memory)
        memory.close()
        make_older(self._folder, self._url)

    def migrate(self) -> None:
        """Open a database of an older schema, and go on writing."""
        self._tell(tried="migrate")
        opened(self._folder, self._url)
        self._tell(done="migrate")
        self.write()

    def promote(self) -> None:
        """Register adapters, promote, roll back: without an end."""
        memory = opened(self._folder, self._url)
        while True:
            tenant = self._random.choice(self._tenants)
            self._register(memory, tenant)
            if self._random.random() < 0.3:
                self._point(tenant, "rollback", partial(_rolled_back, memory, tenant))

    def release(self) -> None:
        """Register at every stage, approve, go on, promote, take back, reset: without an end."""
        Releasing(self._folder, self._url, self._tenants, self._seed, self._tell).go_on()

    def _save(self, memory: LongTermMemory) -> None:
        draft = self._draft(self._random.choice(self._tenants))
        asked = [draft.messages[0].content]
        self._tell(tried="save", tenant=draft.tenant, asked=asked)
        saved = memory.save(draft)
        self._note("save", draft.tenant, asked, [saved.record.id])

    def _save_many(self, memory: LongTermMemory) -> None:
        tenant = self._random.choice(self._tenants)
        drafts = [self._draft(tenant) for _ in range(3)]
        asked = [draft.messages[0].content for draft in drafts]
        self._tell(tried="save", tenant=tenant, asked=asked)
        saved = memory.save_many(drafts)
        self._note("save", tenant, asked, [each.record.id for each in saved])

    def _note(self, done: str, tenant: str, asked: list[Any], ids: list[str]) -> None:
        self._own += [(tenant, record_id) for record_id in ids]
        self._tell(done=done, tenant=tenant, asked=asked, ids=ids)

    def _move(self, memory: LongTermMemory, state: State | None = None) -> None:
        if not self._own:
            return
        tenant, record_id = self._own.pop(self._random.randrange(len(self._own)))
        state = state or self._random.choice((State.QUARANTINED, State.ERASED))
        self._tell(tried="move", tenant=tenant, id=record_id, state=state)
        memory.set_state(tenant, record_id, state, "torture")
        self._tell(done="move", tenant=tenant, id=record_id, state=state)

    def _register(self, memory: LongTermMemory, tenant: str) -> None:
        self._number += 1
        folder = self._folder / f"trained-{self._seed}"
        write_adapter(folder, self._seed * 1_000_003 + self._number)
        new = NewVersion(tenant=tenant, base_model=MODEL, rank=4)
        version = memory.adapters.register(folder, new)
        self._point(tenant, version.id, partial(_promoted, memory, tenant, version.id))

    def _point(self, tenant: str, to: str, act: Callable[[], str]) -> None:
        self._tell(tried="point", tenant=tenant, to=to)
        try:
            champion = act()
        except ConflictError:  # nothing to roll back to
            self._tell(done="refused", tenant=tenant)
            return
        self._tell(done="point", tenant=tenant, to=champion)

    def _draft(self, tenant: str) -> Draft:
        self._number += 1
        question = f"question {self._seed}-{self._number} of {tenant}"
        return Draft(
            tenant=tenant,
            task=TASK,
            messages=(Message(role="user", content=question),),
            answer=str(self._number),
            rationale=f"because {tenant}",
            tier=Tier.FEEDBACK,
        )


def _promoted(memory: LongTermMemory, tenant: str, adapter_id: str) -> str:
    return memory.adapters.promote(tenant, adapter_id).id


def _rolled_back(memory: LongTermMemory, tenant: str) -> str:
    return memory.adapters.rollback(tenant).id
