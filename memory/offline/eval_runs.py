"""Runs of evaluations, and what came of each item.

Owns their tables. Knows neither models nor graders. A run is held by one process at a time, and
what is kept of it lets another go on.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias
from uuid import uuid4

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update

from memory.errors import ConflictError, NotFoundError
from memory.offline.evals import found_evaluation
from memory.offline.evaluation import (
    OPEN,
    EvalOutput,
    EvalRun,
    NewOutput,
    NewRun,
    RunStatus,
    RunSummary,
)
from memory.offline.turns import next_in_turn
from memory.paging import place_of
from memory.store.database import Database
from memory.store.schema import eval_output, eval_run
from memory.store.scope import EVERYONE

HELD_S = 60.0
"""A worker of a run says so more often; after this, another may go on with it."""
Runs: TypeAlias = "list[EvalRun]"  # inside the class, `list` is a method
Outputs: TypeAlias = "list[EvalOutput]"


class EvalRunStore:
    """The runs of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, new: NewRun, most_open: int, most: int) -> EvalRun:
        """Remember a run, queued; raises `NotFoundError` without its evaluation.

        Raises `ConflictError` where its tenant has `most_open` that are not done, or `most`.
        """
        values = new.model_dump(mode="json") | {
            "id": f"evalrun_{uuid4().hex}",
            "status": RunStatus.QUEUED,
            "summary": RunSummary().model_dump(mode="json"),
            "created_at": time.time(),
        }
        mine = eval_run.c.tenant == new.tenant
        with self._database.writing(new.tenant) as connection:
            found_evaluation(connection, new.tenant, new.eval_id)
            if _count(connection, and_(mine, eval_run.c.status.in_(OPEN))) >= most_open:
                raise ConflictError(
                    f"{most_open} runs are not done, the most at a time: wait for one to end"
                )
            if _count(connection, mine) >= most:
                raise ConflictError(f"there are {most} runs, the most there may be: delete one")
            connection.execute(insert(eval_run).values(values | {"held_until": 0.0}))
        return EvalRun.model_validate(values)

    def get(self, tenant: str, eval_id: str, run_id: str) -> EvalRun:
        """Return a run; raises `NotFoundError`."""
        with self._database.reading(tenant) as connection:
            return _run(_row(connection, tenant, eval_id, run_id))

    def list(
        self,
        tenant: str,
        eval_id: str,
        limit: int,
        after: str | None = None,
        *,
        newest_first: bool = False,
        status: RunStatus | None = None,
    ) -> Runs:
        """Return the runs of an evaluation; those that come `after` one of that id."""
        wanted = and_(eval_run.c.tenant == tenant, eval_run.c.eval_id == eval_id)
        if status is not None:
            wanted = and_(wanted, eval_run.c.status == status)
        number = eval_run.c.number
        with self._database.reading(tenant) as connection:
            found_evaluation(connection, tenant, eval_id)
            if after is not None:
                here = place_of(_row, connection, tenant, eval_id, after).number
                wanted = and_(wanted, number < here if newest_first else number > here)
            order = number.desc() if newest_first else number.asc()
            found = select(eval_run).where(wanted).order_by(order).limit(limit)
            return [_run(row) for row in connection.execute(found)]

    def cancel(self, tenant: str, eval_id: str, run_id: str) -> EvalRun:
        """End a run with what is graded; raises `NotFoundError` and `ConflictError`."""
        with self._database.writing(tenant) as connection:
            found = _run(_row(connection, tenant, eval_id, run_id))
            if found.status not in OPEN:
                raise ConflictError(f"run {run_id} is {found.status} already")
            _change(connection, run_id, status=RunStatus.CANCELED, holder=None)
            return _run(_row(connection, tenant, eval_id, run_id))

    def delete(self, tenant: str, eval_id: str, run_id: str) -> None:
        """Forget a run and its outputs, whatever it is at; raises `NotFoundError`."""
        with self._database.writing(tenant) as connection:
            _row(connection, tenant, eval_id, run_id)
            connection.execute(delete(eval_output).where(eval_output.c.run_id == run_id))
            connection.execute(delete(eval_run).where(eval_run.c.id == run_id))

    def outputs(
        self,
        tenant: str,
        eval_id: str,
        run_id: str,
        limit: int,
        after: str | None = None,
        *,
        newest_first: bool = False,
        status: str | None = None,
    ) -> Outputs:
        """Return the outputs of a run in the order of its items; those `after` one of that id."""
        wanted, line = eval_output.c.run_id == run_id, eval_output.c.line
        if status is not None:
            wanted = and_(wanted, eval_output.c.status == status)
        with self._database.reading(tenant) as connection:
            _row(connection, tenant, eval_id, run_id)
            if after is not None:
                here = place_of(_output_row, connection, run_id, after).line
                wanted = and_(wanted, line < here if newest_first else line > here)
            order = line.desc() if newest_first else line.asc()
            found = select(eval_output).where(wanted).order_by(order).limit(limit)
            return [_output(row) for row in connection.execute(found)]

    def output(self, tenant: str, eval_id: str, run_id: str, output_id: str) -> EvalOutput:
        """Return one output; raises `NotFoundError`."""
        with self._database.reading(tenant) as connection:
            _row(connection, tenant, eval_id, run_id)
            return _output(_output_row(connection, run_id, output_id))

    # What follows is for whoever works on runs: it is of all tenants.

    def claim(self, holder: str, but_of: Collection[str] = ()) -> EvalRun | None:
        """Return the oldest run that waits for somebody, now held; None where there is none.

        Of each tenant one is worked on at a time, and none of the tenants `but_of`. The tenant
        whose run was let go longest ago, or never held, comes first.
        """
        now = time.time()
        columns = ("id", "number", "tenant", "holder", "held_until")
        open_ones = select(*(eval_run.c[name] for name in columns)).where(
            eval_run.c.status.in_(OPEN)
        )
        with self._database.writing(EVERYONE) as connection:
            found = connection.execute(open_ones.order_by(eval_run.c.number))
            row = next_in_turn(found, holder, now, but_of)
            if row is None:
                return None
            begun = {"status": RunStatus.IN_PROGRESS, "held_until": now + HELD_S}
            _change(connection, row.id, holder=holder, **begun)
            return _own(connection, row.id)

    def hold(self, run_id: str, holder: str) -> bool:
        """Say that the holder is still at work; whether it is to go on."""
        with self._held(run_id, holder) as connection:
            if connection is not None:
                _change(connection, run_id, held_until=time.time() + HELD_S)
            return connection is not None

    def let_go(self, holder: str) -> None:
        """Have others go on at once with what the holder works on."""
        free = {"holder": None, "held_until": time.time()}
        with self._database.writing(EVERYONE) as connection:
            mine = eval_run.c.holder == holder
            connection.execute(update(eval_run).where(mine).values(**free))

    def begin(self, run_id: str, holder: str, total: int) -> None:
        """Note how many items there are, where the run is the holder's."""
        with self._held(run_id, holder) as connection:
            if connection is not None:
                _change(connection, run_id, total=total)

    def done(self, run_id: str) -> set[int]:
        """Return the items of which something came."""
        lines = select(eval_output.c.line).where(eval_output.c.run_id == run_id)
        with self._database.reading(EVERYONE) as connection:
            return set(connection.execute(lines).scalars())

    def note(self, run_id: str, holder: str, outputs: Sequence[NewOutput]) -> None:
        """Keep what came of items; a second output of one is not kept.

        Nor is any where the run is another's by now, or has ended.
        """
        with self._held(run_id, holder) as connection:
            if connection is None:
                return
            known = _lines(connection, run_id, [each.line for each in outputs])
            new = [each for each in outputs if each.line not in known]
            if not new:
                return
            connection.execute(insert(eval_output), [_values(run_id, each) for each in new])
            summary = _own(connection, run_id).summary.plus(new)
            _change(connection, run_id, summary=summary.model_dump(mode="json"))

    def end(
        self, run_id: str, holder: str, status: RunStatus, error: dict[str, str] | None = None
    ) -> None:
        """End the run, where it is the holder's."""
        with self._held(run_id, holder) as connection:
            if connection is not None:
                _change(connection, run_id, status=status, error=error, holder=None)

    @contextmanager
    def _held(self, run_id: str, holder: str) -> Iterator[Connection | None]:
        """Write what is of a run that the holder works on; None where it is not to any more."""
        tenant = select(eval_run.c.tenant).where(eval_run.c.id == run_id)
        with self._database.reading(EVERYONE) as connection:
            found = connection.execute(tenant).scalars().all()
        is_open = eval_run.c.status.in_(OPEN)
        mine = and_(eval_run.c.id == run_id, eval_run.c.holder == holder, is_open)
        with self._database.writing(found) as connection:
            is_mine = connection.execute(select(eval_run.c.id).where(mine)).first() is not None
            yield connection if is_mine else None


def _count(connection: Connection, wanted: Any) -> int:
    return int(connection.execute(select(func.count()).where(wanted)).scalar_one())


def _values(run_id: str, output: NewOutput) -> dict[str, Any]:
    kept = output.model_dump(mode="json", include={"line", "status", "content"})
    return {
        "run_id": run_id,
        "id": f"outputitem_{uuid4().hex}",
        "created_at": time.time(),
        **kept,
    }


def _lines(connection: Connection, run_id: str, lines: Sequence[int]) -> set[int]:
    here = and_(eval_output.c.run_id == run_id, eval_output.c.line.in_(lines))
    return set(connection.execute(select(eval_output.c.line).where(here)).scalars())


def _change(connection: Connection, run_id: str, **values: Any) -> None:
    connection.execute(update(eval_run).where(eval_run.c.id == run_id).values(**values))


def _own(connection: Connection, run_id: str) -> EvalRun:
    return _run(connection.execute(select(eval_run).where(eval_run.c.id == run_id)).one())


def _row(connection: Connection, tenant: str, eval_id: str, run_id: str) -> Row[tuple[Any, ...]]:
    mine = and_(eval_run.c.tenant == tenant, eval_run.c.eval_id == eval_id)
    row = connection.execute(select(eval_run).where(mine, eval_run.c.id == run_id)).first()
    if row is None:
        raise NotFoundError(f"no run {run_id} of eval {eval_id}")
    return row


def _output_row(connection: Connection, run_id: str, output_id: str) -> Row[tuple[Any, ...]]:
    here = and_(eval_output.c.run_id == run_id, eval_output.c.id == output_id)
    row = connection.execute(select(eval_output).where(here)).first()
    if row is None:
        raise NotFoundError(f"no output item {output_id} of run {run_id}")
    return row


def _run(row: Row[tuple[Any, ...]]) -> EvalRun:
    fields = {name: value for name, value in row._mapping.items() if name in EvalRun.model_fields}
    return EvalRun.model_validate(fields)


def _output(row: Row[tuple[Any, ...]]) -> EvalOutput:
    return EvalOutput.model_validate(dict(row._mapping))
