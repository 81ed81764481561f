"""What each generation considered learning from, how it chose, and solutions that models wrote.

Owns the tables of candidates, selections and worked solutions. Knows neither how a score is found
nor what is made of it. What is of a record goes with it: nothing is noted of an erased one.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic import Field
from sqlalchemy import Connection, delete, func, insert, select

from memory.store.chunks import chunks
from memory.store.database import Database
from memory.store.schema import candidate, record, selection, worked_solution
from memory.text import digest
from memory.types import Frozen, Record, State

KEPT = 20
"""Generations of a tenant on one base whose candidates are kept; the selections of all are."""

Candidates: TypeAlias = "tuple[Candidate, ...]"


class Scores(Frozen):
    """What speaks for learning from a record."""

    tier: str
    verifier: str | None = None
    """What vouched for its answer, where something is named."""
    difficulty: float | None = None
    """Pass rate of the base, of a few drawn answers; None where it was not asked."""
    perplexity: float
    """Perplexity of its solution under the base, per token."""
    novelty: float
    """1 − the cosine to the nearest question that covers more: 0 asks what another asks."""
    influence: float
    """Cosine of its gradient with that of other questions of the tenant."""
    tokens: int
    """Length of its solution."""


class Candidate(Frozen):
    """A record that a generation considered."""

    tenant: str
    base_model: str
    adapter_id: str
    record_id: str
    content: str
    """`content_of` the record when it was scored."""
    chosen: bool
    scores: Scores
    at: float = Field(default_factory=time.time)
    """Unix seconds."""


class Selection(Frozen):
    """How a generation chose, and what came of it."""

    tenant: str
    base_model: str
    adapter_id: str
    policy: str
    propensity: float = Field(gt=0, le=1)
    """The chance that this policy had; 1 where nothing was drawn."""
    propensities: Mapping[str, float]
    served: bool
    """Whether an adapter was served that it had to beat."""
    gain: float
    """Held-out questions gained, less those lost, ÷ those asked."""
    at: float = Field(default_factory=time.time)
    """Unix seconds."""


class WorkedSolution(Frozen):
    """What a model wrote for a record that had only an answer."""

    tenant: str
    record_id: str
    base_model: str
    content: str
    text: str | None
    """None where nothing it wrote was accepted."""
    at: float = Field(default_factory=time.time)
    """Unix seconds."""


def content_of(of: Record) -> str:
    """Return the digest of what is learned from a record."""
    return digest([of.question, of.answer, of.rationale])


class CandidateStore:
    """The candidates, selections and worked solutions of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, choice: Selection, considered: Sequence[Candidate]) -> None:
        """Note how a generation chose, and among what."""
        tenant, base_model = choice.tenant, choice.base_model
        with self._database.writing(tenant) as connection:
            connection.execute(insert(selection).values(choice.model_dump(mode="json")))
            there = _there(connection, tenant, [each.record_id for each in considered])
            rows = [_row(each) for each in considered if each.record_id in there]
            if rows:
                connection.execute(insert(candidate), rows)
            _drop_older(connection, tenant, base_model)

    def selections(self, tenant: str, base_model: str) -> tuple[Selection, ...]:
        """Return how a tenant's generations on a base chose, the oldest first."""
        mine = (selection.c.tenant == tenant) & (selection.c.base_model == base_model)
        query = select(selection).where(mine).order_by(selection.c.number)
        with self._database.reading(tenant) as connection:
            rows = connection.execute(query).mappings()
            return tuple(Selection.model_validate(_without_number(dict(row))) for row in rows)

    def bases(self, tenant: str) -> list[str]:
        """Return the bases on which a tenant's generations chose."""
        query = select(selection.c.base_model).where(selection.c.tenant == tenant).distinct()
        with self._database.reading(tenant) as connection:
            return sorted(connection.execute(query).scalars())

    def known(self, tenant: str, base_model: str) -> dict[str, Candidate]:
        """Return by record the newest scores under a base."""
        mine = (candidate.c.tenant == tenant) & (candidate.c.base_model == base_model)
        newest = select(func.max(candidate.c.number)).where(mine).group_by(candidate.c.record_id)
        with self._database.reading(tenant) as connection:
            rows = connection.execute(select(candidate).where(mine, candidate.c.number.in_(newest)))
            return {row["record_id"]: _candidate(dict(row)) for row in rows.mappings()}

    def of_record(self, tenant: str, record_id: str) -> Candidates:
        """Return the scores of a record, those of the newest generation first."""
        mine = (candidate.c.tenant == tenant) & (candidate.c.record_id == record_id)
        query = select(candidate).where(mine).order_by(candidate.c.number.desc())
        with self._database.reading(tenant) as connection:
            return tuple(_candidate(dict(row)) for row in connection.execute(query).mappings())

    def solutions(self, tenant: str, base_model: str) -> dict[str, WorkedSolution]:
        """Return by record what a base wrote for a tenant."""
        table = worked_solution
        query = select(table).where(table.c.tenant == tenant, table.c.base_model == base_model)
        with self._database.reading(tenant) as connection:
            rows = connection.execute(query).mappings()
            return {row["record_id"]: WorkedSolution.model_validate(dict(row)) for row in rows}

    def add_solution(self, new: WorkedSolution) -> None:
        """Keep what a model wrote, in the place of what it wrote before."""
        table, mine = worked_solution, new.model_dump()
        key = [table.c[name] == mine[name] for name in ("tenant", "record_id", "base_model")]
        with self._database.writing(new.tenant) as connection:
            if _there(connection, new.tenant, [new.record_id]):
                connection.execute(delete(table).where(*key))
                connection.execute(insert(table).values(mine))


def erase_scores(connection: Connection, tenant: str, record_id: str) -> dict[str, int]:
    """Erase what generations noted of a record; return how many of each."""
    return {
        name: connection.execute(
            delete(table).where(table.c.tenant == tenant, table.c.record_id == record_id)
        ).rowcount
        for name, table in (("scores", candidate), ("worked_solutions", worked_solution))
    }


def _there(connection: Connection, tenant: str, ids: Sequence[str]) -> Collection[str]:
    """Return those of the records that are not erased."""
    mine = (record.c.tenant == tenant) & (record.c.state != State.ERASED)
    found: set[str] = set()
    for some in chunks(ids):
        query = select(record.c.id).where(mine, record.c.id.in_(some))
        found.update(connection.execute(query).scalars())
    return found


def _drop_older(connection: Connection, tenant: str, base_model: str) -> None:
    """Drop the candidates of all but the newest generations."""
    mine = (selection.c.tenant == tenant) & (selection.c.base_model == base_model)
    newest = select(selection.c.adapter_id).where(mine).order_by(selection.c.number.desc())
    kept = list(connection.execute(newest.limit(KEPT)).scalars())
    older = (candidate.c.tenant == tenant) & (candidate.c.base_model == base_model)
    connection.execute(delete(candidate).where(older, candidate.c.adapter_id.not_in(kept)))


def _row(new: Candidate) -> dict[str, Any]:
    row = new.model_dump(exclude={"scores"})
    return row | new.scores.model_dump()


def _candidate(row: Mapping[str, Any]) -> Candidate:
    scores = {name: row[name] for name in Scores.model_fields}
    fields = {name: row[name] for name in Candidate.model_fields if name != "scores"}
    return Candidate(**fields, scores=Scores(**scores))


def _without_number(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "number"}
