"""The solved examples of a world, and which of them are a question's neighbours.

The same memory, embedder and selection as the server's test-time training, run in this process: so
demonstrations are the very neighbours that training learns from, whatever server is measured.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from adaptation.evaluation.suites.solved import Solved
from adaptation.learning.neighbours import select_training_set
from adaptation.policy import Policy
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Neighbour, Tier

TENANT = "evaluation"


class Library:
    """Worlds' examples in a memory of their own."""

    def __init__(self, folder: Path, embedder: str, policy: Policy) -> None:
        self._memory = LongTermMemory.open(folder, create_embedder(embedder))
        self._policy = policy
        self._select = lru_cache(maxsize=4096)(self._selected)

    def add(self, examples: Sequence[Solved]) -> None:
        """Take in the examples of a world; those that are there already are confirmed."""
        self._memory.save_many([draft_of(TENANT, example) for example in examples])

    def neighbours(self, question: str, task: str) -> tuple[Neighbour, ...]:
        """Return the neighbours that training would learn from, the most informative first."""
        return self._select(question, task)

    def nearest(self, question: str, task: str) -> Neighbour | None:
        """The most similar one."""
        found = self._memory.recall(TENANT, question, k=1, task=task)
        return found[0] if found else None

    def close(self) -> None:
        """Let the files go."""
        self._memory.close()

    def _selected(self, question: str, task: str) -> tuple[Neighbour, ...]:
        policy = self._policy
        recalled = self._memory.recall(TENANT, question, k=policy.candidates, task=task)
        return select_training_set(
            recalled,
            count=policy.neighbours + policy.holdout,
            holdout=policy.holdout,
            min_similarity=policy.min_similarity,
        ).train


def draft_of(tenant: str, example: Solved) -> Draft:
    """Return what a memory saves of a solved example that is imported."""
    return Draft(
        tenant=tenant,
        task=example.task,
        messages=(Message(role="user", content=example.question),),
        answer=example.answer,
        rationale=example.rationale,
        tier=Tier.IMPORTED,
    )


def import_lines(examples: Sequence[Solved], task: str) -> str:
    """The examples as the JSON lines that `/v1/memory/import` takes, filed under `task`."""
    return "".join(
        json.dumps(
            {"question": e.question, "answer": e.answer, "rationale": e.rationale, "task": task}
        )
        + "\n"
        for e in examples
    )
