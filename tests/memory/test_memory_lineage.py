"""Lineage: from an answer over a record to an adapter version and back, for one tenant."""

from __future__ import annotations

from pathlib import Path

import pytest

from memory.errors import NotFoundError
from memory.history.files import NewFile
from memory.memory import LongTermMemory
from memory.offline.job import JobKind, JobStatus, NewJob
from memory.types import Completion, Draft, Message, Record, Tier
from memory.versions import lineage as lineage_module
from memory.versions.adapters import NewVersion
from memory.versions.lineage import MOST_LINKS, Traced
from tests.memory.adapters_made import write_adapter


def answered(memory: LongTermMemory, name: str, tenant: str = "ann", **fields: object) -> str:
    asked = (Message(role="user", content=f"What of {name}?"),)
    given = Completion(id=name, tenant=tenant, messages=asked, text="42", answer="42", **fields)  # type: ignore[arg-type]
    memory.completions.append(given)
    assert memory.completions.flush()
    return name


def saved(memory: LongTermMemory, question: str, completion: str, tenant: str = "ann") -> Record:
    asked = (Message(role="user", content=question),)
    evidence = {"completion": completion}
    draft = Draft(
        tenant=tenant,
        messages=asked,
        answer="42",
        rationale="42",
        tier=Tier.FEEDBACK,
        evidence=evidence,
    )
    return memory.save(draft).record


def version(
    memory: LongTermMemory,
    folder: Path,
    *records: Record,
    tenant: str = "ann",
    parent: str | None = None,
    value: float = 1.0,
) -> str:
    made = memory.adapters.register(
        write_adapter(folder / f"made-{value}", value),
        NewVersion(
            tenant=tenant,
            base_model="pebble",
            parent=parent,
            rank=2,
            metrics={"decision": "promoted"},
            record_ids=tuple(record.id for record in records),
        ),
    )
    return made.id


def links(thing: Traced) -> dict[str, tuple[str, ...]]:
    return {link.relation: link.ids for link in thing.links}


def test_an_answer_leads_to_the_request_its_adapter_learned_from(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    first = answered(memory, "chatcmpl-1")
    record = saved(memory, "What of it?", first)
    memory.completions.link_record("ann", first, record.id)
    adapter = version(memory, tmp_path, record)
    later = answered(
        memory,
        "chatcmpl-2",
        adapter=adapter,
        report={"strategy": "ttt", "neighbours": [{"id": record.id, "similarity": 0.9}]},
    )
    found = list(memory.lineage.walk("ann", later, 2))
    assert [thing.id for thing in found] == [later, adapter, record.id, first]
    assert links(found[0]) == {"served through": (adapter,), "recalled": (record.id,)}
    assert links(found[1]) == {"trained on": (record.id,), "served": (later,)}
    assert links(found[2]) == {"came from": (first,), "taught": (adapter,)}
    assert links(found[3]) == {"saved as": (record.id,)}
    assert found[1].facts["decision"] == "promoted"


def test_a_version_leads_to_what_it_grew_from_what_replaced_it_and_what_it_wrote(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    parent = version(memory, tmp_path, value=1.0)
    child = version(memory, tmp_path, parent=parent, value=2.0)
    heir = version(memory, tmp_path, value=3.0)
    assert links(memory.lineage.look("ann", child)) == {"grew from": (parent,)}
    memory.adapters.retire("ann", [child], "it learned from what was erased")
    memory.adapters.replace("ann", child, heir)
    found = memory.lineage.look("ann", child)
    assert links(found) == {"grew from": (parent,), "replaced by": (heir,)}
    assert found.facts["retired"] == "it learned from what was erased"
    asked = (Message(role="user", content="What of it?"),)
    wrote = {"answer": "42", "rationale": "42", "tier": Tier.EXECUTABLE, "adapter": heir}
    record = memory.save(Draft.model_validate({"tenant": "ann", "messages": asked, **wrote})).record
    assert links(memory.lineage.look("ann", record.id)) == {"generated through": (heir,)}


def test_a_fine_tuned_model_leads_to_its_file_and_back(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    new = NewFile(tenant="ann", name="train.jsonl", purpose="fine-tune")
    file, other = (memory.files.create(new, [content]).id for content in (b"{}", b"{} {}"))
    tuned = [
        memory.adapters.register(
            write_adapter(tmp_path / f"of-{training_file}"),
            NewVersion(
                tenant="ann",
                base_model="pebble",
                rank=2,
                metrics={"decision": "fine-tuned", "training_file": training_file},
                name=f"ft:pebble:whet::{training_file}",
            ),
        ).id
        for training_file in (file, other)
    ]
    answer = answered(memory, "chatcmpl-1", adapter=tuned[0])
    model, of_file = list(memory.lineage.walk("ann", answer, 2))[1:]
    assert links(model)["fine-tuned on"] == (file,)
    assert (of_file.kind, of_file.facts["name"]) == ("file", "train.jsonl")
    assert links(of_file) == {"taught": (tuned[0],)}
    assert memory.lineage.look("ann", other).links[0].ids == (tuned[1],)
    with pytest.raises(NotFoundError):
        memory.lineage.look("bob", file)


def test_a_model_is_found_by_its_name_and_leads_to_the_job_that_made_it(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    file = memory.files.create(NewFile(tenant="ann", name="a.jsonl", purpose="fine-tune"), [b"{}"])
    request = {"model": "pebble", "training_file": file.id, "validation_file": None}
    new = NewJob(tenant="ann", kind=JobKind.FINE_TUNE, request=request, id="ftjob-1")
    job = memory.jobs.create(new, 9)
    name = "ft:org/pebble:whet::1"
    tuned = NewVersion(
        tenant="ann", base_model="pebble", rank=2, metrics={"job": job.id}, name=name
    )
    version = memory.adapters.register(write_adapter(tmp_path / "tuned"), tuned).id
    model, made = memory.lineage.walk("ann", name, 1)
    assert (model.id, model.facts["name"]) == (version, name)
    assert links(model) == {"made by": (job.id,)}
    assert (made.kind, made.facts["what"], made.facts["status"]) == ("job", "fine-tune", "queued")
    assert links(made) == {"read": (file.id,), "made": (version,)}
    for foreign in (name, job.id):
        with pytest.raises(NotFoundError):
            memory.lineage.look("bob", foreign)


def test_a_distillation_leads_to_its_version(memory: LongTermMemory, tmp_path: Path) -> None:
    made = version(memory, tmp_path)
    new = NewJob(tenant="ann", kind=JobKind.DISTILL, request={"model": "pebble"})
    job = memory.jobs.create(new, 9)
    assert memory.jobs.claim("one") is not None
    memory.jobs.end(job.id, "one", JobStatus.SUCCEEDED, {"adapter": made})
    assert links(memory.lineage.look("ann", job.id)) == {"made": (made,)}
    assert links(memory.lineage.look("ann", made))["made by"] == (job.id,)


def test_a_trace_leads_back_from_the_record(memory: LongTermMemory, tmp_path: Path) -> None:
    record = saved(memory, "What of it?", "chatcmpl-gone")
    adapter = version(memory, tmp_path, record)
    served = answered(memory, "chatcmpl-3", adapter=adapter)
    reused = answered(
        memory,
        "chatcmpl-4",
        record_id=record.id,
        report={"memory": {"saved": None, "state": None, "reason": "", "reused": record.id}},
    )
    near = list(memory.lineage.walk("ann", record.id, 1))
    assert [thing.id for thing in near] == [record.id, reused, adapter]
    assert links(near[0])["came from"] == ("chatcmpl-gone",), "it may be looked for elsewhere"
    assert links(near[1]) == {"taken from": (record.id,)}
    assert served in [thing.id for thing in memory.lineage.walk("ann", record.id, 2)]


def test_records_that_an_adapter_was_trained_on_for_the_request_are_told(
    memory: LongTermMemory,
) -> None:
    report = {
        "adapter": {"accepted": True, "parent": None, "id": "whet-1"},
        "neighbours": [{"id": "rec_gone", "similarity": 0.5}],
    }
    found = memory.lineage.look("ann", answered(memory, "chatcmpl-5", report=report))
    assert links(found) == {"trained on": ("rec_gone",)}


def test_a_record_names_everybody_who_vouches_for_it(memory: LongTermMemory) -> None:
    saved(memory, "What of it?", "chatcmpl-1")
    record = saved(memory, "What of it?", "chatcmpl-2")
    found = memory.lineage.look("ann", record.id)
    assert links(found)["came from"] == ("chatcmpl-1", "chatcmpl-2")


def test_of_several_prompts_the_first_is_found_by_the_clients_id(memory: LongTermMemory) -> None:
    answered(memory, "cmpl-1-0")
    assert memory.lineage.look("ann", "cmpl-1").id == "cmpl-1-0"


def test_of_many_links_some_are_shown_and_all_counted(
    memory: LongTermMemory, tmp_path: Path
) -> None:
    records = [saved(memory, f"What of {i}?", "x") for i in range(MOST_LINKS + 3)]
    found = memory.lineage.look("ann", version(memory, tmp_path, *records))
    (learned,) = found.links
    assert (len(learned.ids), learned.total) == (MOST_LINKS, MOST_LINKS + 3)
    for i in range(MOST_LINKS + 3):
        answered(memory, f"chatcmpl-{i}", record_id=records[0].id)
    reused = {link.relation: link for link in memory.lineage.look("ann", records[0].id).links}
    assert len(reused["answered"].ids) == MOST_LINKS
    assert reused["answered"].total == MOST_LINKS + 3


def test_a_walk_has_an_end(
    memory: LongTermMemory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [saved(memory, f"What of {i}?", "x") for i in range(8)]
    adapter = version(memory, tmp_path, *records)
    assert len(list(memory.lineage.walk("ann", adapter, 2))) == 9
    monkeypatch.setattr(lineage_module, "MOST_THINGS", 5)
    assert len(list(memory.lineage.walk("ann", adapter, 2))) == 5


def test_nothing_of_another_tenant_is_shown(memory: LongTermMemory, tmp_path: Path) -> None:
    record = saved(memory, "What of it?", "chatcmpl-1")
    adapter = version(memory, tmp_path, record)
    answer = answered(memory, "chatcmpl-1", adapter=adapter)
    for thing in (record.id, adapter, answer, "nothing"):
        with pytest.raises(NotFoundError):
            memory.lineage.look("bob", thing)
    foreign = answered(memory, "chatcmpl-9", tenant="bob", adapter=adapter, record_id=record.id)
    assert [thing.id for thing in memory.lineage.walk("bob", foreign, 3)] == [foreign]
    ids = {i for thing in memory.lineage.walk("ann", record.id, 3) for i in (thing.id,)}
    assert foreign not in ids
