"""Whoever asks the embedder for much is served as often as whoever asks for little."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from memory.embedding.embedding_queue import BATCH, EmbeddingQueue
from memory.embedding.hashing import HashingEmbedder


class Watched(HashingEmbedder):
    """Notes what it computes at once, and can be held up."""

    def __init__(self) -> None:
        super().__init__(64)
        self.batches: list[list[str]] = []
        self.free = threading.Event()
        self.free.set()

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.free.wait(20)
        self.batches.append(list(texts))
        if "broken" in texts:
            raise RuntimeError("the weights are others")
        return super().embed(texts)


@pytest.fixture
def embedder() -> Watched:
    return Watched()


async def test_vectors_come_back_in_the_order_of_the_texts(embedder: Watched) -> None:
    texts = [f"text {number}" for number in range(3 * BATCH + 1)]
    found = await EmbeddingQueue(embedder).vectors("ann", texts)
    assert np.array_equal(found, HashingEmbedder(64).embed(texts))


async def test_rough_vectors_share_batches_with_exact_ones() -> None:
    class Rough(HashingEmbedder):
        def embed_roughly(self, texts: Sequence[str]) -> np.ndarray:
            return -self.embed(texts)

    embedder = Rough(64)
    queue = EmbeddingQueue(embedder)
    exact, rough = await asyncio.gather(
        queue.vectors("ann", ["one", "two"]), queue.vectors("bob", ["one", "two"], is_rough=True)
    )
    assert np.array_equal(exact, embedder.embed(["one", "two"]))
    assert np.array_equal(rough, -exact)


async def test_no_texts_have_no_vectors(embedder: Watched) -> None:
    assert (await EmbeddingQueue(embedder).vectors("ann", [])).shape == (0, 64)
    assert not embedder.batches


async def test_what_came_meanwhile_is_computed_at_once(embedder: Watched) -> None:
    queue = EmbeddingQueue(embedder)
    embedder.free.clear()
    asked = [asyncio.ensure_future(queue.embedded(n, [f"text {n}"])) for n in range(BATCH + 1)]
    await asyncio.sleep(0)
    embedder.free.set()
    await asyncio.gather(*asked)
    assert [len(batch) for batch in embedder.batches] in ([BATCH, 1], [1, BATCH])


async def test_one_who_asks_for_thousands_holds_nobody_up_for_more_than_a_batch(
    embedder: Watched,
) -> None:
    queue = EmbeddingQueue(embedder)
    embedder.free.clear()
    greedy = asyncio.ensure_future(queue.embedded("greedy", [f"g{n}" for n in range(500)]))
    await asyncio.sleep(0)
    modest = asyncio.ensure_future(queue.embedded("modest", ["m0"]))
    await asyncio.sleep(0)
    embedder.free.set()
    await modest
    assert not greedy.done()
    assert any("m0" in batch for batch in embedder.batches[:2])
    await greedy


async def test_those_who_ask_for_much_share_every_batch(embedder: Watched) -> None:
    queue = EmbeddingQueue(embedder)
    both = [queue.embedded(who, [f"{who}{n}" for n in range(40)]) for who in ("a", "b")]
    await asyncio.gather(*both)
    for batch in embedder.batches[1:-1]:
        assert sum(text.startswith("a") for text in batch) == BATCH // 2


async def test_who_gives_up_is_not_computed(embedder: Watched) -> None:
    queue = EmbeddingQueue(embedder)
    embedder.free.clear()
    first = asyncio.ensure_future(queue.embedded("ann", ["first"]))
    await asyncio.sleep(0)
    second = asyncio.ensure_future(queue.embedded("ann", ["second"]))
    await asyncio.sleep(0)
    second.cancel()
    embedder.free.set()
    await first
    with pytest.raises(asyncio.CancelledError):
        await second
    third = await queue.embedded("ann", ["third"])
    assert len(third) == 1
    assert embedder.batches == [["first"], ["third"]]


async def test_an_error_is_told_to_its_batch_and_no_later_one(embedder: Watched) -> None:
    queue = EmbeddingQueue(embedder)
    with pytest.raises(RuntimeError, match="weights"):
        await queue.embedded("ann", ["broken"])
    (found,) = await queue.embedded("ann", ["whole"])
    assert found.vector.shape == (64,)


def test_a_queue_outlives_an_event_loop(embedder: Watched) -> None:
    queue = EmbeddingQueue(embedder)
    for text in ("one", "two"):
        assert len(asyncio.run(queue.embedded("ann", [text]))) == 1
