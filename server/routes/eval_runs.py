"""`/v1/evals/{eval_id}/runs`: items are answered, graded, and what came of each is shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import ValidationError

from adaptation.grading.examine import check_names, texts_of
from memory.memory import LongTermMemory
from memory.offline.eval_runs import EvalRunStore
from memory.offline.evaluation import EvalOutput, EvalRun, Evaluation, NewRun, RunDetails, RunStatus
from server.evals.asking import models_needed
from server.evals.specs import (
    CRITERION,
    STORED,
    DataSource,
    FileContent,
    FileId,
    Jsonl,
    NewRunBody,
    StoredCompletions,
    StoredResponses,
    Template,
    item_schema_of,
)
from server.evals.stored import ids_of
from server.refusals.errors import ApiError
from server.requests.models_asked import ModelsAsked
from server.routes.evals import After, Limit, Order
from server.routes.paging import Id, list_object
from server.tenancy.principal import Tenant

MOST_OPEN = 100
"""Runs of a tenant that are not done."""
MOST_RUNS = 1000
"""Most runs of a tenant."""


def run_object(run: EvalRun) -> dict[str, Any]:
    """Return a run as OpenAI shows it."""
    summary = run.summary
    counts = {"passed": summary.passed, "failed": summary.failed, "errored": summary.errored}
    return {
        "id": run.id,
        "object": "eval.run",
        "created_at": int(run.created_at),
        "eval_id": run.eval_id,
        "name": run.name,
        "model": run.model,
        "status": run.status.value,
        "report_url": None,
        "data_source": run.details.source,
        "metadata": run.details.metadata,
        "error": run.error,
        "result_counts": counts | {"total": run.total},
        "per_model_usage": [
            {
                "model_name": model,
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
                **usage.model_dump(),
            }
            for model, usage in summary.usage.items()
        ],
        "per_testing_criteria_results": [
            {"testing_criteria": name, **outcomes.model_dump()}
            for name, outcomes in summary.criteria.items()
        ],
    }


def output_object(output: EvalOutput, eval_id: str) -> dict[str, Any]:
    """Return what came of an item as OpenAI shows it."""
    return {
        "id": output.id,
        "object": "eval.run.output_item",
        "created_at": int(output.created_at),
        "run_id": output.run_id,
        "eval_id": eval_id,
        "status": output.status,
        "datasource_item_id": output.line,
        **output.content,
    }


def eval_runs_router(
    memory: LongTermMemory, models: ModelsAsked, changed: Callable[[], object]
) -> APIRouter:
    """Return the routes; `changed` is called when there is something to be done.

    `models` are those that may be asked.
    """
    router = APIRouter(prefix="/v1/evals/{eval_id}/runs", tags=["evals"])
    _add_making(router, memory, models, changed)
    _add_reading(router, memory.eval_runs)
    _add_ending(router, memory.eval_runs, changed)
    _add_outputs(router, memory.eval_runs)
    return router


def _add_making(
    router: APIRouter, memory: LongTermMemory, models: ModelsAsked, changed: Callable[[], object]
) -> None:
    def made(tenant: str, evaluation: Evaluation, body: NewRunBody) -> EvalRun:
        new = _new_run(evaluation, body)
        if isinstance(body.data_source.source, STORED):
            new = _of_stored(memory, evaluation, new, body.data_source.source)
        if isinstance(body.data_source.source, FileId):
            memory.files.get(tenant, body.data_source.source.id)
        return memory.eval_runs.create(new, MOST_OPEN, MOST_RUNS)

    @router.post("", status_code=201)
    async def create_run(eval_id: Id, body: NewRunBody, tenant: Tenant) -> dict[str, Any]:
        """Have items answered and graded, while nobody waits."""
        evaluation = await memory.aside.reading.run(memory.evals.get, tenant, eval_id)
        criteria = _criteria_of(evaluation)
        await models.require(tenant, models_needed(criteria, body.data_source))
        run = await memory.aside.writing.run(made, tenant, evaluation, body)
        changed()
        return run_object(run)


def _add_reading(router: APIRouter, store: EvalRunStore) -> None:
    @router.get("")
    def list_runs(
        eval_id: Id,
        tenant: Tenant,
        limit: Limit = 20,
        after: After = None,
        order: Order = "asc",
        status: RunStatus | None = None,
    ) -> dict[str, Any]:
        """List the runs."""
        found = store.list(
            tenant, eval_id, limit + 1, after, newest_first=order == "desc", status=status
        )
        return list_object([run_object(each) for each in found[:limit]], len(found) > limit)

    @router.get("/{run_id}")
    def get_run(eval_id: Id, run_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Return how far a run is, and what came of it."""
        return run_object(store.get(tenant, eval_id, run_id))


def _add_ending(router: APIRouter, store: EvalRunStore, changed: Callable[[], object]) -> None:
    def cancel_run(eval_id: Id, run_id: Id, tenant: Tenant) -> dict[str, Any]:
        """End a run; what has been graded is kept."""
        found = store.cancel(tenant, eval_id, run_id)
        changed()
        return run_object(found)

    # OpenAI's reference has the second, as its clients had until they came to the first.
    router.add_api_route("/{run_id}/cancel", cancel_run, methods=["POST"])
    router.add_api_route("/{run_id}", cancel_run, methods=["POST"], include_in_schema=False)

    @router.delete("/{run_id}")
    def delete_run(eval_id: Id, run_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Forget a run and its outputs."""
        store.delete(tenant, eval_id, run_id)
        changed()
        return {"object": "eval.run.deleted", "deleted": True, "run_id": run_id}


def _add_outputs(router: APIRouter, store: EvalRunStore) -> None:
    @router.get("/{run_id}/output_items")
    def list_output_items(
        eval_id: Id,
        run_id: Id,
        tenant: Tenant,
        limit: Limit = 20,
        after: After = None,
        order: Order = "asc",
        status: Annotated[Literal["fail", "pass"] | None, Query()] = None,
    ) -> dict[str, Any]:
        """List what came of the items, in their order."""
        newest_first = order == "desc"
        found = store.outputs(
            tenant, eval_id, run_id, limit + 1, after, newest_first=newest_first, status=status
        )
        shown = [output_object(each, eval_id) for each in found[:limit]]
        return list_object(shown, len(found) > limit)

    @router.get("/{run_id}/output_items/{output_id}")
    def get_output_item(eval_id: Id, run_id: Id, output_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Return what came of one item."""
        return output_object(store.output(tenant, eval_id, run_id, output_id), eval_id)


def _of_stored(
    memory: LongTermMemory,
    evaluation: Evaluation,
    new: NewRun,
    source: StoredCompletions | StoredResponses,
) -> NewRun:
    """Return a run whose answers are settled; the evaluation's own metadata narrow them further."""
    noted = evaluation.details.source.get("metadata") or {}
    own = {key: value for key, value in noted.items() if isinstance(value, str)}
    metadata = {**own, **(source.metadata or {})} or None
    ids = ids_of(memory, new.tenant, source.model_copy(update={"metadata": metadata}))
    details = new.details.model_copy(update={"answers": ids})
    return new.model_copy(update={"details": details, "total": len(ids)})


def _require_question(source: DataSource) -> None:
    """Refuse items from elsewhere without a model or messages; stored answers bring theirs."""
    if isinstance(source, Jsonl) or isinstance(source.source, STORED):
        return
    for name in ("model", "input_messages"):
        if getattr(source, name) is None:
            param = f"data_source.{name}"
            raise ApiError(400, f"`{param}` is missing: only stored answers have one", param=param)


def _new_run(evaluation: Evaluation, body: NewRunBody) -> NewRun:
    """Return a run of an evaluation; raises `UngradableError` for names that no item has."""
    source = body.data_source
    _require_question(source)
    if not isinstance(source, Jsonl) and isinstance(source.input_messages, Template):
        schema = item_schema_of(evaluation.details.source)
        for place, message in enumerate(source.input_messages.template):
            param = f"data_source.input_messages.template.{place}.content"
            for text in texts_of(message):
                check_names(text, param, schema)
    details = RunDetails(
        source=source.model_dump(mode="json", exclude_unset=True),
        criteria=_told_apart(evaluation.details.criteria),
        metadata=body.metadata,
    )
    return NewRun(
        tenant=evaluation.tenant,
        eval_id=evaluation.id,
        name=body.name,
        model="" if isinstance(source, Jsonl) else source.model or "",
        details=details,
        total=len(source.source.content) if isinstance(source.source, FileContent) else 0,
    )


def _criteria_of(evaluation: Evaluation) -> list[Any]:
    """Return the graders; raises `ApiError` for what a version of Whet took that took more."""
    found = []
    for place, each in enumerate(evaluation.details.criteria):
        try:
            found.append(CRITERION.validate_python(each))
        except ValidationError as error:
            raise ApiError.invalid(error, f"testing_criteria.{place}") from error
    return found


def _told_apart(criteria: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the criteria, the second of a name being called so."""
    seen, found = Counter[str](), []
    for each in criteria:
        name = each["name"]
        seen[name] += 1
        found.append(each if seen[name] == 1 else {**each, "name": f"{name}-{seen[name]}"})
    return found
