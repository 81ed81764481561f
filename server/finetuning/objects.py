"""Jobs, events and checkpoints of fine-tuning as OpenAI shows them; times are Unix seconds."""

from __future__ import annotations

from typing import Any

from memory.offline.job import Job, JobEvent, JobStatus
from server.finetuning.forms import FineTuneRequest
from server.jobs.estimate import finish_of

VALIDATING = "validate"
"""The phase in which the files are looked at."""


def job_object(job: Job) -> dict[str, Any]:
    """Return a job."""
    asked, result = FineTuneRequest.model_validate(job.request), job.result or {}
    chosen = result.get("hyperparameters") or asked.hyperparameters.model_dump(mode="json")
    return {
        "id": job.id,
        "object": "fine_tuning.job",
        "model": asked.model,
        "created_at": int(job.created_at),
        "estimated_finish": finish_of(job),
        "finished_at": int(job.ended_at) if job.ended_at is not None else None,
        "fine_tuned_model": result.get("fine_tuned_model"),
        "organization_id": "whet",
        "result_files": result.get("result_files", []),
        "status": status_of(job),
        "training_file": asked.training_file,
        "validation_file": asked.validation_file,
        "hyperparameters": chosen if asked.method == "supervised" else {},
        "method": _method(asked, chosen),
        "trained_tokens": result.get("trained_tokens") if not job.is_open else None,
        "error": _error(job, result),
        "seed": asked.seed,
        "user_provided_suffix": asked.suffix,
        "metadata": asked.metadata,
        "integrations": [],
    }


def _method(asked: FineTuneRequest, chosen: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"hyperparameters": chosen}
    if asked.grader is not None:
        told["grader"] = asked.grader.model_dump(mode="json", exclude_none=True)
    return {"type": asked.method, asked.method: told}


def status_of(job: Job) -> str:
    """Return a job's status in OpenAI's words."""
    is_validating = job.progress is None or job.progress.phase == VALIDATING
    if job.status is JobStatus.RUNNING and is_validating:
        return "validating_files"
    return job.status.value


def _error(job: Job, result: dict[str, Any]) -> dict[str, Any] | None:
    if job.status is not JobStatus.FAILED:
        return None
    of_file: dict[str, Any] = result.get("error", {})
    return {"code": "job_failed", "message": job.error or "", "param": None} | of_file


def event_object(event: JobEvent) -> dict[str, Any]:
    """Return what was told of a job."""
    return {
        "id": event.id,
        "object": "fine_tuning.job.event",
        "created_at": int(event.at),
        "level": event.level,
        "message": event.message,
        "type": event.type,
        "data": event.data or {},
    }


def checkpoint_objects(job: Job) -> list[dict[str, Any]]:
    """Return the checkpoints of a job that can be used, newest first."""
    found = (job.result or {}).get("checkpoints", [])
    return [
        {
            "id": each["id"],
            "object": "fine_tuning.job.checkpoint",
            "created_at": int(each["created_at"]),
            "fine_tuned_model_checkpoint": each["model"],
            "fine_tuning_job_id": job.id,
            "step_number": each["step"],
            "metrics": {"step": each["step"], **each["metrics"]},
        }
        for each in sorted(found, key=lambda each: -each["step"])
    ]
