"""A data folder in which a record has been everywhere that a record comes to."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from adaptation.learning.training.fake import write_zeros
from adaptation.options import Strategy
from adaptation.report import Report, StopReason
from memory.embedding.embedder import create_embedder
from memory.history.files import NewFile, StoredFile
from memory.history.traced import Traced, TracedSample
from memory.memory import LongTermMemory
from memory.types import AdapterVersion, Completion, Draft, Message, Record, Tier
from memory.versions.adapters import NewVersion
from server.erasure.eraser import Eraser
from server.erasure.search import Hit, search
from server.tenancy.secret import Secret

CANARY = "the zanzibar invoice"
QUESTION = f"What does {CANARY} “No. 7” come to?"
TEXT = f"By {CANARY}, it comes to 1,250 dollars."
OTHER = "What is two and two?"


@dataclass(frozen=True)
class Life:
    """What became of the record."""

    record: Record
    other: Record
    clean: AdapterVersion
    """Promoted before, from the other record alone."""
    learned: AdapterVersion
    """The champion."""
    upload: StoredFile
    kept: Path


def opened(folder: Path) -> LongTermMemory:
    return LongTermMemory.open(folder, create_embedder("hashing"))


def eraser_of(memory: LongTermMemory) -> Eraser:
    return Eraser(memory, Secret.of_folder(memory.data_dir))


def hits(memory: LongTermMemory, text: str = CANARY) -> list[Hit]:
    return list(search(memory, memory.data_dir, text, lambda done, total: None))


def live(folder: Path, tenant: str = "ann", canary: str = QUESTION) -> Life:
    """Save, recall, learn from, keep and copy a record; everything is closed again."""
    memory = opened(folder)
    completion = answered(memory, tenant, canary)
    other = memory.save(draft(tenant, OTHER, "4")).record
    record = memory.save(draft(tenant, canary, TEXT)).record
    memory.completions.link_record(tenant, completion.id, record.id)
    memory.notes.add(tenant, canary, canary, [f"A try at {canary} failed"])
    memory.set_state(tenant, record.id, record.state, f"looked at: {canary}")
    assert memory.recall(tenant, canary, k=1)[0].record.id == record.id
    clean = distilled(memory, folder, tenant, [other], rank=2)
    learned = distilled(memory, folder, tenant, [other, record], rank=4)
    upload = memory.files.create(
        NewFile(tenant=tenant, name="in.jsonl", purpose="batch"), lines_about(canary)
    )
    kept = kept_adapter(folder, tenant, record)
    memory.close()
    copy = folder / "whet.db.schema-0010"
    if copy.exists():  # another tenant's life came before
        copy.unlink()
    shutil.copy(folder / "whet.db", copy)
    return Life(record, other, clean, learned, upload, kept)


def draft(tenant: str, question: str, text: str) -> Draft:
    asked = (Message(role="user", content=question),)
    given = {"task": question, "tier": Tier.FEEDBACK, "evidence": {"said": question}}
    return Draft(tenant=tenant, messages=asked, answer=text, rationale=text, **given)  # type: ignore[arg-type]


def answered(memory: LongTermMemory, tenant: str, question: str) -> Completion:
    asked = (Message(role="user", content=question),)
    told = Report(
        strategy=Strategy.AUTO,
        requested=Strategy.AUTO,
        stop_reason=StopReason.SINGLE,
        answer=TEXT,
    )
    sample = TracedSample(1, TEXT, TEXT, TEXT, 9, 0.0, 1.0, "returned", "stop")
    item = Completion(
        id=f"chatcmpl-{tenant}",
        tenant=tenant,
        messages=asked,
        text=TEXT,
        answer=TEXT,
        report=told.model_dump(mode="json"),
        traced=Traced(1.0, (sample,)),
    )
    memory.completions.append(item)
    assert memory.completions.flush()
    return item


def distilled(
    memory: LongTermMemory, folder: Path, tenant: str, records: list[Record], rank: int
) -> AdapterVersion:
    work = folder.parent / f"trained-{tenant}-{rank}"
    work.mkdir(exist_ok=True)
    write_zeros(work, rank)
    recipe = {"seed": 0, "rank": rank}
    metrics = {
        "decision": "promoted",
        "tasks": {record.task: 1 for record in records},
        "training": {"recipe": recipe},
    }
    version = memory.adapters.register(
        work,
        NewVersion(
            tenant=tenant,
            base_model="whet-pebble",
            rank=rank,
            metrics=metrics,
            record_ids=[record.id for record in records],
        ),
    )
    return memory.adapters.promote(tenant, version.id)


def lines_about(question: str) -> list[bytes]:
    """An upload of three requests, the second of which asks the question."""
    lines = []
    for n, text in enumerate((OTHER, question, "Who are you?")):
        body = {"model": "whet-pebble", "messages": [{"role": "user", "content": text}]}
        fields = {"custom_id": f"r{n}", "method": "POST", "url": "/v1/chat/completions"}
        lines.append(json.dumps(fields | {"body": body}).encode() + b"\n")
    return lines


def kept_adapter(folder: Path, tenant: str, record: Record) -> Path:
    kept = folder / "kept-adapters" / "weights" / f"key-{tenant}"
    kept.mkdir(parents=True)
    write_zeros(kept, 2)
    report = {"id": "a", "parent": None, "reason": f"kept of {record.question}"}
    about = {"tenant": tenant, "records": {record.id: "digest"}, "rank": 2, "report": report}
    (kept / "kept.json").write_text(json.dumps(about), "utf-8")
    return kept
