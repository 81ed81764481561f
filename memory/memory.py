"""Long-term memory as the packages above see it: save, recall, forget.

Owns the order of things: the database first, the index from it, and every hit re-read before it is
handed out. All methods are synchronous and thread-safe, `aside` has those a request waits for;
where the storage fails they raise `StorageUnavailableError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from memory.aside import Aside
from memory.embedding.embedder import Embedder
from memory.embedding.questions import Questions
from memory.erasure.erasures import Witness
from memory.erasure.forgetting import Forgetting
from memory.erasure.traces import Trace, traces_of
from memory.events import changed_records, head_seq
from memory.identity.prompt import Prompt
from memory.index.cache import IndexCache
from memory.index.vectors import VectorStore
from memory.index.verify import VerifyReport
from memory.newcomers import Entry
from memory.recalling import Recall
from memory.records import RecordStore
from memory.statistics import tenant_statistics
from memory.store.artifacts import Artifacts
from memory.store.database import Database, open_database
from memory.store.group_commit import GroupCommit
from memory.store.scope import EVERYONE
from memory.stores import Stores
from memory.types import Draft, Neighbour, Record, Saved, State
from memory.versions.learned import LearnedQuestions
from memory.versions.lineage import Lineage

Records: TypeAlias = list[Record]  # inside the class, `list` is a method
Ids: TypeAlias = list[str]
Neighbours: TypeAlias = list[Neighbour]


class LongTermMemory(Stores):
    """The memory of all tenants in one data directory."""

    def __init__(
        self,
        database: Database,
        embedder: Embedder,
        data_dir: Path,
        retention_days: float,
        response_days: float,
        artifacts: Artifacts | None,
        recall_text: bool = True,
        trace_rows: int = 1_000,
    ) -> None:
        super().__init__(database, data_dir, retention_days, response_days, artifacts, trace_rows)
        self.data_dir = data_dir
        self.embedder = embedder
        self._records = RecordStore(database, embedder.id)
        self.lineage = Lineage(database, self.completions, self._records, self.adapters)
        self.learned = LearnedQuestions(database, embedder.id, embedder.dim)
        self.questions = Questions(embedder, self.learned)
        self._saver = GroupCommit(self._records.save_many)
        vectors = VectorStore(database, embedder.id, embedder.dim)
        self._indexes = IndexCache(vectors, embedder, data_dir / "index")
        self.forgetting = Forgetting(
            database,
            self._records,
            self.completions,
            self.responses,
            self.files,
            self._indexes,
            self._saver,
        )
        self.erasures = self.forgetting.erasures
        self._recall = Recall(database, self._indexes, by_words=recall_text)
        self.aside = Aside(self)

    @classmethod
    def open(
        cls,
        data_dir: Path,
        embedder: Embedder,
        *,
        retention_days: float = 30.0,
        response_days: float = 30.0,
        database_url: str | None = None,
        artifacts: str | None = None,
        recall_text: bool = True,
        trace_rows: int = 1_000,
    ) -> LongTermMemory:
        """Open the memory in `data_dir`, creating or migrating it where needed.

        Its tables are in PostgreSQL where there is a URL of one, and the folder is for the rest.
        `artifacts` is the URL of what replicas share. Completions are kept for `retention_days`,
        stored responses for `response_days`, records until they are forgotten. Without
        `recall_text` neighbours are found by their vectors alone. Each tenant keeps `trace_rows`
        traces.
        """
        database = open_database(data_dir, database_url)
        shared = None if artifacts is None else Artifacts(artifacts)
        days = (retention_days, response_days)
        return cls(database, embedder, data_dir, *days, shared, recall_text, trace_rows)

    def save(self, draft: Draft) -> Saved:
        """Store a verified success; it is durable when this returns.

        The same answer to the same question confirms the record there is; another answer is
        settled by the tiers (`memory.settle`).
        """
        return self.store(draft, self.embed([draft])[0])

    def store(self, draft: Draft, vector: np.ndarray) -> Saved:
        """Save a draft whose question has the unit vector `vector`, float32, shape (d,)."""
        return self._saver.save(Entry(draft, vector))

    def save_many(self, drafts: Sequence[Draft], states: Sequence[State] = ()) -> list[Saved]:
        """Store drafts in one commit, all or none; `states` may hold newcomers back."""
        best = states or [State.ACTIVE] * len(drafts)
        vectors = self.embed(drafts)
        return self._records.save_many(
            [Entry(d, v, s) for d, v, s in zip(drafts, vectors, best, strict=True)]
        )

    def embed(self, drafts: Sequence[Draft]) -> np.ndarray:
        """Return the unit vectors of the drafts' questions, float32, shape (n, d)."""
        return self.questions.vectors(drafts)

    def recall(
        self, tenant: str, question: str, *, k: int, task: str | None = None
    ) -> list[Neighbour]:
        """Return up to `k` active records of the tenant, most similar question first.

        Every hit is re-read from the database, so a stale or wrong index can hide a neighbour but
        never show one that is foreign, quarantined or erased. Raises `UnreadableError`.
        """
        if k <= 0:
            return []
        vector = self.questions.vector_of(question)
        return self.near(tenant, vector, k=k, task=task, question=question)

    def near(
        self,
        tenant: str,
        vector: np.ndarray,
        *,
        k: int,
        task: str | None = None,
        question: str | None = None,
    ) -> Neighbours:
        """Recall by the question's unit vector, float32, shape (d,), and by its rare words."""
        return self._recall.near(tenant, vector, k, task, question)

    def lacking(self, tenant: str) -> int:
        """Return how many records recall cannot find yet: another embedder stored them."""
        return self._indexes.lacking(tenant)

    def get(self, tenant: str, record_id: str) -> Record:
        """Return one record; raises `NotFoundError` for a foreign or unknown id."""
        return self._records.get(tenant, record_id)

    def list(
        self,
        tenant: str,
        *,
        state: State | None = None,
        task: str | None = None,
        q: str | None = None,
        limit: int = 100,
        after: str | None = None,
    ) -> Records:
        """Return one page of records, newest first, following the record `after`.

        `q` is a substring of question, answer or rationale; erased records appear only when
        `state` asks for them.
        """
        return self._records.page(tenant, state=state, task=task, q=q, limit=limit, after=after)

    def walk(self, tenant: str, *, state: State | None = None) -> Iterator[Record]:
        """Yield every record of the tenant that is not erased, oldest first."""
        return self._records.walk(tenant, state=state)

    def find(self, tenant: str, asked: Prompt | str, answer: str) -> Record | None:
        """Return the record that gives this answer to this question, in whatever state.

        The question is a prompt, or a prompt's fingerprint.
        """
        return self._records.find(tenant, asked, answer)

    def answer_to(self, tenant: str, fingerprint: str) -> Record | None:
        """Return the active record of a prompt: there is one at most."""
        return self._records.active(tenant, fingerprint)

    def set_state(self, tenant: str, record_id: str, state: State, reason: str) -> Record:
        """Move a record to another state, e.g. after a review; `ConflictError` where it cannot."""
        if state is State.ERASED:
            return self.forget(tenant, record_id)
        return self._records.set_state(tenant, record_id, state, reason)

    def hold(self, tenant: str, record_id: str, doubt: str, near: Sequence[str] = ()) -> Record:
        """Hold an active record back for review, with what speaks against it and what is near."""
        return self._records.hold(tenant, record_id, doubt, near)

    def take_back(self, tenant: str, asked: str, completion_id: str, answer: str | None) -> None:
        """Retire what earlier feedback on a completion said, where it now says `answer`.

        What anything else vouches for stays; `asked` is the question's fingerprint.
        """
        self._records.take_back(tenant, asked, completion_id, answer)

    def edit(
        self, tenant: str, record_id: str, answer: str, rationale: str, by: str | None = None
    ) -> Record:
        """Correct a record's answer and text; `ConflictError` where it cannot be.

        `by` is the completion that feedback was about, where it is feedback that corrects.
        """
        return self._records.edit(tenant, record_id, answer, rationale, by)

    def revise(
        self,
        tenant: str,
        record_id: str,
        *,
        answer: str | None = None,
        rationale: str | None = None,
        state: State | None = None,
        reason: str = "",
    ) -> Record:
        """Edit a record and move it in one transaction: both or neither; erasing is `forget`'s.

        An answer alone is its own rationale. Raises as `edit` and `set_state` do.
        """
        return self._records.revise(tenant, record_id, answer, rationale, state, reason)

    def forget(self, tenant: str, record_id: str, witness: Witness | None = None) -> Record:
        """Erase a record's content irrecoverably; return the tombstone that stays.

        What holds its question goes with it, queued or written: completions, the votes noted there,
        stored responses, items of conversations, and lines of files. Adapters that learned from it
        are named by `adapters.revoked_by`. Repeating it ends what was interrupted; what went is in
        `erasures`.
        """
        return self.forgetting.forget(tenant, record_id, witness)

    def alike(self, tenant: str, record_id: str) -> Ids:
        """Return the other records that hold a record's question: an erasure leaves them."""
        return self.forgetting.alike(tenant, record_id)

    def traces(self, needles: Sequence[bytes]) -> Iterator[Trace]:
        """Yield every place in the tables, of all tenants, that holds one of the needles."""
        return traces_of(self._database, needles)

    def credit(self, tenant: str, record_ids: Iterable[str], won: bool) -> None:
        """Count a use of each recalled record, and a win where the answer held."""
        self._records.credit(tenant, record_ids, won=won)

    def changed(self, tenant: str, after: int | None) -> tuple[int, frozenset[str] | None]:
        """Return the number of the newest event, and the records that those after `after` concern.

        None where everything may have changed: before the first look, and after a restored backup.
        """
        with self._database.reading(tenant) as connection:
            head = head_seq(connection, tenant)
            if after is None or after > head:
                return head, None
            return head, frozenset(changed_records(connection, tenant, after))

    def stats(self, tenant: str | None = None) -> dict[str, Any]:
        """Return counts for one tenant, or for all together."""
        with self._database.reading(EVERYONE if tenant is None else tenant) as connection:
            counts = tenant_statistics(connection, tenant)
        return counts | {
            "embedder": self.embedder.id,
            "database_bytes": self._database.size_bytes(),
        }

    def rebuild(self, tenant: str, on_progress: Callable[[int, int], None] | None = None) -> int:
        """Rebuild the tenant's index from the database; return how many records it holds.

        `on_progress` is told how many records are in it, and of how many, after each batch.
        """
        return self._indexes.rebuild(tenant, on_progress)

    def verify(self, tenant: str) -> VerifyReport:
        """Compare the tenant's index with the database, vector by vector."""
        return self._indexes.verify(tenant)

    def close(self) -> None:
        """Write what is queued, leave index snapshots behind and close the database."""
        self.completions.close()
        self._indexes.close()
        self._database.close()
