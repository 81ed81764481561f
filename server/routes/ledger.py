"""`GET /v1/ledger`: what each strategy helped and hurt, and at what price."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import Field

from adaptation.options import Strategy
from adaptation.prices import Prices, accounts
from memory.history.ledger import Ledger
from memory.types import Frozen, Trial
from memory.versions.window import Windows
from server.routes.paging import list_object
from server.tenancy.principal import Tenant

MOST = 1_000
"""Trials noted by one request."""


class EvaluatedTrial(Frozen):
    """One question of an evaluation, answered by a strategy and by a vote on the base."""

    id: str = Field(min_length=1, max_length=256)
    """Id of the answer; a second note takes the place of the first."""
    strategy: Strategy
    right: bool
    baseline: bool | None = None
    """Whether a vote on the model as it is served was right."""
    tokens: int = Field(default=0, ge=0)
    trained_tokens: int = Field(default=0, ge=0)
    seconds: float = Field(default=0.0, ge=0)


class Evaluated(Frozen):
    """Trials of an evaluation."""

    trials: tuple[EvaluatedTrial, ...] = Field(min_length=1, max_length=MOST)


def ledger_router(ledger: Ledger, windows: Windows, prices: Prices) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["adaptation"])

    @router.get("/v1/ledger")
    def get_ledger(tenant: Tenant) -> dict[str, Any]:
        """Return a row for each strategy that was used, with intervals."""
        rows = accounts(ledger.count(tenant), prices)
        shown = [{"object": "ledger.strategy", "id": row["strategy"], **row} for row in rows]
        return list_object(shown) | {"recent": windows.of(tenant).as_json()}

    @router.post("/v1/ledger")
    def note(said: Evaluated, tenant: Tenant) -> dict[str, Any]:
        """Note what an evaluation saw, for `auto` to choose by."""
        noted = ledger.note(tenant, [(each.id, _trial(each)) for each in said.trials])
        return {"object": "ledger.noted", "trials": noted}

    return router


def _trial(each: EvaluatedTrial) -> Trial:
    same = None if each.baseline is None else each.baseline and each.right
    return Trial(source="evaluation", same=same, **each.model_dump(exclude={"id"}))
