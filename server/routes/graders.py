"""`/v1/fine_tuning/alpha/graders`: try a grader, or have it looked at."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from adaptation.grading.errors import Fault
from adaptation.grading.examine import examine, models_of
from adaptation.grading.grade import Graded, grade
from adaptation.grading.judge import Asking
from adaptation.grading.outcome import Grade, sample_of
from adaptation.grading.specs import MOST_CHARS, Grader, JsonObject
from memory.types import Given
from server.refusals.errors import ApiError
from server.requests.models_asked import ModelsAsked
from server.tenancy.principal import Tenant

AT_ONCE = 4
"""Graders of a tenant that are tried at a time: each may have a processor to itself for half a
minute."""
DETAILS = {
    Fault.PYTHON_RUNTIME: "python_grader_runtime_error_details",
    Fault.PYTHON_SERVER: "python_grader_server_error_type",
    Fault.MODEL_SERVER: "model_grader_server_error_details",
}
"""Where OpenAI says more of a fault; what else is to be read stands in `other_error_details`."""


class Places:
    """Counts what each tenant tries."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one_of(self, tenant: str) -> Iterator[None]:
        """Hold a place for the length of the block; raises `ApiError` (429)."""
        if self._taken[tenant] >= AT_ONCE:
            words = f"{AT_ONCE} graders of this tenant are tried now, its most at a time"
            raise ApiError(429, f"{words}; try again in a moment")
        self._taken[tenant] += 1
        try:
            yield
        finally:
            self._taken[tenant] -= 1
            if not self._taken[tenant]:
                del self._taken[tenant]


class GraderBody(Given):
    """A grader that is to be looked at."""

    grader: Grader


class RunGraderBody(GraderBody):
    """A grader, and what it is to grade."""

    model_sample: Annotated[str, Field(max_length=MOST_CHARS)]
    item: JsonObject = Field(default_factory=dict)


def graders_router(door_of: Callable[[str], Asking], models: ModelsAsked) -> APIRouter:
    """Return the routes; `door_of` asks models in a tenant's name, `models` are those there."""
    router = APIRouter(prefix="/v1/fine_tuning/alpha/graders", tags=["fine-tuning"])
    places = Places()

    async def look_at(grader: Grader, tenant: str) -> None:
        await examine(grader, "grader")
        await models.require(tenant, models_of(grader, "grader"))

    @router.post("/run")
    async def run_grader(body: RunGraderBody, tenant: Tenant) -> dict[str, Any]:
        """Grade one output."""
        with places.one_of(tenant):
            await look_at(body.grader, tenant)
            began = time.monotonic()
            graded = Graded(sample_of(body.model_sample), body.item, door_of(tenant))
            found = await grade(body.grader, graded)
            return run_object(found, time.monotonic() - began)

    @router.post("/validate")
    async def validate_grader(body: GraderBody, tenant: Tenant) -> dict[str, Any]:
        """Say whether a grader can be used."""
        with places.one_of(tenant):
            await look_at(body.grader, tenant)
        return {"grader": body.grader.model_dump(mode="json", exclude_unset=True)}

    return router


def run_object(found: Grade, seconds: float) -> dict[str, Any]:
    """Return a grade as OpenAI shows it."""
    parts = {part.name: part.score for part in found.parts}
    tokens = dict[str, int]()
    for use in found.usage:
        tokens[use.model] = tokens.get(use.model, 0) + use.total_tokens
    return {
        "reward": found.score,
        "sub_rewards": parts,
        "model_grader_token_usage_per_model": tokens,
        "metadata": {
            "name": found.name,
            "type": found.type,
            "errors": errors_object(found),
            "execution_time": seconds,
            "scores": parts or {found.name: found.score},
            "token_usage": sum(tokens.values()) if tokens else None,
            "sampled_model_name": next(iter(tokens), None),
        },
    }


def errors_object(found: Grade) -> dict[str, Any]:
    """Return every flag of OpenAI's, and what is to be read of those that are set."""
    flags: dict[str, Any] = {fault.value: fault in found.faults for fault in Fault}
    details = {place: found.faults.get(fault) for fault, place in DETAILS.items()}
    others = [told for fault, told in found.faults.items() if fault not in DETAILS]
    return flags | details | {"other_error_details": " ".join(others) or None}
