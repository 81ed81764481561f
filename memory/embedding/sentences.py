"""Sentence embeddings: a model of sentence-transformers in a folder, and a cache of its vectors.

Loading takes 7–8 s, so it happens once and `warm_up` lets a server choose when. Which weights a
vector came from is part of the embedder's name.
"""

from __future__ import annotations

import gc
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

BATCH = 32
MAX_CHARACTERS = 8_192
"""Far more than such models read; the tokenizer should not read a megabyte to drop it."""
WEIGHTS = ("*.safetensors", "*.bin")


class SentenceEmbedder:
    """Computes one batch at a time on one CPU thread; repeated texts come from a cache."""

    id: str
    dim: int
    max_tokens: int
    _model: Any = None

    def __init__(self, folder: Path, cache_size: int = 4_096) -> None:
        """Use the model in `folder`; `ValueError` where there is none that can be loaded."""
        self._take_cache(cache_size)
        self.id = f"{folder.name}@{weights_hash(folder)[:12]}"
        self._model = load(folder)
        self.dim = int(self._model.get_embedding_dimension())
        self.max_tokens = int(self._model.max_seq_length)

    def _take_cache(self, cache_size: int) -> None:
        self._cache: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._cache_size = cache_size
        self._lock = threading.Lock()
        """Guards the cache alone: what is known is returned while something else is computed."""
        self._computing = threading.Lock()

    def warm_up(self) -> None:
        """Load the model and compute once, so that no request pays for it."""
        self.embed(["warm up"])

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return unit vectors, float32, shape (n, d).

        Raises `RuntimeError` when the installed weights are not the ones the vectors in the
        database came from.
        """
        keys = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in texts]
        with self._lock:
            found = {key: self._cache[key] for key in keys if key in self._cache}
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in found}
        if new:
            with self._computing:
                found |= zip(new, self._encode(list(new.values())), strict=True)
        with self._lock:
            self._remember(found)
        return np.array([found[key] for key in keys], dtype=np.float32).reshape(-1, self.dim)

    def embed_roughly(self, texts: Sequence[str]) -> np.ndarray:
        """See `Embedder`; what nobody asks for again takes no place in the cache either."""
        with self._computing, _products_of_bf16():
            return self._encode(list(texts))

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has, its two marks included."""
        with self._computing:
            ids = self._loaded().tokenizer([_bounded(text) for text in texts], verbose=False)
        counts = [len(each) for each in ids["input_ids"]]
        return [
            max(count, self.max_tokens + 1) if len(text) > MAX_CHARACTERS else count
            for count, text in zip(counts, texts, strict=True)
        ]

    def unknown_share(self, text: str) -> float:
        """Return which share of a text's tokens stands for words that the model does not know."""
        with self._computing:
            tokenizer = self._loaded().tokenizer
            ids = tokenizer([_bounded(text)], add_special_tokens=False, verbose=False)
        tokens = ids["input_ids"][0]
        return tokens.count(tokenizer.unk_token_id) / len(tokens) if tokens else 0.0

    def _loaded(self) -> Any:
        return self._model

    def _encode(self, texts: list[str]) -> np.ndarray:
        if not texts:
            return np.empty((0, self.dim), np.float32)
        model = self._loaded()
        with _one_thread():
            vectors: np.ndarray = model.encode(
                [_bounded(text) for text in texts],
                batch_size=BATCH,
                normalize_embeddings=True,
                convert_to_numpy=True,
                show_progress_bar=False,
            )
        return vectors

    def _remember(self, vectors: dict[bytes, np.ndarray]) -> None:
        for key, vector in vectors.items():
            self._cache[key] = vector
            self._cache.move_to_end(key)
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)


def _bounded(text: str) -> str:
    return text.encode("utf-8", "replace").decode()[:MAX_CHARACTERS]


def weights_hash(folder: Path) -> str:
    """Return the SHA-256 of a model's weights, in hex; `ValueError` where there are none."""
    files = sorted(file for pattern in WEIGHTS for file in folder.glob(pattern))
    if not files:
        raise ValueError(f"{folder} holds no model of sentence-transformers: no weights are there")
    found = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            found.update(hashlib.file_digest(file, "sha256").digest())
    return found.hexdigest()


def load(folder: Path) -> Any:
    """Load the model, quietly; `ValueError` where it is none."""
    with _uncollected():
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as progress

    shown = progress.is_progress_bar_enabled()
    progress.disable_progress_bar()
    try:
        return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    except (OSError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} holds no model of sentence-transformers: {error}") from error
    finally:
        if shown:
            progress.enable_progress_bar()


@contextmanager
def _uncollected() -> Iterator[None]:
    """Import without a look for garbage at every turn: a fifth of the time that it takes."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def _products_of_bf16() -> Iterator[None]:
    """Multiply in bf16 on this thread, where the processor does: a third of float32's time."""
    import torch

    can = bool(torch.cpu.get_capabilities().get("avx512_bf16"))
    with torch.autocast("cpu", torch.bfloat16, enabled=can):
        yield


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread, then give torch its threads back: the engine shares the process."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
