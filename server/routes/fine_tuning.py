"""`/v1/fine_tuning/jobs`: OpenAI's fine-tuning, over jobs of the kind `fine-tune`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool

from adaptation.errors import TrainerError
from adaptation.grading.examine import examine, models_of
from adaptation.grading.specs import Grader
from adaptation.learning.preference.installed import check_installed
from adaptation.learning.training.chat import Template
from memory.errors import NoPlaceError, NotFoundError
from memory.memory import LongTermMemory
from memory.offline.job import Job, JobKind, NewEvent, NewJob, Wish
from server.finetuning.forms import (
    FineTuneRequest,
    Method,
    NewFineTuning,
    asked_hyperparameters,
)
from server.finetuning.objects import checkpoint_objects, event_object, job_object
from server.jobs.limits import MOST_OPEN
from server.refusals.errors import ApiError
from server.requests.models_asked import ModelsAsked
from server.requests.request_options import split_model
from server.routes.paging import OPAQUE_ID, Id, list_object
from server.tenancy.principal import Tenant

PURPOSE = "fine-tune"
ORGANISATION = "whet"
KIND = (JobKind.FINE_TUNE,)
GRADER = "method.reinforcement.grader"
PAGE = 100
"""Jobs that are read at a time, for those of some metadata."""
Limit = Annotated[int, Query(ge=1, le=100)]
After = Annotated[str | None, Query(pattern=OPAQUE_ID)]


@dataclass(frozen=True)
class Served:
    """What can be tuned: the base that is served."""

    names: tuple[str, ...]
    """What clients call it."""
    folder: str
    base: str
    """What its adapters call it."""
    template: Template
    max_model_len: int


def fine_tuning_router(
    memory: LongTermMemory, served: Served, models: ModelsAsked, changed: Callable[[], object]
) -> APIRouter:
    """Return the routes; `changed` is called when there is something to be done.

    `models` are those that graders may ask.
    """
    router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["fine-tuning"])
    _add_asking(router, memory, served, models, changed)
    _add_reading(router, memory)
    return router


def _add_asking(
    router: APIRouter,
    memory: LongTermMemory,
    served: Served,
    models: ModelsAsked,
    changed: Callable[[], object],
) -> None:
    @router.post("")
    async def create_job(body: NewFineTuning, tenant: Tenant) -> dict[str, Any]:
        """Fine-tune the model that is served, or one of the tenant's own, on a file."""
        await check_method(body.method)
        if (grader := _grader(body)) is not None:
            await models.require(tenant, models_of(grader, GRADER))
        return await run_in_threadpool(create, body, tenant)

    def create(body: NewFineTuning, tenant: str) -> dict[str, Any]:
        request = _requested(memory, served, tenant, body)
        job_id = f"ftjob-{request.name.rpartition(':')[2]}"
        new = NewJob(
            tenant=tenant,
            kind=JobKind.FINE_TUNE,
            request=request.model_dump(mode="json"),
            id=job_id,
        )
        told = NewEvent(message=f"Created fine-tuning job: {job_id}")
        made = memory.jobs.create(new, MOST_OPEN, (told,))
        changed()
        return job_object(made)

    def wished(wish: Wish) -> Callable[[str, str], dict[str, Any]]:
        def ask(job_id: Id, tenant: Tenant) -> dict[str, Any]:
            _found(memory, tenant, job_id)
            asked = memory.jobs.ask(tenant, job_id, wish)
            changed()
            return job_object(asked)

        ask.__name__ = f"{wish}_fine_tuning"
        ask.__doc__ = f"{wish.capitalize()} a job; one under way obeys within seconds."
        return ask

    for wish in Wish:
        router.add_api_route(f"/{{job_id}}/{wish}", wished(wish), methods=["POST"])


def _add_reading(router: APIRouter, memory: LongTermMemory) -> None:
    @router.get("")
    def list_jobs(
        request: Request, tenant: Tenant, limit: Limit = 20, after: After = None
    ) -> dict[str, Any]:
        """List the jobs, newest first; `metadata[KEY]=VALUE` leaves out those of others.

        `metadata=null` leaves out those that have any.
        """
        matching = _matching(memory, tenant, _metadata(request), after)
        found = list(islice(matching, limit + 1))
        return list_object([job_object(each) for each in found[:limit]], len(found) > limit)

    @router.get("/{job_id}")
    def get_job(job_id: Id, tenant: Tenant) -> dict[str, Any]:
        """Return how far a job is, or what came of it."""
        return job_object(_found(memory, tenant, job_id))

    @router.get("/{job_id}/events")
    def list_events(
        job_id: Id, tenant: Tenant, limit: Limit = 20, after: After = None
    ) -> dict[str, Any]:
        """List what was told of a job, newest first."""
        _found(memory, tenant, job_id)
        found = memory.jobs.events(tenant, job_id, limit + 1, after)
        return list_object([event_object(each) for each in found[:limit]], len(found) > limit)

    @router.get("/{job_id}/checkpoints")
    def list_checkpoints(
        job_id: Id, tenant: Tenant, limit: Limit = 10, after: After = None
    ) -> dict[str, Any]:
        """List the checkpoints that can be used, newest first."""
        found = checkpoint_objects(_found(memory, tenant, job_id))
        if after is not None:
            found = found[_place(found, after) + 1 :]
        return list_object(found[:limit], len(found) > limit)


def _place(checkpoints: Sequence[Mapping[str, Any]], after: str) -> int:
    ids = [each["id"] for each in checkpoints]
    if after not in ids:
        raise NoPlaceError(f"no checkpoint {after}")
    return ids.index(after)


def _requested(
    memory: LongTermMemory, served: Served, tenant: str, body: NewFineTuning
) -> FineTuneRequest:
    """Return what a job is asked; raises `ApiError` for what cannot be done."""
    hyperparameters = asked_hyperparameters(body)
    model, strategy = split_model(body.model)
    if strategy is not None or not (model in served.names or memory.models.find(tenant, model)):
        known = ", ".join([*served.names, *memory.models.list(tenant)][:20])
        raise ApiError(
            400,
            f"`model` {body.model} cannot be fine-tuned here: use one of {known}",
            param="model",
            code="model_not_available",
        )
    for param in ("training_file", "validation_file"):
        if (file_id := getattr(body, param)) is not None:
            _check_file(memory, tenant, param, file_id)
    base = served.names[0]
    name = f"ft:{base}:{ORGANISATION}:{body.suffix or ''}:{uuid4().hex[:12]}"
    return FineTuneRequest(
        model=model,
        folder=served.folder,
        base=served.base,
        template=served.template.model_dump(mode="json"),
        max_model_len=served.max_model_len,
        method=body.method.type if body.method else "supervised",
        grader=_grader(body),
        training_file=body.training_file,
        validation_file=body.validation_file,
        hyperparameters=hyperparameters,
        suffix=body.suffix,
        seed=secrets.randbelow(2**31) if body.seed is None else body.seed,
        metadata=body.metadata,
        name=name,
    )


async def check_method(method: Method | None) -> None:
    """Raise `ApiError` for a method that cannot be done here, and for a grader that is wrong."""
    if method is None or method.type == "supervised":
        return
    try:
        await check_installed()
    except TrainerError as error:
        words = f"`method.type`: {error}"
        raise ApiError(400, words, param="method.type", code="method_not_available") from error
    if method.reinforcement is None:
        return
    await examine(method.reinforcement.grader, GRADER)


def _grader(body: NewFineTuning) -> Grader | None:
    by_grades = body.method.reinforcement if body.method else None
    return None if by_grades is None else by_grades.grader


def _check_file(memory: LongTermMemory, tenant: str, param: str, file_id: str) -> None:
    try:
        file = memory.files.get(tenant, file_id)
    except NotFoundError as error:
        raise ApiError(400, f"`{param}`: {error}", param=param, code="invalid_file") from error
    if file.purpose != PURPOSE:
        raise ApiError(
            400,
            f"`{param}`: the file has the purpose {file.purpose}: upload it with {PURPOSE}",
            param=param,
            code="invalid_file",
        )


def _found(memory: LongTermMemory, tenant: str, job_id: str) -> Job:
    found = memory.jobs.get(tenant, job_id)
    if found.kind is not JobKind.FINE_TUNE:
        raise NotFoundError(f"no fine-tuning job {job_id}")
    return found


def _metadata(request: Request) -> dict[str, str] | None:
    """Return the filter, as OpenAI's clients spell it; None for those without metadata.

    Raises `ApiError` for one that is spelled otherwise, as it would let everything through.
    """
    asked = [(k, v) for k, v in request.query_params.multi_items() if k.startswith("metadata")]
    if asked == [("metadata", "null")]:
        return None
    if not all(key.startswith("metadata[") and key.endswith("]") for key, _ in asked):
        words = "`metadata` must be asked for as `metadata[KEY]=VALUE`, or as `metadata=null`"
        raise ApiError(400, words, param="metadata")
    return {key[len("metadata[") : -1]: value for key, value in asked}


def _matching(
    memory: LongTermMemory, tenant: str, wanted: dict[str, str] | None, after: str | None
) -> Iterator[Job]:
    """Yield the jobs of some metadata, newest first, however many others lie between them."""
    while page := memory.jobs.list(tenant, PAGE, after, KIND):
        yield from (job for job in page if _has(job, wanted))
        after = page[-1].id


def _has(job: Job, wanted: dict[str, str] | None) -> bool:
    own = job.request.get("metadata") or {}
    return not own if wanted is None else wanted.items() <= own.items()
