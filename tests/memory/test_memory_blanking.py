"""Lines of files and answers of batches that tell of an erased record."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from memory.history.files import PART_BYTES, Files, FileStore, NewFile
from memory.memory import LongTermMemory
from memory.offline.batch import Answer, BatchDetails, NewBatch, Status
from memory.types import Completion, Draft, Message

Build = Callable[..., Draft]
Note = Callable[..., Completion]
SECRET = "where is the zanzibar file?"
ANSWER = "It lies in the third drawer from the top, beside the stamps."


def upload(memory: LongTermMemory, content: bytes, tenant: str = "ann") -> str:
    new = NewFile(tenant=tenant, name="f.jsonl", purpose="batch")
    return memory.files.create(new, [content]).id


def content(memory: LongTermMemory, file_id: str, tenant: str = "ann") -> bytes:
    return b"".join(memory.files.content(tenant, file_id))


def asking(text: str, *, in_ascii: bool = True) -> bytes:
    body = {"messages": [{"role": "user", "content": text}]}
    return json.dumps({"custom_id": "x", "body": body}, ensure_ascii=in_ascii).encode()


def forgotten(memory: LongTermMemory, draft: Draft) -> None:
    memory.forget("ann", memory.save(draft).record.id)


@pytest.mark.parametrize(
    "line",
    [
        asking(SECRET),
        json.dumps({"prompt": SECRET}).encode(),
        json.dumps({"choices": [{"message": {"content": ANSWER}}]}).encode(),
        b"  " + asking(SECRET),
    ],
)
@pytest.mark.parametrize("place", [0, PART_BYTES - 60, PART_BYTES - 1, 3 * PART_BYTES - 5])
@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_line_that_tells_of_the_record_is_spaces_wherever_it_stands(
    memory: LongTermMemory, draft: Build, line: bytes, place: int, end: bytes
) -> None:
    before = b"x" * (place - 1) + b"\n" if place else b""
    file_id = upload(memory, before + line + end)
    forgotten(memory, draft(SECRET, rationale=ANSWER))
    assert content(memory, file_id) == before + b" " * len(line) + end


@pytest.mark.parametrize("question", ['a "quoted" zanzibär ☂?', "two\nlines of zanzibar"])
@pytest.mark.parametrize("in_ascii", [True, False])
def test_a_question_is_found_however_it_is_escaped(
    memory: LongTermMemory, draft: Build, question: str, in_ascii: bool
) -> None:
    file_id = upload(memory, asking(question, in_ascii=in_ascii))
    forgotten(memory, draft(question))
    assert not content(memory, file_id).strip()


@pytest.mark.parametrize(
    "kept",
    [
        asking("where is the zanzibar file? And the other one?"),  # another question
        f"notes on {SECRET}".encode(),  # no JSON
        json.dumps([SECRET]).encode(),
    ],
)
def test_what_is_no_line_about_it_stays(memory: LongTermMemory, draft: Build, kept: bytes) -> None:
    file_id = upload(memory, kept)
    forgotten(memory, draft(SECRET))
    assert content(memory, file_id) == kept


def test_a_file_that_has_expired_and_is_still_there_goes(
    memory: LongTermMemory, draft: Build
) -> None:
    new = NewFile(tenant="ann", name="f", purpose="batch", expires_at=time.time() + 0.05)
    memory.files.create(new, [asking(SECRET)])
    time.sleep(0.06)
    assert list(memory.traces([b"zanzibar"]))
    forgotten(memory, draft(SECRET))
    assert list(memory.traces([b"zanzibar"])) == []


def test_a_file_of_another_tenant_stays(memory: LongTermMemory, draft: Build) -> None:
    file_id = upload(memory, asking(SECRET), "bob")
    forgotten(memory, draft(SECRET))
    assert content(memory, file_id, "bob") == asking(SECRET)


def test_the_lines_of_many_files_are_found_whatever_their_size(
    memory: LongTermMemory, draft: Build
) -> None:
    """Small files are read several at a time."""
    line, other = asking(SECRET), asking("what else is there?")
    sizes = [0, 100, PART_BYTES - 2 * len(line), PART_BYTES, 2 * PART_BYTES]
    telling = [upload(memory, b" " * size + b"\n" + line) for size in sizes for _ in range(4)]
    quiet = [upload(memory, b" " * size + b"\n" + other) for size in sizes for _ in range(4)]
    saved = memory.save(draft(SECRET)).record
    memory.forget("ann", saved.id)
    assert memory.erasures.get("ann", saved.id).removed["files"] == dict.fromkeys(telling, 1)
    assert all(content(memory, each).endswith(other) for each in quiet)
    assert list(memory.traces([b"zanzibar"])) == []


def test_short_answers_tell_no_line(memory: LongTermMemory, draft: Build) -> None:
    line = json.dumps({"choices": [{"message": {"content": "It is 4."}}]}).encode()
    file_id = upload(memory, line)
    forgotten(memory, draft(SECRET))
    assert content(memory, file_id) == line


def answered_batch(memory: LongTermMemory, completion: Note) -> str:
    """Return a batch under way that a secret and something else were answered in."""
    asked = (Message(role="user", content=SECRET),)
    memory.completions.append(completion("chatcmpl-1").model_copy(update={"messages": asked}))
    assert memory.completions.flush()
    details = BatchDetails()
    new = NewBatch(
        tenant="ann",
        endpoint="/v1/chat/completions",
        input_file_id=upload(memory, asking(SECRET) + b"\n" + asking("else?") + b"\n"),
        details=details,
        seconds=60.0,
    )
    batch = memory.batches.create(new, 1)
    assert memory.batches.claim("me") is not None
    memory.batches.begin(batch.id, 2)
    lines = [json.dumps({"body": {"id": f"chatcmpl-{n}"}}).encode() for n in (1, 2)]
    answers = [Answer(line=n, failed=False, content=line) for n, line in enumerate(lines, 1)]
    memory.batches.note(batch.id, "me", answers)
    return batch.id


def test_what_a_batch_was_answered_goes_by_the_completion_that_goes(
    memory: LongTermMemory, draft: Build, completion: Note
) -> None:
    saved = memory.save(draft(SECRET)).record
    batch_id = answered_batch(memory, completion)
    memory.forget("ann", saved.id)
    assert memory.batches.answered(batch_id) == {2}
    assert memory.erasures.get("ann", saved.id).removed["batch_answers"] == 1


def meanwhile(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]
) -> None:
    """Have something happen once the files of a tenant are listed."""
    listed = FileStore.list

    def then(store: FileStore, tenant: str, **wanted: Any) -> Files:
        found = listed(store, tenant, **wanted)
        act()
        return found

    monkeypatch.setattr(FileStore, "list", then)


def test_a_batch_that_ends_meanwhile_has_no_answer_of_it_in_its_file(
    memory: LongTermMemory, draft: Build, completion: Note, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = memory.save(draft(SECRET)).record
    batch_id = answered_batch(memory, completion)
    meanwhile(memory, monkeypatch, lambda: memory.batches.end(batch_id, "me", Status.COMPLETED))
    memory.forget("ann", saved.id)
    output = memory.batches.get("ann", batch_id).details.output_file_id
    assert output is not None
    assert b"chatcmpl-2" in content(memory, output)
    assert list(memory.traces([b"chatcmpl-1", b"zanzibar"])) == []


def test_a_file_that_is_deleted_meanwhile_is_no_reason_to_stop(
    memory: LongTermMemory, draft: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = memory.save(draft(SECRET)).record
    kept, gone = upload(memory, asking(SECRET)), upload(memory, asking(SECRET))
    meanwhile(memory, monkeypatch, lambda: memory.files.delete("ann", gone))
    memory.forget("ann", saved.id)
    assert memory.erasures.get("ann", saved.id).removed["files"] == {kept: 1}


@pytest.mark.parametrize("place", [0, PART_BYTES - 7, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES])
def test_a_text_that_two_parts_of_a_file_share_is_found(memory: LongTermMemory, place: int) -> None:
    upload(memory, b"zanz")
    file_id = upload(memory, b"x" * place + b"zanzibar")
    upload(memory, b"ibar")
    (found,) = memory.traces([b"zanzibar"])
    assert (found.table, found.column) == ("file_part", "content")
    assert found.row.startswith(file_id)
