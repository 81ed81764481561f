"""Newcomers among the records of their question: stored, or taken for what is there already.

Owns what becomes of each, as `memory.settle` decides. Knows nothing of transactions: everything
here happens within one that `memory.records` has begun.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection, select

from memory.events import append_event
from memory.identity.answer_key import same_answer
from memory.inserting import insert_records, store_vectors, unasked
from memory.moving import move
from memory.record_queries import of_record, row_of, same_question
from memory.rows import confirmed, record_of
from memory.settle import Settlement, Standing, settle_known, settle_new
from memory.store.schema import record
from memory.types import Draft, Saved, State, Tier


@dataclass(frozen=True)
class Entry:
    """A draft with its unit vector (float32, shape (d,)), ready to be stored."""

    draft: Draft
    vector: np.ndarray
    state: State = State.ACTIVE
    """The best state the newcomer may get: an import can bring in quarantined records."""


@dataclass(frozen=True)
class Newcomer:
    """An entry and the columns it would be stored in."""

    entry: Entry
    row: dict[str, Any]


def save_all(
    connection: Connection, embedder_id: str, newcomers: Sequence[Newcomer]
) -> list[Saved]:
    """Store newcomers, in their order; those that ask what nobody asked before by one statement."""
    fresh = unasked(connection, [one.row for one in newcomers])
    made = _create(connection, embedder_id, [newcomers[place] for place in fresh])
    saved = dict(zip(fresh, made, strict=True))
    for place, newcomer in enumerate(newcomers):
        if place not in saved:
            saved[place] = _save(connection, embedder_id, newcomer)
    return [saved[place] for place in range(len(newcomers))]


def _save(connection: Connection, embedder_id: str, newcomer: Newcomer) -> Saved:
    entry, row = newcomer.entry, newcomer.row
    alike = same_question(row["tenant"], row["question_hash"])
    rows = connection.execute(select(record).where(alike)).mappings().all()
    known = _given_by(rows, row)
    rivals = [_standing(r) for r in rows if r is not known]
    if known is None:
        return _create(connection, embedder_id, [newcomer], rivals)[0]
    settled = settle_known(entry.draft.tier, _standing(known), rivals)
    if entry.state is not State.ACTIVE:
        settled = Settlement(known["state"], "already known")
    _quarantine(connection, row["tenant"], settled)
    changes = confirmed(known, entry.draft, settled.state)
    connection.execute(of_record(row["tenant"], known["id"]).values(**changes))
    append_event(connection, row["tenant"], "confirmed", known["id"], state=settled.state)
    saved = record_of(row_of(connection, row["tenant"], known["id"]))
    return Saved(
        record=saved, created=False, reason=settled.reason, fingerprint=row["question_hash"]
    )


def _create(
    connection: Connection,
    embedder_id: str,
    newcomers: Sequence[Newcomer],
    rivals: Sequence[Standing] = (),
) -> list[Saved]:
    """Insert newcomers; `rivals` are the other answers to the question, where it has some."""
    reasons = []
    for newcomer in newcomers:
        settled = _settled(newcomer.entry, rivals)
        _quarantine(connection, newcomer.row["tenant"], settled)
        contested = settled.contested and newcomer.entry.state is State.ACTIVE
        newcomer.row.update(state=settled.state, contested=contested)
        reasons.append(settled.reason)
    rows = [newcomer.row for newcomer in newcomers]
    insert_records(connection, rows)
    vectors = ((one.row["id"], one.entry.vector) for one in newcomers)
    store_vectors(connection, embedder_id, vectors)
    return [
        Saved(record=record_of(row), created=True, reason=why, fingerprint=row["question_hash"])
        for row, why in zip(rows, reasons, strict=True)
    ]


def _settled(entry: Entry, rivals: Sequence[Standing]) -> Settlement:
    if entry.state is not State.ACTIVE:
        return Settlement(entry.state, f"stored as {entry.state}")
    return settle_new(entry.draft.tier, rivals)


def _given_by(rows: Sequence[Any], new: Mapping[str, Any]) -> Any:
    """Return the record of the question that gives the new answer, or the only one it agrees with.

    A value without a unit is the one with a unit, as it is in a vote, unless two name units.
    """
    for row in rows:
        if row["answer_hash"] == new["answer_hash"]:
            return row
    alike = [row for row in rows if same_answer(row["answer"], new["answer"])]
    return alike[0] if len(alike) == 1 else None


def _standing(row: Any) -> Standing:
    return Standing(row["id"], State(row["state"]), Tier(row["tier"]), row["contested"])


def _quarantine(connection: Connection, tenant: str, settled: Settlement) -> None:
    for loser in settled.quarantine:
        move(connection, tenant, loser, State.QUARANTINED, settled.reason, contested=True)
