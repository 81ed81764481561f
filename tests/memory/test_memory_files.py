"""Files: whole or not at all, their tenant's own, gone when they are deleted or have expired."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.embedding.hashing import HashingEmbedder
from memory.errors import ConflictError, NotFoundError
from memory.history import files
from memory.history.files import PART_BYTES, NewFile
from memory.memory import LongTermMemory


def new(tenant: str = "ann", name: str = "a.jsonl", expires_at: float | None = None) -> NewFile:
    return NewFile(tenant=tenant, name=name, purpose="batch", expires_at=expires_at)


def content(memory: LongTermMemory, file_id: str, tenant: str = "ann") -> bytes:
    return b"".join(memory.files.content(tenant, file_id))


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, 2 * PART_BYTES + 7])
def test_a_file_comes_back_as_it_was(memory: LongTermMemory, size: int) -> None:
    written = bytes(number % 251 for number in range(size))
    pieces = [written[start : start + 100_000] for start in range(0, size, 100_000)]
    made = memory.files.create(new(), pieces)
    assert made.bytes == size
    assert content(memory, made.id) == written
    assert memory.files.get("ann", made.id) == made


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_parts_hold_the_same_bytes_whatever_the_pieces(pieces: list[bytes]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "PART_BYTES", 8)
        parts = list(files._parts(pieces))
    assert b"".join(parts) == b"".join(pieces)
    assert all(len(part) == 8 for part in parts[:-1])
    assert all(0 < len(part) <= 8 for part in parts[-1:])


def test_a_file_is_its_tenants_own(memory: LongTermMemory) -> None:
    made = memory.files.create(new(), [b"secret"])
    for ask in (
        memory.files.get,
        memory.files.delete,
        lambda *who: list(memory.files.content(*who)),
    ):
        with pytest.raises(NotFoundError):
            list(ask("bob", made.id) or ())
    assert memory.files.list("bob") == []
    assert content(memory, made.id) == b"secret"


def test_lists_go_on_after_an_id_and_keep_to_a_purpose(memory: LongTermMemory) -> None:
    made = [memory.files.create(new(name=str(each)), [b"x"]) for each in range(5)]
    ids = [each.id for each in made]
    assert [each.id for each in memory.files.list("ann")] == ids[::-1]
    page = memory.files.list("ann", limit=2, after=ids[3])
    assert [each.id for each in page] == [ids[2], ids[1]]
    rising = memory.files.list("ann", order="asc", after=ids[3])
    assert [each.id for each in rising] == [ids[4]]
    assert memory.files.list("ann", purpose="vision") == []
    with pytest.raises(NotFoundError):
        memory.files.list("ann", after="file-none")


def test_a_file_beyond_the_most_leaves_nothing(memory: LongTermMemory) -> None:
    memory.files.create(new(), [b"x" * 60], most=100)
    with pytest.raises(ConflictError, match="120 bytes, and 100 are the most"):
        memory.files.create(new(), [b"x" * 60], most=100)
    assert len(memory.files.list("ann")) == 1
    memory.files.create(new("bob"), [b"x" * 60], most=100)


def test_so_many_files_and_no_more(memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memory.history.files.MOST_FILES", 1)
    memory.files.create(new(), [])
    with pytest.raises(ConflictError, match="1 files of yours"):
        memory.files.create(new(), [])
    memory.files.create(new("bob"), [])


def test_a_reading_that_fails_leaves_nothing(memory: LongTermMemory) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * PART_BYTES
        raise ValueError("gone")

    with pytest.raises(ValueError, match="gone"):
        memory.files.create(new(), broken())
    assert memory.files.list("ann") == []


def test_what_has_expired_exists_no_more_and_goes(memory: LongTermMemory) -> None:
    stays = memory.files.create(new(expires_at=time.time() + 60), [b"x"])
    gone = memory.files.create(new(expires_at=time.time() + 0.05), [b"a secret that goes"])
    time.sleep(0.06)
    with pytest.raises(NotFoundError):
        memory.files.get("ann", gone.id)
    assert [each.id for each in memory.files.list("ann")] == [stays.id]
    assert memory.files.drop_expired() == 1
    assert memory.files.drop_expired() == 0


@pytest.mark.sqlite
def test_nothing_of_a_deleted_file_is_left_on_the_disk(
    tmp_path: Path, embedder: HashingEmbedder
) -> None:
    canary = b"canary-4711-of-a-file"
    opened = LongTermMemory.open(tmp_path, embedder)
    made = opened.files.create(new(), [canary])
    assert any(canary in each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    opened.files.delete("ann", made.id)
    opened._database.empty_log()
    assert not any(canary in each.read_bytes() for each in tmp_path.rglob("*") if each.is_file())
    opened.close()


def test_a_file_that_goes_while_it_is_read_ends_with_an_error(memory: LongTermMemory) -> None:
    made = memory.files.create(new(), [b"x" * (2 * PART_BYTES)])
    parts = memory.files.content("ann", made.id)
    next(parts)
    memory.files.delete("ann", made.id)
    with pytest.raises(NotFoundError):
        list(parts)
