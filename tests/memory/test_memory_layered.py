"""An index that outgrows flat search: sealed, changed, compacted, and never wrong meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.embedding.hashing import HashingEmbedder
from memory.errors import StorageUnavailableError
from memory.index import layered, sealed
from memory.index.cache import BATCH, IndexCache
from memory.index.layered import Contents, LayeredIndex
from memory.index.sealed import SealedIndex, StoppedError, sealed_from
from memory.index.snapshots import SnapshotFolder
from memory.index.upkeep import Upkeep
from memory.index.vectors import VectorStore
from memory.memory import LongTermMemory
from memory.types import Draft, Message, Tier

DIM = 16
GO_ON = threading.Event()  # never set: nothing is called off


def clustered(n: int, seed: int = 0, dim: int = DIM) -> np.ndarray:
    """Unit vectors around some topics, as questions are; float32, shape (n, dim)."""
    rng = np.random.default_rng(seed)
    topics = rng.normal(size=(12, dim))
    vectors = topics[rng.integers(12, size=n)] + 0.4 * rng.normal(size=(n, dim))
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit.astype(np.float32)


def filled(n: int, seal_at: int = 20) -> LayeredIndex:
    index = LayeredIndex(DIM, seal_at)
    index.add(np.arange(n), clustered(n))
    return index


def held(index: LayeredIndex) -> dict[int, bytes]:
    blocks = index.contents().blocks
    pairs = [
        (number, vector.tobytes())
        for ids, vectors in blocks
        for number, vector in zip(ids.tolist(), vectors, strict=True)
    ]
    assert len(pairs) == len(dict(pairs)), "an id is held once"
    return dict(pairs)


def base_of(index: LayeredIndex) -> object:
    return index._state.base


changes = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(0, 60), st.integers(1, 25)),
        st.tuples(st.just("remove"), st.integers(0, 60), st.integers(1, 25)),
        st.tuples(st.just("compact"), st.just(0), st.just(0)),
        st.tuples(st.just("reopen"), st.just(0), st.just(0)),
    ),
    max_size=25,
)


@given(changes=changes, seed=st.integers(0, 3))
def test_whatever_happens_to_it_an_index_holds_what_a_dictionary_would(
    changes: list[tuple[str, int, int]], seed: int
) -> None:
    index, truth = LayeredIndex(DIM, seal_at=20), dict[int, np.ndarray]()
    for step, (kind, first, many) in enumerate(changes):
        ids = np.arange(first, first + many)
        if kind == "add":
            vectors = clustered(many, seed + step)
            index.add(ids, vectors)
            truth |= dict(zip(ids.tolist(), vectors, strict=True))
        elif kind == "remove":
            index.remove(ids.tolist())
            truth = {n: v for n, v in truth.items() if n not in ids}
        elif kind == "compact":
            index.compact(GO_ON)
            assert not index.is_due()
        else:
            index = reopened(index)
        assert index.count() == len(truth)
    assert held(index) == {number: vector.tobytes() for number, vector in truth.items()}
    known, rows = index.vectors(range(100))
    assert dict(zip(known.tolist(), rows.tolist(), strict=True)) == {
        number: vector.tolist() for number, vector in truth.items()
    }
    query = clustered(1, 99)[0]
    found = index.search(query, 100)  # more than there are: nothing may be left out
    assert {number for number, _ in found} == truth.keys()
    assert [s for _, s in found] == sorted((s for _, s in found), reverse=True)


def reopened(index: LayeredIndex) -> LayeredIndex:
    contents, again = index.contents(), LayeredIndex(DIM, seal_at=20)
    empty = (np.empty(0, np.int64), np.empty((0, DIM), np.float32))
    ids, vectors = zip(empty, *contents.blocks, strict=True)
    again.load(contents.lists, np.concatenate(ids), np.concatenate(vectors))
    return again


def test_it_stays_flat_until_it_is_large_and_is_flat_again_when_little_is_left() -> None:
    index = filled(20)
    assert not index.compact(GO_ON)
    index.add(np.array([20]), clustered(1, 5))
    assert index.compact(GO_ON)
    assert isinstance(base_of(index), SealedIndex)
    index.remove(range(12))
    assert index.compact(GO_ON)
    assert base_of(index) is None
    assert sorted(held(index)) == list(range(12, 21))


def test_a_few_changes_keep_the_cells_and_many_make_new_ones() -> None:
    index = filled(400)
    index.compact(GO_ON)
    first = index.contents().lists
    index.add(np.arange(400, 430), clustered(30, 7))
    index.compact(GO_ON)
    second = index.contents().lists
    index.add(np.arange(430, 1200), clustered(770, 8))
    index.compact(GO_ON)
    third = index.contents().lists
    assert first is not None
    assert second is not None
    assert third is not None
    assert np.array_equal(first.centroids, second.centroids)
    assert second.sizes.sum() == 430
    assert len(third.sizes) > len(second.sizes)


def test_the_recall_of_a_sealed_index_is_what_it_was_built_for() -> None:
    vectors = clustered(6000, dim=64)
    index = LayeredIndex(64, seal_at=1000)
    index.add(np.arange(6000), vectors)
    index.compact(GO_ON)
    base = base_of(index)
    assert isinstance(base, SealedIndex)
    assert base._lists.probes < base._lists.cells, "not by looking everywhere"
    shares = []
    for query in clustered(100, 0, 64) + 0.01:
        exact = set(np.argsort(-(vectors @ query))[:32].tolist())
        shares.append(len(exact & {n for n, _ in index.search(query, 32)}) / 32)
    assert np.mean(shares) >= sealed.RECALL


def test_what_changes_while_a_base_is_built_is_in_it_or_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index, begun, let_go = filled(300), threading.Event(), threading.Event()

    def slowly(*arguments: object) -> object:
        begun.set()
        assert let_go.wait(60)
        return sealed_from(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(layered, "sealed_from", slowly)
    builder = threading.Thread(target=index.compact, args=(GO_ON,))
    builder.start()
    assert begun.wait(60)
    fresh = clustered(3, 50)
    index.remove([5, 6])
    index.add(np.array([7, 300, 301]), fresh)
    index.remove([301])
    query = fresh[0]
    during = index.search(query, 400)
    let_go.set()
    builder.join(60)
    assert index.search(query, 400) == during
    assert {n for n, _ in during} == set(range(301)) - {5, 6}
    assert during[0][0] == 7


def test_searches_beside_changes_and_compactions_lose_nothing_and_show_nothing_dead() -> None:
    """Even ids stay, odd ones below 300 are gone before the searches begin; others come and go."""
    index = filled(600)
    index.remove(range(1, 300, 2))
    stay, dead = set(range(0, 600, 2)), set(range(1, 300, 2))
    stop, wrong = threading.Event(), list[str]()

    def search() -> None:
        queries = clustered(50, 3)
        while not stop.is_set():
            for query in queries:
                found = [n for n, _ in index.search(query, 2000)]
                if len(found) != len(set(found)):
                    wrong.append("twice")
                if not stay <= set(found) or dead & set(found):
                    wrong.append(f"{stay - set(found)} lost, {dead & set(found)} shown")

    def change() -> None:
        rng = np.random.default_rng(0)
        while not stop.is_set():
            ids = np.unique(rng.integers(150, 400, size=40) * 2 + 1)
            ids = ids[ids >= 300]
            index.add(ids, clustered(len(ids), 9))
            index.remove(ids.tolist())

    threads = [threading.Thread(target=work) for work in (search, search, change)]
    for thread in threads:
        thread.start()
    for _ in range(15):
        index.compact(GO_ON)
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert wrong == []


def test_a_building_that_is_called_off_leaves_everything_as_it_was() -> None:
    index, told = filled(300), threading.Event()
    told.set()
    before = held(index)
    with pytest.raises(StoppedError):
        index.compact(told)
    assert held(index) == before
    index.remove([3])
    assert index.compact(GO_ON)
    assert held(index).keys() == before.keys() - {3}


def test_upkeep_ends_soon_and_takes_nothing_more() -> None:
    upkeep, begun = Upkeep(), threading.Event()

    def work(stop: threading.Event) -> None:
        begun.set()
        assert stop.wait(60)
        raise StoppedError

    upkeep.begin("ann", work)
    assert begun.wait(60)
    upkeep.begin("ann", work)
    upkeep.close()
    upkeep.begin("bob", work)
    assert upkeep._tenants == set()


def test_work_that_fails_is_said_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    upkeep, done = Upkeep(), threading.Event()

    def full(stop: threading.Event) -> None:
        raise StorageUnavailableError("the disk is full")

    upkeep.begin("ann", full)
    upkeep.begin("bob", lambda stop: done.set())
    assert done.wait(60)
    upkeep.close()
    assert "the disk is full" in caplog.text


# ── in a memory ──────────────────────────────────────────────────────────────────────────────────


def drafts(first: int, last: int, tenant: str = "ann") -> list[Draft]:
    return [
        Draft(
            tenant=tenant,
            messages=(Message(role="user", content=f"what is {n} and {n % 7}?"),),
            answer=str(n),
            rationale="",
            tier=Tier.IMPORTED,
        )
        for n in range(first, last)
    ]


@pytest.fixture
def opened(tmp_path: Path, embedder: HashingEmbedder) -> Callable[[], LongTermMemory]:
    def build() -> LongTermMemory:
        memory = LongTermMemory.open(tmp_path, embedder)
        memory._indexes._seal_at = 50
        return memory

    return build


def index_of(memory: LongTermMemory, tenant: str = "ann") -> LayeredIndex:
    return memory._indexes._view(tenant).index


def sealed_memory(opened: Callable[[], LongTermMemory], n: int = 300) -> LongTermMemory:
    memory = opened()
    memory.save_many(drafts(0, n))
    assert memory.recall("ann", "what is 7 and 0?", k=3)[0].similarity == pytest.approx(1.0)
    while index_of(memory).is_due() or memory._indexes._upkeep._tenants:
        time.sleep(0.01)
    return memory


def test_a_large_tenant_is_sealed_found_verified_and_comes_back_without_training(
    opened: Callable[[], LongTermMemory], monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = sealed_memory(opened)
    assert isinstance(base_of(index_of(memory)), SealedIndex)
    assert memory.verify("ann").ok
    memory.save_many(drafts(300, 305))
    gone = memory.recall("ann", "what is 8 and 1?", k=1)[0].record
    memory.forget("ann", gone.id)
    assert memory.verify("ann").ok
    memory.close()
    monkeypatch.setattr(sealed, "centroids_of", None)
    again = opened()
    found = again.recall("ann", "what is 301 and 0?", k=1)[0]
    assert found.record.answer == "301"
    assert isinstance(base_of(index_of(again)), SealedIndex)
    report = again.verify("ann")
    assert report.ok
    assert report.indexed == 304
    again.close()


def test_a_sealed_index_that_is_wrong_is_found_out_and_rebuilt(
    opened: Callable[[], LongTermMemory],
) -> None:
    memory = sealed_memory(opened)
    index = index_of(memory)
    index.remove([1, 2])
    index.add(np.array([3, 9999]), memory.embedder.embed(["another", "a ghost"]))
    report = memory.verify("ann")
    assert (report.missing, report.extra, report.differing) == ((1, 2), (9999,), (3,))
    assert all(n.record.tenant == "ann" for n in memory.recall("ann", "a ghost", k=5))
    assert memory.rebuild("ann") == 300
    assert memory.verify("ann").ok
    memory.close()


@pytest.mark.parametrize("at", [0, 40, 400, 5_000, -1])
def test_a_flipped_byte_of_a_sealed_snapshot_loses_nothing(
    opened: Callable[[], LongTermMemory], tmp_path: Path, at: int
) -> None:
    sealed_memory(opened).close()
    (file,) = (tmp_path / "index").glob("*.vectors")
    whole = bytearray(file.read_bytes())
    assert b'"cells": 34' in whole[:400]
    whole[at] ^= 4
    file.write_bytes(bytes(whole))
    memory = opened()
    assert memory.verify("ann").ok
    assert file.with_suffix(".bad").exists()
    memory.close()


def test_a_tenant_is_evicted_for_the_bytes_it_holds(
    memory: LongTermMemory, embedder: HashingEmbedder
) -> None:
    for tenant in ("a", "b", "c"):
        memory.save_many(drafts(0, 10, tenant))
    vectors, folder = memory._indexes._vectors, memory.data_dir / "index"
    cache = IndexCache(vectors, embedder, folder, max_bytes=2 * 10 * (4 * 64 + 8))
    query = embedder.embed(["what is 7 and 0?"])[0]
    for tenant in ("a", "b", "c", "a"):
        assert len(cache.search(tenant, query, 20)) == 10
    cache.search("a", query, 1)
    assert list(cache._views) == ["c", "a"]
    cache.close()


def test_a_tenant_that_is_evicted_while_it_is_rebuilt_is_rebuilt_to_its_end(
    memory: LongTermMemory,
) -> None:
    memory.save_many(drafts(0, 100))
    memory.save_many(drafts(0, 1, "bob"))
    other = HashingEmbedder(32)  # which has seen no record
    vectors = VectorStore(memory._database, other.id, other.dim)
    cache = IndexCache(vectors, other, memory.data_dir / "other", max_tenants=1)
    asked, told = other.embed(["what is 7 and 0?"])[0], list[tuple[int, int]]()

    def meanwhile(done: int, total: int) -> None:
        told.append((done, total))
        cache.search("bob", asked, 1)
        assert list(cache._views) == ["bob"]

    assert cache.rebuild("ann", meanwhile) == 100
    assert told[-1] == (100, 100)
    assert cache.verify("ann").ok
    cache.close()


def test_a_rebuilding_that_the_storage_cuts_short_is_not_called_done(
    memory: LongTermMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.save_many(drafts(0, 2 * BATCH + 1))
    other = HashingEmbedder(32)  # which has seen no record
    vectors = VectorStore(memory._database, other.id, other.dim)
    cache = IndexCache(vectors, other, memory.data_dir / "other")

    def full(*_: object) -> None:
        raise StorageUnavailableError("the disk is full")

    def meanwhile(done: int, _: int) -> None:
        monkeypatch.setattr(vectors, "store", full)

    with pytest.raises(StorageUnavailableError, match=f"the vectors of {BATCH + 1} records"):
        cache.rebuild("ann", meanwhile)
    monkeypatch.undo()
    assert cache.rebuild("ann") == 2 * BATCH + 1
    cache.close()


def test_a_snapshot_written_while_a_record_is_erased_does_not_stay(
    opened: Callable[[], LongTermMemory], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = sealed_memory(opened)
    memory.save_many(drafts(300, 303))
    found = memory.recall("ann", "what is 301 and 0?", k=1)[0]
    write = SnapshotFolder.write

    def meanwhile(
        folder: SnapshotFolder, tenant: str, seq: int, mark: str | None, held: Contents
    ) -> None:
        memory._records.erase("ann", found.record.id)  # as another process would
        write(folder, tenant, seq, mark, held)

    monkeypatch.setattr(SnapshotFolder, "write", meanwhile)
    memory._indexes._save("ann", memory._indexes._view("ann"))
    assert not list((tmp_path / "index").glob("*.vectors"))
    monkeypatch.undo()
    memory.close()


def test_an_inverted_file_may_be_built_of_very_few_vectors() -> None:
    built = sealed_from([(np.arange(3), clustered(3))], GO_ON)
    assert {n for n, _ in built.search(clustered(3)[0], 5)} == {0, 1, 2}
