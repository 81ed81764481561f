"""How answers fared that were given while a candidate was tried.

Right or wrong is what the request's verifiers said, or feedback; what nobody judged is not counted.
"""

from __future__ import annotations

from sqlalchemy import and_, select

from memory.store.database import Database
from memory.store.schema import completion, trial


class LiveOutcomes:
    """The judged answers of all tenants, by the candidate that was tried."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, tenant: str, candidate: str, since: float) -> list[tuple[str, bool]]:
        """Return (arm, right) of the judged answers from `since` (Unix seconds) on, oldest first.

        The arm is what the answer's report says of it (`release`).
        """
        tried = completion.c.report["release"]
        verdict = completion.c.feedback["verdict"].as_string()
        same = and_(
            trial.c.tenant == completion.c.tenant,
            trial.c.id == completion.c.id,
            trial.c.source == "request",
        )
        query = (
            select(tried["arm"].as_string(), trial.c.right, verdict)
            .outerjoin(trial, same)
            .where(
                completion.c.tenant == tenant,
                completion.c.created_at >= since,
                tried["candidate"].as_string() == candidate,
            )
            .order_by(completion.c.created_at, completion.c.id)
        )
        with self._database.reading(tenant) as connection:
            rows = connection.execute(query).all()
        judged = ((arm, _right(right, word)) for arm, right, word in rows)
        return [(arm, right) for arm, right in judged if right is not None]


def _right(right: bool | None, verdict: str | None) -> bool | None:
    """Return whether an answer was right; feedback is the last word."""
    return right if verdict is None else verdict == "correct"
