"""What each strategy was worth: what it helped and hurt, at what price, by tenant and by question.

A trial is one answer by one strategy. Where the vote on the model as it is served came to an answer
of its own, the two are a pair: the strategy helped where it alone was right, and hurt where the
vote alone was. Verifiers say what is right at once, feedback later, an evaluation for questions
whose answers it knows. Owns the table; knows nothing of how strategies are chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select, update

from memory.store.database import Database
from memory.store.schema import trial
from memory.store.upsert import upsert
from memory.types import Trial

NEWEST = 10_000
"""Trials of a tenant looked back on: what was true of an older model or memory fades."""
KEYS = ("tenant", "id", "strategy")


@dataclass(frozen=True)
class Seen:
    """The trials of one strategy, counted."""

    asked: int = 0
    judged: int = 0
    """How many of these are known to be right or wrong."""
    right: int = 0
    helped: int = 0
    hurt: int = 0
    tied: int = 0
    """Pairs that came to the same answer, or were both right or both wrong."""
    tokens: int = 0
    """Generated, all together; likewise below."""
    trained_tokens: int = 0
    seconds: float = 0.0

    @property
    def paired(self) -> int:
        """Trials of which it is known whether they helped, hurt or neither."""
        return self.helped + self.hurt + self.tied

    def __add__(self, other: Seen) -> Seen:
        mine, theirs = vars(self), vars(other)
        return Seen(**{name: mine[name] + theirs[name] for name in mine})


class Ledger:
    """The trials of all tenants."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, tenant: str, trials: Iterable[tuple[str, Trial]]) -> int:
        """Note trials under their ids, in place of what was noted under them; return how many."""
        noted = list(trials)
        with self._database.writing(tenant) as connection:
            write_trials(connection, *((tenant, trial_id, each) for trial_id, each in noted))
        return len(noted)

    def judge(self, tenant: str, trial_id: str, *, right: bool, baseline: bool | None) -> None:
        """Note whether an answer was right, and whether the vote on the base would have been.

        Of another strategy that was tried beside it, the word on the answer says nothing.
        """
        here = and_(trial.c.tenant == tenant, trial.c.id == trial_id, trial.c.source == "request")
        with self._database.writing(tenant) as connection:
            connection.execute(update(trial).where(here).values(right=right, baseline=baseline))

    def count(self, tenant: str, near: Sequence[str] | None = None) -> Mapping[str, Seen]:
        """Return what is known of each strategy; `near`: on questions like these records'."""
        mine = trial.c.tenant == tenant
        wanted = mine if near is None else and_(mine, trial.c.near.in_(near))
        newest = select(trial).where(wanted).order_by(trial.c.at.desc()).limit(NEWEST).subquery()
        kinds = [newest.c[name] for name in ("strategy", "right", "baseline", "same")]
        sums = [func.sum(newest.c[name]) for name in ("tokens", "trained_tokens", "seconds")]
        query = select(*kinds, func.count(), *sums).group_by(*kinds)
        found: dict[str, Seen] = {}
        with self._database.reading(tenant) as connection:
            for strategy, right, baseline, same, times, *cost in connection.execute(query):
                effect = effect_of(right, baseline, same)
                found[strategy] = found.get(strategy, Seen()) + Seen(
                    asked=times,
                    judged=times * (right is not None),
                    right=times * bool(right),
                    helped=times * (effect == 1),
                    hurt=times * (effect == -1),
                    tied=times * (effect == 0),
                    tokens=cost[0],
                    trained_tokens=cost[1],
                    seconds=cost[2],
                )
        return found


def effect_of(right: bool | None, baseline: bool | None, same: bool | None) -> int | None:
    """Return 1 where the strategy helped, -1 where it hurt, 0 where neither; None: not known."""
    if same:
        return 0
    if same is None or right is None or baseline is None:
        return None
    return int(right) - int(baseline)


def write_trials(connection: Connection, *trials: tuple[str, str, Trial]) -> None:
    """Write trials, each with its tenant and id, in place of earlier ones of the same strategy."""
    rows = [{"tenant": tenant, "id": name} | each.model_dump() for tenant, name, each in trials]
    upsert(connection, trial, KEYS, *rows)
