"""Evaluations: what is to be graded, and by what.

Owns their table. Knows neither graders nor runs, but that runs go with their evaluation.
"""

from __future__ import annotations

import time
from typing import Any, TypeAlias
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update

from memory.errors import ConflictError, NotFoundError
from memory.offline.evaluation import Evaluation, NewEvaluation
from memory.paging import place_of
from memory.store.database import Database
from memory.store.schema import eval_output, eval_run, evaluation

Evaluations: TypeAlias = "list[Evaluation]"  # inside the class, `list` is a method


class EvalStore:
    """The evaluations of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, new: NewEvaluation, most: int) -> Evaluation:
        """Remember an evaluation; raises `ConflictError` where its tenant has `most` of them."""
        now = time.time()
        values = new.model_dump(mode="json") | {
            "id": f"eval_{uuid4().hex}",
            "created_at": now,
            "updated_at": now,
        }
        count = select(func.count()).where(evaluation.c.tenant == new.tenant)
        with self._database.writing(new.tenant) as connection:
            if connection.execute(count).scalar_one() >= most:
                raise ConflictError(f"there are {most} evals, the most there may be: delete one")
            connection.execute(insert(evaluation).values(values))
        return Evaluation.model_validate(values)

    def get(self, tenant: str, eval_id: str) -> Evaluation:
        """Return an evaluation; raises `NotFoundError`."""
        with self._database.reading(tenant) as connection:
            return _evaluation(_row(connection, tenant, eval_id))

    def list(
        self,
        tenant: str,
        limit: int,
        after: str | None = None,
        *,
        newest_first: bool = False,
        by_update: bool = False,
    ) -> Evaluations:
        """Return evaluations by when they were made, or last changed; those `after` an id."""
        at = evaluation.c.updated_at if by_update else evaluation.c.number
        keys = [at, evaluation.c.number]
        wanted = evaluation.c.tenant == tenant
        with self._database.reading(tenant) as connection:
            if after is not None:
                row = place_of(_row, connection, tenant, after)
                then = row.updated_at if by_update else row.number
                first = at < then if newest_first else at > then
                number = evaluation.c.number
                second = number < row.number if newest_first else number > row.number
                wanted = and_(wanted, or_(first, and_(at == then, second)))
            order = [key.desc() if newest_first else key.asc() for key in keys]
            found = select(evaluation).where(wanted).order_by(*order).limit(limit)
            return [_evaluation(row) for row in connection.execute(found)]

    def change(self, tenant: str, eval_id: str, changes: dict[str, Any]) -> Evaluation:
        """Change `name` or `metadata`, whichever is given; raises `NotFoundError`."""
        with self._database.writing(tenant) as connection:
            found = _evaluation(_row(connection, tenant, eval_id))
            values: dict[str, Any] = {"updated_at": time.time()}
            if "name" in changes:
                values["name"] = changes["name"]
            if "metadata" in changes:
                details = found.details.model_copy(update={"metadata": changes["metadata"]})
                values["details"] = details.model_dump(mode="json")
            here = evaluation.c.id == eval_id
            connection.execute(update(evaluation).where(here).values(**values))
            return _evaluation(_row(connection, tenant, eval_id))

    def delete(self, tenant: str, eval_id: str) -> None:
        """Forget an evaluation and its runs, whatever they are at; raises `NotFoundError`."""
        runs = select(eval_run.c.id).where(eval_run.c.eval_id == eval_id)
        with self._database.writing(tenant) as connection:
            _row(connection, tenant, eval_id)
            connection.execute(delete(eval_output).where(eval_output.c.run_id.in_(runs)))
            connection.execute(delete(eval_run).where(eval_run.c.eval_id == eval_id))
            connection.execute(delete(evaluation).where(evaluation.c.id == eval_id))


def found_evaluation(connection: Connection, tenant: str, eval_id: str) -> Evaluation:
    """Return an evaluation within a transaction; raises `NotFoundError`."""
    return _evaluation(_row(connection, tenant, eval_id))


def _row(connection: Connection, tenant: str, eval_id: str) -> Row[tuple[Any, ...]]:
    here = and_(evaluation.c.id == eval_id, evaluation.c.tenant == tenant)
    row = connection.execute(select(evaluation).where(here)).first()
    if row is None:
        raise NotFoundError(f"no eval {eval_id}")
    return row


def _evaluation(row: Row[tuple[Any, ...]]) -> Evaluation:
    fields = {k: v for k, v in row._mapping.items() if k in Evaluation.model_fields}
    return Evaluation.model_validate(fields)
