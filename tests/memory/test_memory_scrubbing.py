"""What jobs, evaluations and versions keep of a record goes with it, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, LargeBinary, Text

from adaptation.learning.training.fake import write_zeros
from memory.erasure.scrubbing import SCRUBBED, Texts
from memory.history.files import NewFile
from memory.memory import LongTermMemory
from memory.offline.batch import BatchDetails, NewBatch
from memory.offline.evaluation import (
    EvaluationDetails,
    NewEvaluation,
    NewOutput,
    NewRun,
    RunDetails,
    RunStatus,
)
from memory.offline.job import JobKind, JobStatus, NewEvent, NewJob, Wish
from memory.store.schema import metadata
from memory.types import AdapterVersion, Draft, Record
from memory.versions.adapters import NewVersion

Build = Callable[..., Draft]
ERASED = {
    "batch_answer.content",
    "completion.answer",
    "completion.feedback",
    "completion.messages",
    "completion.metadata",
    "completion.report",
    "completion.request",
    "completion.text",
    "embedding.vector",
    "eval_output.content",
    "event.payload",
    "file_part.content",
    "item.content",
    "job_event.data",
    "job_event.message",
    "note.text",
    "record.answer",
    "record.evidence",
    "record.messages",
    "record.question",
    "record.rationale",
    "record.request",
    "request_trace.detail",
    "request_trace.summary",
    "response.body",
    "worked_solution.text",
}
"""What goes as a whole row, line or text, by other ways."""
NO_TEXTS = {
    "batch.moments",
    "calibration.found",
    "erasure.removed",
    "eval_run.summary",
    "job.progress",
    "judgement.alarms",
    "judgement.record_ids",
    "quota_count.places",
    "retirement.reason",
    "selection.propensities",
    "tenant_limits.limits",
}
"""Figures, ids, and words of Whet's own."""
SECRET = "where is the zanzibar file?"
ANSWER = "It lies in the third drawer of zanzibar, beside the stamps."
HI = "hi zanzibar"
OTHER = "what is two and two?"


def about(question: str) -> dict[str, Any]:
    return {"item": {"question": question, "n": [1, {"deep": question}]}}


def evaluated(memory: LongTermMemory, tenant: str = "ann") -> tuple[str, str]:
    """Return an evaluation and its run over a secret and something else."""
    criteria = [{"type": "string_check", "name": "right", "reference": SECRET}]
    details = EvaluationDetails(source={"type": "custom"}, criteria=criteria)
    made = memory.evals.create(NewEvaluation(tenant=tenant, name="n", details=details), 10)
    source = {
        "type": "completions",
        "source": {"type": "file_content", "content": [about(OTHER), about(SECRET), about(OTHER)]},
    }
    asked = RunDetails(source=source, criteria=criteria)
    run = memory.eval_runs.create(
        NewRun(tenant=tenant, eval_id=made.id, name="", model="m", details=asked, total=3), 9, 9
    )
    assert memory.eval_runs.claim("w") is not None
    memory.eval_runs.note(
        run.id, "w", [output(1, OTHER), output(2, SECRET), output(3, f"So: {ANSWER}")]
    )
    return made.id, run.id


def output(line: int, text: str) -> NewOutput:
    content = {"datasource_item": {"question": text}, "results": [], "sample": {}}
    return NewOutput(line=line, status="pass", content=content, met={}, usage={})


def job_about(
    memory: LongTermMemory, text: str, kind: JobKind = JobKind.DISTILL, **more: Any
) -> str:
    made = memory.jobs.create(NewJob(tenant="ann", kind=kind, request={"say": text, **more}), 10)
    assert memory.jobs.claim("w") is not None
    memory.jobs.note(made.id, "w", [NewEvent(message=f"lost: {text}", data={"lost": [text]})])
    memory.jobs.end(
        made.id, "w", JobStatus.SUCCEEDED, {"tasks": {text: 2, "": 3}, "obstacle": text}
    )
    return made.id


def version(memory: LongTermMemory, folder: Path, **metrics: Any) -> AdapterVersion:
    folder.mkdir()
    write_zeros(folder, 2)
    return memory.adapters.register(
        folder, NewVersion(tenant="ann", base_model="fake", rank=2, metrics=metrics)
    )


def traced(memory: LongTermMemory, text: str = "zanzibar") -> set[str]:
    return {trace.table for trace in memory.traces([text.encode()])}


def forget(memory: LongTermMemory, record: Record) -> dict[str, Any]:
    memory.forget("ann", record.id)
    return dict(memory.erasures.get("ann", record.id).removed)


def test_what_evaluations_jobs_and_versions_hold_of_a_record_goes_with_it(
    memory: LongTermMemory, draft: Build, tmp_path: Path
) -> None:
    record = memory.save(draft(SECRET, rationale=ANSWER)).record
    eval_id, run_id = evaluated(memory)
    job_id = job_about(memory, SECRET)
    version(memory, tmp_path / "a", guards={"lost": [SECRET, OTHER]})
    tables = {"evaluation", "eval_run", "eval_output", "job", "job_event", "adapter", "record"}
    assert tables <= traced(memory)
    removed = forget(memory, record)
    assert traced(memory) == set()
    assert (removed["eval_outputs"], removed["eval_items"], removed["runs_ended"]) == (2, 1, 1)
    run = memory.eval_runs.get("ann", eval_id, run_id)
    assert run.status is RunStatus.CANCELED, "its worker knows the text"
    assert run.details.source["source"]["content"] == [about(OTHER), {"item": {}}, about(OTHER)]
    outputs = memory.eval_runs.outputs("ann", eval_id, run_id, 10)
    assert [each.line for each in outputs] == [1]
    job = memory.jobs.get("ann", job_id)
    assert job.result == {"tasks": {"": 5}, "obstacle": ""}
    (told,) = memory.jobs.events("ann", job_id, 10)
    assert told.message == "lost: "
    (kept,) = memory.adapters.list("ann")
    assert kept.metrics["guards"]["lost"] == ["", OTHER]


def test_what_notes_of_clients_and_reasons_hold_of_a_record_goes_with_it(
    memory: LongTermMemory, draft: Build, tmp_path: Path
) -> None:
    record = memory.save(draft(SECRET, rationale=ANSWER)).record
    noted = {"why": f"for {SECRET}", "n": "7"}
    upload = memory.files.create(NewFile(tenant="ann", name=f"{SECRET}.txt", purpose="batch"), [])
    new = NewBatch(
        tenant="ann",
        endpoint="/v1/completions",
        input_file_id=upload.id,
        details=BatchDetails(metadata=noted),
        seconds=60.0,
    )
    batch = memory.batches.create(new, 1)
    said = memory.conversations.create("ann", {"metadata": noted}, [], None)
    kept = version(memory, tmp_path / "a")
    memory.adapters.record_reject("ann", kept.id, f"near guards were lost: {SECRET}")
    assert {"adapter", "batch", "conversation", "file", "release_step"} <= traced(memory)
    removed = forget(memory, record)
    assert traced(memory) == set()
    assert (removed["adapter_texts"], removed["release_step_texts"]) == (1, 1)
    assert memory.adapters.show("ann", kept.id).rejected == "near guards were lost: "
    left = {"why": "for ", "n": "7"}
    assert memory.batches.get("ann", batch.id).details.metadata == left
    assert memory.conversations.get("ann", said.id).details == {"metadata": left}
    assert memory.files.get("ann", upload.id).name == ".txt"


def test_every_column_that_may_hold_a_text_is_erased_scrubbed_or_holds_none() -> None:
    scrubbed = {f"{table.name}.{name}" for table, names in SCRUBBED for name in names}
    texts = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, Text | JSON | LargeBinary)
    }
    assert texts - scrubbed - ERASED == NO_TEXTS
    assert not ERASED & scrubbed


def test_a_short_text_goes_only_where_it_is_all_of_a_value(
    memory: LongTermMemory, draft: Build
) -> None:
    record = memory.save(draft(HI)).record
    whole, part = job_about(memory, HI), job_about(memory, f"{HI}, friend")
    forget(memory, record)
    assert memory.jobs.get("ann", whole).request == {"say": ""}
    assert memory.jobs.get("ann", part).request == {"say": f"{HI}, friend"}


def test_another_tenants_jobs_and_evaluations_stay(memory: LongTermMemory, draft: Build) -> None:
    eval_id, run_id = evaluated(memory, "bob")
    forget(memory, memory.save(draft(SECRET, rationale=ANSWER)).record)
    assert len(memory.eval_runs.outputs("bob", eval_id, run_id, 10)) == 3
    assert memory.eval_runs.get("bob", eval_id, run_id).status is RunStatus.IN_PROGRESS


@pytest.mark.parametrize("shared", [False, True])
def test_a_task_goes_where_no_other_record_has_it(
    memory: LongTermMemory, draft: Build, shared: bool
) -> None:
    record = memory.save(draft(SECRET, task="tax 2025")).record
    if shared:
        memory.save(draft(OTHER, task="tax 2025"))
    job_id = job_about(memory, "tax 2025")
    forget(memory, record)
    result = memory.jobs.get("ann", job_id).result
    assert result is not None
    assert result["tasks"] == ({"tax 2025": 2, "": 3} if shared else {"": 5})


def test_what_was_fine_tuned_on_a_line_of_it_has_learned_from_it(
    memory: LongTermMemory, draft: Build, tmp_path: Path
) -> None:
    record = memory.save(draft(SECRET)).record
    files = [
        memory.files.create(NewFile(tenant="ann", name="t.jsonl", purpose="fine-tune"), [line]).id
        for line in (
            json.dumps({"prompt": SECRET}).encode(),
            json.dumps({"prompt": OTHER}).encode(),
        )
    ]
    on, off = (
        job_about(memory, "x", JobKind.FINE_TUNE, training_file=file, validation_file=None)
        for file in files
    )
    learned = version(memory, tmp_path / "a", job=on)
    version(memory, tmp_path / "b", job=off, seed=1)
    asked = NewJob(tenant="ann", kind=JobKind.FINE_TUNE, request={"training_file": files[0]})
    waiting, running = memory.jobs.create(asked, 10), memory.jobs.create(asked, 10)
    memory.jobs.take("ann", running.id, "w")
    assert forget(memory, record)["learned_from_files"] == 1
    assert [each.id for each in memory.adapters.revoked_by(record.id)] == [learned.id]
    assert memory.jobs.get("ann", waiting.id).status is JobStatus.CANCELLED
    assert memory.jobs.get("ann", running.id).wanted is Wish.CANCEL


def test_an_import_that_has_read_a_line_of_it_is_cancelled_and_one_that_waits_is_not(
    memory: LongTermMemory, draft: Build
) -> None:
    record = memory.save(draft(SECRET)).record
    kept = [
        memory.files.create(NewFile(tenant="ann", name="i.jsonl", purpose="user_data"), [line]).id
        for line in (
            json.dumps({"question": SECRET}).encode(),
            json.dumps({"question": OTHER}).encode(),
        )
    ]
    names = ("waiting", "running", "stopped", "apart")
    jobs = {
        name: memory.jobs.create(
            NewJob(tenant="ann", kind=JobKind.IMPORT, request={"file": kept[name == "apart"]}), 10
        ).id
        for name in names
    }
    for name in names[1:]:
        memory.jobs.take("ann", jobs[name], "w")
    memory.jobs.ask("ann", jobs["stopped"], Wish.PAUSE)
    memory.jobs.let_go(jobs["stopped"], "w")
    assert forget(memory, record)["jobs_ended"] == 2
    found = {name: memory.jobs.get("ann", job_id) for name, job_id in jobs.items()}
    assert {name: (each.status, each.wanted) for name, each in found.items()} == {
        "waiting": (JobStatus.QUEUED, None),
        "running": (JobStatus.RUNNING, Wish.CANCEL),
        "stopped": (JobStatus.CANCELLED, None),
        "apart": (JobStatus.RUNNING, None),
    }


def test_texts_go_out_of_keys_values_and_longer_texts() -> None:
    texts = Texts((SECRET, "ab"))
    value = {SECRET: [SECRET, "ab", "abc", 7, None], "k": f"see {SECRET} there"}
    assert texts.are_in(value)
    assert texts.out_of(value) == {"": ["", "", "abc", 7, None], "k": "see  there"}
    assert not texts.are_in(texts.out_of(value))
    assert not texts.are_in({"abc": ["abc"]})
