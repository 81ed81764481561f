"""`/v1/evals`: what is to be graded, and by what."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from adaptation.grading.examine import examine
from adaptation.verifiers.checks import CannotCheckError, schema_problem
from memory.aside import Aside
from memory.offline.evals import EvalStore
from memory.offline.evaluation import Evaluation, EvaluationDetails, NewEvaluation
from server.evals.asking import models_needed
from server.evals.specs import ChangedEvalBody, Custom, NewEvalBody
from server.refusals.errors import ApiError
from server.requests.models_asked import ModelsAsked
from server.routes.paging import OPAQUE_ID, Id, list_object
from server.tenancy.principal import Tenant

MOST_EVALS = 1000
"""Most evaluations of a tenant."""
Limit = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str | None, Query(pattern=OPAQUE_ID)]
Order = Literal["asc", "desc"]
LOGS_SCHEMA = {"type": "object", "properties": {"item": {"type": "object"}}}


def eval_object(found: Evaluation) -> dict[str, Any]:
    """Return an evaluation as OpenAI shows it."""
    source = found.details.source
    schema = source.get("item_schema")
    shown = {"type": source["type"], "schema": _whole_schema(source) if schema else LOGS_SCHEMA}
    if source["type"] != "custom":
        shown["metadata"] = source.get("metadata")
    return {
        "id": found.id,
        "object": "eval",
        "created_at": int(found.created_at),
        "name": found.name,
        "data_source_config": shown,
        "testing_criteria": found.details.criteria,
        "metadata": found.details.metadata,
    }


def _whole_schema(source: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a line: an item, and the sample where a model makes it."""
    properties: dict[str, Any] = {"item": source["item_schema"]}
    if source.get("include_sample_schema"):
        properties["sample"] = {"type": "object"}
    return {"type": "object", "properties": properties, "required": [*properties]}


def evals_router(
    store: EvalStore, aside: Aside, models: ModelsAsked, changed: Callable[[], object]
) -> APIRouter:
    """Return the routes; `changed` is called when there is something to be done.

    `models` are those that graders may ask.
    """
    router = APIRouter(prefix="/v1/evals", tags=["evals"])

    @router.post("", status_code=201)
    async def create_eval(body: NewEvalBody, tenant: Tenant) -> dict[str, Any]:
        """Keep what is to be graded, and by what."""
        await _examine(body)
        await models.require(tenant, models_needed(body.testing_criteria))
        new = _asked(body, tenant)
        return eval_object(await aside.writing.run(store.create, new, MOST_EVALS))

    @router.get("")
    def list_evals(
        tenant: Tenant,
        limit: Limit = 20,
        after: After = None,
        order: Order = "asc",
        order_by: Literal["created_at", "updated_at"] = "created_at",
    ) -> dict[str, Any]:
        """List the evaluations."""
        newest, by_update = order == "desc", order_by == "updated_at"
        found = store.list(tenant, limit + 1, after, newest_first=newest, by_update=by_update)
        return list_object([eval_object(each) for each in found[:limit]], len(found) > limit)

    @router.get("/{eval_id}")
    def get_eval(eval_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Return an evaluation."""
        return eval_object(store.get(tenant, eval_id))

    _add_changes(router, store, changed)
    return router


def _add_changes(router: APIRouter, store: EvalStore, changed: Callable[[], object]) -> None:
    @router.post("/{eval_id}")
    def update_eval(eval_id: Id, body: ChangedEvalBody, tenant: Tenant) -> dict[str, Any]:
        """Change the name or the metadata."""
        return eval_object(store.change(tenant, eval_id, _changes(body)))

    @router.delete("/{eval_id}")
    def delete_eval(eval_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Forget an evaluation with its runs."""
        store.delete(tenant, eval_id)
        changed()
        return {"object": "eval.deleted", "deleted": True, "eval_id": eval_id}


async def _examine(body: NewEvalBody) -> None:
    """Refuse what could grade nothing."""
    schema = None
    if isinstance(body.data_source_config, Custom):
        schema = body.data_source_config.item_schema
        await _examine_schema(schema)
    for place, grader in enumerate(body.testing_criteria):
        await examine(grader, f"testing_criteria.{place}", schema)


def _changes(body: ChangedEvalBody) -> dict[str, Any]:
    given = body.model_dump(exclude_unset=True)
    return {key: value for key, value in given.items() if key != "name" or value is not None}


def _asked(body: NewEvalBody, tenant: str) -> NewEvaluation:
    details = EvaluationDetails(
        source=body.data_source_config.model_dump(mode="json"),
        criteria=[
            each.model_dump(mode="json", exclude_unset=True) for each in body.testing_criteria
        ],
        metadata=body.metadata,
    )
    return NewEvaluation(tenant=tenant, name=body.name, details=details)


async def _examine_schema(schema: dict[str, Any]) -> None:
    param = "data_source_config.item_schema"
    try:
        problem = await schema_problem(json.dumps(schema))
    except CannotCheckError as error:
        problem = f"it is too much to check: {error}"
    if problem:
        raise ApiError(400, f"`{param}` is no JSON schema: {problem}", param=param)
