"""`/v1/jobs`: offline work of a tenant, what it does and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from adaptation.learning.training.chat import Template
from memory.lines.origin import Licence, Provenance
from memory.memory import LongTermMemory
from memory.offline.job import Job, JobEvent, JobKind, NewJob, Wish
from memory.offline.jobs import JobStore
from memory.types import Frozen
from server.adapters.releasing import Autonomy
from server.jobs.estimate import finish_of
from server.jobs.evaluation import EvaluateRequest, check_evaluation
from server.jobs.limits import MOST_OPEN
from server.jobs.targets import refusal_of
from server.jobs.waiting import waits_for
from server.refusals.errors import ApiError
from server.requests.models_asked import ModelsAsked
from server.routes.paging import OPAQUE_ID, Id, list_object
from server.tenancy.principal import Tenant

Limit = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str | None, Query(pattern=OPAQUE_ID)]

MOST_NAME = 128


class NewDistillation(Frozen):
    """A generation that is to be run on what is served."""

    kind: Literal["distill"]
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.05
    dry_run: bool = False
    rebuild: Annotated[str | None, Field(pattern=OPAQUE_ID)] = None
    autonomy: Autonomy | None = None
    parent: Annotated[str | None, Field(pattern=OPAQUE_ID)] = None
    target: Annotated[str | None, Field(max_length=MOST_NAME)] = None


class NewImport(Frozen):
    """A file of `/v1/files` that is to be read into memory."""

    kind: Literal["import"]
    file: Annotated[str, Field(pattern=OPAQUE_ID)]
    licence: Licence | None = None
    provenance: Provenance | None = None


class NewReindexing(Frozen):
    """The index of a tenant's memory that is to be built anew."""

    kind: Literal["reindex"]


class NewEvaluation(EvaluateRequest):
    """Suites that are to be put to what is served."""

    kind: Literal["evaluate"]


NewWork = NewDistillation | NewImport | NewReindexing | NewEvaluation
"""What a tenant may have done; what is the whole machine's business is a command's alone."""
Requested = Callable[[NewWork], dict[str, Any]]
"""Returns what a job of the kind is asked, on the model that is served."""


def asked_of_served(model: str, template: Template, body: NewWork) -> dict[str, Any]:
    """Return what a job is asked; a generation is one on the served model."""
    given = body.model_dump(mode="json", exclude={"kind"})
    if not isinstance(body, NewDistillation):
        return given
    return {"model": model, "template": template.model_dump(mode="json"), **given}


def check(memory: LongTermMemory, tenant: str, body: NewWork, request: dict[str, Any]) -> None:
    """Refuse what can be seen to come to nothing; `request` is what the job would be asked."""
    if isinstance(body, NewImport):
        memory.files.get(tenant, body.file)
    elif isinstance(body, NewEvaluation):
        check_evaluation(body)
    elif isinstance(body, NewDistillation):
        if (why := refusal_of(body.target, body.rebuild)) is not None:
            raise ApiError(400, why, param="target")
        if body.parent or body.rebuild:
            from server.jobs.kinds.distill import check_versions  # brings what generations need

            check_versions(memory, tenant, request)


def job_object(job: Job, waits_for: str | None = None) -> dict[str, Any]:
    """Return a job as clients see it; times are Unix seconds."""
    shown = job.model_dump(mode="json", exclude={"tenant", "request"})
    for name in ("created_at", "started_at", "ended_at"):
        shown[name] = None if shown[name] is None else int(shown[name])
    told = {"estimated_finish": finish_of(job), "waits_for": waits_for}
    return {"object": "job", **shown, **told}


def event_object(event: JobEvent) -> dict[str, Any]:
    """Return what was told of a job as clients see it."""
    shown = event.model_dump(mode="json", exclude={"at"})
    return {"object": "job.event", **shown, "created_at": int(event.at)}


def jobs_router(
    memory: LongTermMemory,
    requested: Requested,
    models: ModelsAsked,
    lock: Callable[[], Path],
    changed: Callable[[], object],
) -> APIRouter:
    """Return the routes; `changed` is called when there is something to be done.

    `models` are those that evaluations may ask; `lock` returns that of the device that jobs train
    on.
    """
    router, store = APIRouter(prefix="/v1/jobs", tags=["jobs"]), memory.jobs

    def shown(job: Job) -> dict[str, Any]:
        return job_object(job, waits_for(store, lock(), job))

    def told(job: Job) -> dict[str, Any]:
        changed()
        return shown(job)

    def create(body: NewWork, tenant: str) -> dict[str, Any]:
        request = requested(body)
        check(memory, tenant, body, request)
        new = NewJob(tenant=tenant, kind=JobKind(body.kind), request=request)
        return told(store.create(new, MOST_OPEN))

    @router.post("")
    async def create_job(body: NewWork, tenant: Tenant) -> dict[str, Any]:
        """Have memory distilled, a file read into it, its index built anew, or suites asked."""
        if isinstance(body, NewEvaluation) and body.model is not None:
            await models.require(tenant, [(body.model, "model")])
        return await run_in_threadpool(create, body, tenant)

    @router.get("")
    def list_jobs(
        tenant: Tenant, limit: Limit = 20, after: After = None, kind: JobKind | None = None
    ) -> dict[str, Any]:
        """List the jobs, newest first."""
        kinds = tuple(JobKind) if kind is None else (kind,)
        found = store.list(tenant, limit + 1, after, kinds)
        return list_object([shown(each) for each in found[:limit]], len(found) > limit)

    _add_reading(router, store, shown)
    _add_wishes(router, lambda *wished: told(store.ask(*wished)))
    return router


def _add_reading(
    router: APIRouter, store: JobStore, shown: Callable[[Job], dict[str, Any]]
) -> None:
    @router.get("/{job_id}")
    def get_job(job_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Return how far a job is, or what came of it."""
        return shown(store.get(tenant, job_id))

    @router.get("/{job_id}/events")
    def list_events(
        job_id: Id, tenant: Tenant, limit: Limit = 20, after: After = None
    ) -> dict[str, Any]:
        """List what was told of a job, newest first."""
        found = store.events(tenant, job_id, limit + 1, after)
        return list_object([event_object(each) for each in found[:limit]], len(found) > limit)


def _add_wishes(router: APIRouter, ask_for: Callable[[str, str, Wish], dict[str, Any]]) -> None:
    """Add a route for whatever may be wished of a job."""

    def route(wish: Wish) -> Callable[[str, str], dict[str, Any]]:
        def ask(job_id: Id, tenant: Tenant) -> dict[str, Any]:
            return ask_for(tenant, job_id, wish)

        ask.__name__ = f"{wish}_job"
        ask.__doc__ = f"{wish.capitalize()} a job; one under way obeys within seconds."
        return ask

    for wish in Wish:
        router.add_api_route(f"/{{job_id}}/{wish}", route(wish), methods=["POST"])
