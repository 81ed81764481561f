"""Two tenants with canaries in one memory: what they ask, and what must not be found with them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from loadtests.load.wire import Reply, Wire, posting
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Tier
from server.tenancy.issuing import make
from server.tenancy.principal import Role
from server.tenancy.secret import FILE_NAME, Secret

CANARY = re.compile(r"canary-[0-9a-f]{8}")
CANARIES = {"ann": "canary-7c1f00d5", "bob": "canary-93ab41e2"}
ANSWER = "14"
"""To every question."""
RECORDS = 200
"""Of each tenant, before the first request."""
SAMPLES = 4
VERIFIER = {"type": "string_check", "reference": ANSWER, "operation": "eq"}


@dataclass
class Tenant:
    """One customer, and what it was told."""

    name: str
    key: str
    numbers: Iterator[int] = field(default_factory=itertools.count)
    replies: list[Reply] = field(default_factory=list)
    saved: set[str] = field(default_factory=set)
    """Ids of the records that were acknowledged."""
    foreign: int = 0
    """Answers and records that hold the other's canary."""
    samples: int = 0
    """Drawn for its votes."""
    lost: int = 0
    """Acknowledged records that a replica does not have, summed over replicas."""
    unread: int = 0
    """Looks at a replica in which memory was not read: they could not have seen a foreign one."""

    def request(self) -> bytes:
        """Return a question that was never asked, to be voted on, verified and saved."""
        asked = f"{CANARIES[self.name]}: {question(self.name, RECORDS + next(self.numbers))}"
        return self._asking(asked, "consistency", max_samples=SAMPLES, verifiers=[VERIFIER])

    def recalling_request(self) -> bytes:
        """Return a question without a canary, to be answered with neighbours shown."""
        asked = question(self.name, RECORDS + next(self.numbers))
        return self._asking(asked, "demonstrations", memory={"write": False})

    def plain_request(self) -> bytes:
        """Return a question to be answered by one sample, without memory."""
        asked = question(self.name, next(self.numbers))
        return self._asking(asked, "plain", memory={"read": False, "write": False})

    def _asking(self, asked: str, strategy: str, **options: Any) -> bytes:
        body = {
            "model": "whet-pebble",
            "messages": [{"role": "user", "content": asked}],
            "adaptation": {"strategy": strategy, **options},
        }
        return posting("/v1/chat/completions", body, self.headers)

    @property
    def headers(self) -> dict[str, str]:
        """What says who asks."""
        return {"authorization": f"Bearer {self.key}"}

    def note(self, reply: Reply) -> None:
        """Keep a reply, what it acknowledges, and whose canaries are in it."""
        self.replies.append(reply)
        self.foreign += self.holds_foreign(reply.body)
        if reply.status == 200:
            report = json.loads(reply.body)["adaptation"]
            self.saved |= {report["memory"]["saved"]} - {None}
            self.samples += report["samples"]["started"]

    def holds_foreign(self, text: bytes) -> bool:
        """Whether the other's canary is in a text."""
        return any(word.encode() in text for name, word in CANARIES.items() if name != self.name)

    async def look(self, port: int) -> None:
        """See what a replica has of both: what was acknowledged, and whose neighbours it shows."""
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, headers=self.headers, timeout=300) as http:
            found = (await http.get("/v1/memory/export")).raise_for_status()
        lines = found.content.splitlines()
        self.foreign += sum(map(self.holds_foreign, lines))
        self.lost += len(self.saved - {json.loads(line)["id"] for line in lines})
        wire = Wire(port)
        reply = await wire.post(self.recalling_request())
        wire.close()
        self.foreign += self.holds_foreign(reply.body)
        self.unread += CANARIES[self.name].encode() not in reply.body


def question(name: str, number: int) -> str:
    """Return a sum in words that a tenant asks once; the word of a tenant is not in it."""
    return (
        f"{name} has {number} apples, buys 7 more and gives {number - 7} away. How many are left?"
    )


def settle(folder: Path, database_url: str) -> list[Tenant]:
    """Make the tables, two tenants with a key each, and what they remember.

    `folder` is a data folder; its secret has to be that of every replica.
    """
    embedder = create_embedder("hashing")
    with closing(LongTermMemory.open(folder, embedder, database_url=database_url)) as memory:
        secret = Secret.of_folder(folder)
        for name in CANARIES:
            memory.save_many(drafts(name, range(RECORDS)))
        return [
            Tenant(name, make(memory.keys, secret, name, Role.ADMIN, "", None)["key"])
            for name in CANARIES
        ]


def drafts(name: str, numbers: Iterable[int]) -> list[Draft]:
    """Return a record with a tenant's canary for each number."""
    return [
        Draft(
            tenant=name,
            messages=(Message(role="user", content=question(name, number)),),
            answer=ANSWER,
            rationale=f"{CANARIES[name]} #### {ANSWER}",
            tier=Tier.EXECUTABLE,
        )
        for number in numbers
    ]


def give_secret(folder: Path, data_dir: Path) -> None:
    """Copy the secret of one data folder into another."""
    data_dir.mkdir(parents=True)
    (data_dir / FILE_NAME).write_bytes((folder / FILE_NAME).read_bytes())


def replies_of(tenants: Sequence[Tenant]) -> list[Reply]:
    """Return how all of their requests ended."""
    return [reply for tenant in tenants for reply in tenant.replies]


def figures(tenants: Sequence[Tenant]) -> dict[str, Any]:
    """Return what was counted over all replies."""
    return {
        "requests": len(replies_of(tenants)),
        "samples": sum(each.samples for each in tenants),
        "saved": sum(len(each.saved) for each in tenants),
        "lost": sum(each.lost for each in tenants),
        "unread": sum(each.unread for each in tenants),
        "foreign": sum(each.foreign for each in tenants),
    }
