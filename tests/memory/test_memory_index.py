"""The FAISS index and the embedder without a model."""

from __future__ import annotations

import numpy as np
import pytest

from memory.embedding.embedder import create_embedder
from memory.embedding.hashing import HashingEmbedder
from memory.index.faiss_index import FaissIndex


def rows(n: int) -> np.ndarray:
    vectors = np.random.default_rng(0).normal(size=(n, 8)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_search_is_exact_and_best_first() -> None:
    index, vectors = FaissIndex(8), rows(50)
    index.add(np.arange(50), vectors)
    found = index.search(vectors[17], 50)
    assert [i for i, _ in found] == np.argsort(-(vectors @ vectors[17])).tolist()


def test_adding_a_known_id_replaces_it_and_removal_is_final() -> None:
    index, vectors = FaissIndex(8), rows(3)
    index.add(np.array([5, 6]), vectors[:2])
    index.add(np.array([5]), vectors[2:])
    assert index.count() == 2
    assert index.search(vectors[2], 1)[0] == (5, pytest.approx(1.0))
    index.remove([5, 77])
    assert index.holding([5, 6]) == {6}
    ((ids, held),) = index.blocks()
    assert ids.tolist() == [6]
    assert np.array_equal(held, vectors[1:2])


def test_an_empty_index_finds_nothing() -> None:
    index = FaissIndex(8)
    assert index.search(rows(1)[0], 5) == []
    assert list(index.blocks()) == []


def test_vectors_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 1 vectors of 8"):
        FaissIndex(8).add(np.array([1]), np.zeros((1, 9), np.float32))


def test_hashed_texts_are_unit_vectors_that_do_not_change() -> None:
    embedder = HashingEmbedder(32)
    vectors = embedder.embed(["two and two", "", "Zwölf 😀", "two and two"])
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)
    assert np.array_equal(vectors[0], vectors[3])
    assert embedder.embed([]).shape == (0, 32)
    assert vectors[0, :4] == pytest.approx(PINNED, abs=1e-6)


def test_shared_wording_is_similar() -> None:
    a, b, c = HashingEmbedder().embed(["what is 2 and 3?", "what is 2 and 4?", "name a river"])
    assert a @ b > 0.5 > a @ c


def test_an_unknown_embedder_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="hashing, minilm"):
        create_embedder("word2vec")


PINNED = [0.135483, -0.135483, 0.135483, 0.2293927]
"""The first values of "two and two": stored vectors must stay comparable across releases."""
