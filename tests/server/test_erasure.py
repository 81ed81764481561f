"""What is forgotten is nowhere any more, whatever interrupts it, and that can be shown."""

from __future__ import annotations

import base64
import gzip
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from sqlalchemy import update

from adaptation.learning.scratch import PREFIX
from memory.embedding.embedder import create_embedder
from memory.errors import ConflictError, NotFoundError, StorageUnavailableError
from memory.memory import LongTermMemory
from memory.store.schema import loose_artifact
from memory.store.scope import EVERYONE
from memory.versions.loose import SAFE_S
from server.erasure.certificate import certificate, signer_of
from server.erasure.search import PIECE_BYTES, forms_of
from server.erasure.signing import SigningKey
from server.jobs.folders import PIECES
from tests.server.backups import backed_up, restored
from tests.server.forgetting import (
    CANARY,
    QUESTION,
    TEXT,
    draft,
    eraser_of,
    hits,
    kept_adapter,
    live,
    opened,
)

STEPS = {
    "noted": "memory.erasure.erasures.ErasureStore.begin",
    "out of files": "memory.erasure.forgetting.Forgetting._take_out_of_files",
    "erased": "memory.records.RecordStore.erase",
    "copies": "memory.store.sqlite.SqliteDatabase.drop_copies",
    "log": "memory.store.sqlite.SqliteDatabase.empty_log",
    "index": "memory.index.cache.IndexCache.forget",
    "retired": "memory.versions.adapters.AdapterRegistry.retire",
    "kept": "server.erasure.eraser.Eraser._drop_kept",
}
KILLED = """
import os, pkgutil, signal, sys
from pathlib import Path
from tests.server.forgetting import eraser_of, opened

def after(step):
    owner, _, name = step.rpartition(".")
    kind = pkgutil.resolve_name(owner)
    done = getattr(kind, name)
    def killed(*args, **keywords):
        done(*args, **keywords)
        os.kill(os.getpid(), signal.SIGKILL)
    setattr(kind, name, killed)

memory = opened(Path(sys.argv[1]))
after(sys.argv[3])
eraser_of(memory).forget("ann", sys.argv[2], "a test")
"""
KILLED_AT_UPLOAD = """
import os, signal, sys
from pathlib import Path
from adaptation.learning.training.fake import write_zeros
from adaptation.learning.scratch import PREFIX
from memory.embedding.embedder import create_embedder
from memory.memory import LongTermMemory
from memory.versions.adapters import NewVersion

folder = Path(sys.argv[1])
memory = LongTermMemory.open(folder, create_embedder("hashing"), artifacts=sys.argv[2])
memory.adapters._registered = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
(folder / "trained").mkdir()
write_zeros(folder / "trained", rank=2)
new = NewVersion(tenant="ann", base_model="pebble", rank=2)
memory.adapters.register(folder / "trained", new)
"""


def certified(memory: LongTermMemory, record_id: str) -> dict[str, object]:
    document = certificate(memory, SigningKey.of_folder(memory.data_dir), "ann", record_id)
    found: dict[str, object] = document["statement"]
    return found


def test_a_record_is_everywhere_before_it_is_forgotten_and_nowhere_after(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    life = live(folder)
    memory = opened(folder)
    found = {(hit.file, hit.place.partition(",")[0]) for hit in hits(memory)}
    tables = {"record", "completion", "event", "file_part", "adapter"}
    assert {("the database", f"table {each}") for each in tables} <= found
    files = {file for file, _ in found}
    kept = "kept-adapters/weights/key-ann/kept.json"
    assert {"whet.db", "whet.db.schema-0010", kept} <= files
    done = eraser_of(memory).forget("ann", life.record.id, "a test")
    assert hits(memory) == []
    assert not life.kept.exists()
    assert memory.verify("ann").ok
    memory.close()
    memory = opened(folder)
    assert hits(memory) == []
    assert [version.id for version in done.learned] == [life.learned.id]
    statement = certified(memory, life.record.id)
    assert statement["removed"] == {
        "records": 1,
        "completions": 1,
        "traces": 1,
        "responses": 0,
        "conversation_items": 0,
        "notes": 1,
        "scores": 0,
        "worked_solutions": 0,
        "vectors": 1,
        "files": {life.upload.id: 1},
        "batch_answers": 0,
        "adapter_texts": 1,
        "copies": ["whet.db.schema-0010"],
        "kept_adapters": ["key-ann"],
    }
    memory.close()


def test_other_records_and_other_lines_of_a_file_stay(tmp_path: Path) -> None:
    life = live(tmp_path / "data")
    memory = opened(tmp_path / "data")
    eraser_of(memory).forget("ann", life.record.id, "a test")
    assert memory.get("ann", life.other.id).question == life.other.question
    lines = b"".join(memory.files.content("ann", life.upload.id)).split(b"\n")
    assert memory.files.get("ann", life.upload.id).bytes == sum(map(len, lines)) + len(lines) - 1
    assert json.loads(lines[0])["custom_id"] == "r0"
    assert not lines[1].strip()
    assert json.loads(lines[2])["custom_id"] == "r2"
    memory.close()


def test_what_learned_from_it_is_retired_and_the_newest_without_it_is_served(
    tmp_path: Path,
) -> None:
    life = live(tmp_path / "data")
    memory = opened(tmp_path / "data")
    done = eraser_of(memory).forget("ann", life.record.id, "a test")
    assert done.champion == life.clean.id
    champion = memory.adapters.alias("ann", "champion")
    assert champion is not None
    assert champion.id == life.clean.id
    assert memory.adapters.files_ok(champion)
    assert not Path(life.learned.path).exists()
    with pytest.raises(ConflictError, match="is retired: it learned from"):
        memory.adapters.promote("ann", life.learned.id)
    assert "tasks" not in memory.adapters.show("ann", life.learned.id).metrics
    (generation,) = certified(memory, life.record.id)["generations"]  # type: ignore[misc]
    assert generation["weights"] == "deleted"
    assert generation["recipe"]["seed"] == 0
    memory.close()


def test_adapters_are_kept_where_the_caller_says_so_and_the_certificate_tells(
    tmp_path: Path,
) -> None:
    life = live(tmp_path / "data")
    memory = opened(tmp_path / "data")
    done = eraser_of(memory).forget("ann", life.record.id, "a test", retires=False)
    assert [version.id for version in done.kept] == [life.learned.id]
    assert done.champion == life.learned.id
    (generation,) = certified(memory, life.record.id)["generations"]  # type: ignore[misc]
    assert generation["weights"] == "kept"
    again = eraser_of(memory).forget("ann", life.record.id, "a test")
    assert again.kept == ()
    assert again.champion == life.clean.id
    memory.close()


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_between_two_steps_leaves_what_a_server_or_a_second_try_ends(
    step: str, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    life = live(folder)
    command = [sys.executable, "-c", KILLED, str(folder), life.record.id, STEPS[step]]
    assert subprocess.run(command, timeout=120, check=False).returncode == -9
    memory = opened(folder)
    with pytest.raises(ConflictError, match="is not complete"):
        certified(memory, life.record.id)
    eraser_of(memory).finish()
    assert hits(memory) == []
    assert not life.kept.exists()
    assert not Path(life.learned.path).exists()
    statement = certified(memory, life.record.id)
    assert statement["digest"]["value"]  # type: ignore[index]
    assert statement["removed"]["completions"] == 1  # type: ignore[index]
    assert memory.verify("ann").ok
    memory.close()


def test_what_was_trained_on_it_meanwhile_goes_with_the_next_look(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    life = live(folder)
    memory = opened(folder)
    eraser_of(memory).forget("ann", life.record.id, "a test")
    late = kept_adapter(folder, "ann", life.record)
    other = kept_adapter(folder, "bob", life.record)
    eraser_of(memory).finish()
    assert not late.exists()
    assert other.exists()
    memory.close()


def test_what_killed_trainings_left_of_it_goes_with_its_erasure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    killed = tmp_path / "scratch" / f"{PREFIX}999999999-x"
    killed.mkdir(parents=True)
    life = live(tmp_path / "data")
    memory = opened(tmp_path / "data")
    eraser_of(memory).forget("ann", life.record.id, "a test")
    assert not killed.exists()
    memory.close()


def test_a_backup_made_afterwards_lacks_nothing_and_holds_nothing_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    life = live(folder)
    memory = opened(folder)
    eraser_of(memory).forget("ann", life.record.id, "a test")
    statement = certified(memory, life.record.id)
    memory.close()
    taken = backed_up(folder, tmp_path / "whet.tar.gz")
    assert taken.manifest.left_out == ()
    restored(tmp_path / "whet.tar.gz", tmp_path / "again")
    memory = opened(tmp_path / "again")
    assert hits(memory) == []
    again = certified(memory, life.record.id)
    assert again["digest"] == statement["digest"]
    public = SigningKey.of_folder(folder).public
    assert SigningKey.of_folder(memory.data_dir).public == public
    memory.close()


def test_erasing_twice_is_the_same_as_once(tmp_path: Path) -> None:
    life = live(tmp_path / "data")
    memory = opened(tmp_path / "data")
    for _ in range(2):
        eraser_of(memory).forget("ann", life.record.id, "a test")
    statement = certified(memory, life.record.id)
    assert statement["removed"]["records"] == 1  # type: ignore[index]
    memory.close()


def test_what_cannot_be_deleted_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    life = live(tmp_path / "data")
    memory = opened(tmp_path / "data")
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if "schema-" in path.name:
            raise OSError(30, "read-only file system")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    eraser = eraser_of(memory)
    with pytest.raises(StorageUnavailableError, match="schema-0010 cannot be deleted"):
        eraser.forget("ann", life.record.id, "a test")
    assert {hit.file for hit in hits(memory)} == {"whet.db.schema-0010"}
    assert memory.adapters.alias("ann", "champion") == memory.adapters.show("ann", life.clean.id)
    eraser.finish()
    assert memory.erasures.unfinished()
    monkeypatch.undo()
    eraser.finish()
    assert memory.erasures.unfinished() == []
    assert hits(memory) == []
    memory.close()


def test_a_tenant_keeps_what_is_its_own_and_is_named_in_no_certificate_of_another(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "data"
    ann, bob = live(folder), live(folder, "bob")
    memory = opened(folder)
    before = {hit for hit in hits(memory) if "bob" in hit.place}
    eraser_of(memory).forget("ann", ann.record.id, "a test")
    assert before
    assert before <= set(hits(memory))
    assert bob.kept.exists()
    assert memory.adapters.alias("bob", "champion") == memory.adapters.show("bob", bob.learned.id)
    document = certificate(memory, SigningKey.of_folder(folder), "ann", ann.record.id)
    told = json.dumps(document)
    for foreign in ("bob", bob.record.id, bob.learned.id, bob.upload.id):
        assert foreign not in told
    with pytest.raises(NotFoundError):
        certificate(memory, SigningKey.of_folder(folder), "bob", ann.record.id)
    memory.close()


def test_a_certificate_is_sound_until_a_byte_of_it_changes(tmp_path: Path) -> None:
    life = live(tmp_path / "data")
    memory = opened(tmp_path / "data")
    eraser_of(memory).forget("ann", life.record.id, "a test")
    key = SigningKey.of_folder(memory.data_dir)
    text = json.dumps(certificate(memory, key, "ann", life.record.id))
    assert signer_of(json.loads(text)) == key.public
    assert CANARY not in text
    assert TEXT not in text
    for place in range(len(text)):
        other = "1" if text[place] != "1" else "2"
        try:
            changed = json.loads(text[:place] + other + text[place + 1 :])
        except ValueError:
            continue
        assert signer_of(changed) != key.public, text[place - 20 : place + 20]
    for nothing in (None, [], {}, {"statement": 1, "signature": {}}):
        assert signer_of(nothing) is None
    assert (memory.data_dir / "signing-key").stat().st_mode & 0o077 == 0
    memory.close()


def test_a_record_that_is_not_erased_has_no_certificate(tmp_path: Path) -> None:
    life = live(tmp_path / "data")
    memory = opened(tmp_path / "data")
    with pytest.raises(ConflictError, match="is not erased"):
        certified(memory, life.record.id)
    with pytest.raises(NotFoundError):
        certified(memory, "rec_nobody")
    memory.close()


def test_a_digest_is_of_the_content_and_cannot_be_guessed_without_the_secret(
    tmp_path: Path,
) -> None:
    ids, digests = {}, set()
    for name in ("one", "two"):
        memory = opened(tmp_path / name)
        for text in ("a", "b"):
            ids[text] = memory.save(draft("ann", QUESTION, text)).record.id
            eraser_of(memory).forget("ann", ids[text], "a test")
            digests.add(memory.erasures.get("ann", ids[text]).digest)
        memory.close()
    assert len(digests) == 4


@pytest.mark.parametrize("text", ["plain canary text", 'a "quoted"\nzanzibär\t☂ text'])
def test_a_text_is_found_in_every_form_and_wherever_a_piece_ends(text: str, tmp_path: Path) -> None:
    memory = opened(tmp_path / "data")
    once = json.dumps(text)
    written = {
        "utf-8": text.encode(),
        "json": once.encode(),
        "json, not ascii": json.dumps(text, ensure_ascii=False).encode(),
        "json in json": json.dumps(once).encode(),
        "utf-16": text.encode("utf-16"),
        "gzip": gzip.compress(b"before" + text.encode()),
        **{f"base64-{n}": base64.b64encode(b"x" * n + text.encode() + b"y") for n in range(3)},
    }
    for name, data in written.items():
        (memory.data_dir / name).write_bytes(data)
    for cut in (1, 5, len(text.encode()) - 1):
        (memory.data_dir / f"cut-{cut}").write_bytes(b"\0" * (PIECE_BYTES - cut) + text.encode())
    found = {hit.file for hit in hits(memory, text)}
    assert found == {*written, *(f"cut-{cut}" for cut in (1, 5, len(text.encode()) - 1))}
    assert hits(memory, "another " + text) == []
    assert len(forms_of(text)) >= 6
    memory.close()


def test_a_text_that_the_database_splits_between_two_pages_is_found(tmp_path: Path) -> None:
    memory = opened(tmp_path / "data")
    long = "".join(f"{n:05d} " for n in range(20_000))
    memory.save(draft("ann", "a long answer?", long))
    for start in range(0, len(long) - 600, 30_001):
        assert any(hit.place.startswith("table record") for hit in hits(memory, long[start:][:600]))
    memory.close()


def test_what_workers_found_for_a_job_is_deleted_here_and_at_the_next_look_elsewhere(
    tmp_path: Path,
) -> None:
    folder, other = tmp_path / "data", tmp_path / "other"
    life = live(folder)
    shutil.copytree(folder, other)
    here, there = (_found(each, "before") for each in (folder, other))
    memory = opened(folder)
    eraser_of(memory).forget("ann", life.record.id, "a test")
    assert not here.exists()
    assert hits(memory) == []
    memory.close()
    shutil.copy(folder / "whet.db", other / "whet.db")
    after = _found(other, "after")
    memory = opened(other)
    eraser_of(memory).finish()
    assert (there.exists(), after.exists()) == (False, True)
    memory.close()


def _found(folder: Path, name: str) -> Path:
    """Have a worker's find in the folder of a job."""
    pieces = folder / "jobs" / "job_1" / PIECES
    pieces.mkdir(parents=True, exist_ok=True)
    (pieces / name).write_text(TEXT)
    return pieces / name


def test_an_adapter_that_a_kill_left_with_replicas_goes_with_a_look(tmp_path: Path) -> None:
    """It may have learned from a record that was erased since; nobody knows."""
    shared = tmp_path / "shared"
    memory = LongTermMemory.open(
        tmp_path / "data", create_embedder("hashing"), artifacts=str(shared)
    )
    command = [sys.executable, "-c", KILLED_AT_UPLOAD, str(memory.data_dir), str(shared)]
    assert subprocess.run(command, timeout=120, check=False).returncode == -9
    eraser = eraser_of(memory)
    eraser.finish()
    assert len(list(shared.iterdir())) == 2  # it may be under way still
    with memory._database.writing(EVERYONE) as connection:
        connection.execute(update(loose_artifact).values(at=time.time() - SAFE_S))
    eraser.finish()
    assert list(shared.iterdir()) == []
    memory.close()
