"""Where accepted per-request adapters are kept: below the data folder, apart for all weights."""

from __future__ import annotations

from pathlib import Path

from adaptation.learning.adapter_cache import AdapterCache
from memory.text import digest

FOLDER = "kept-adapters"
MB = 1_000_000
WEIGHTS = ("*.safetensors", "*.bin", "config.json")


def kept_adapters(data_dir: Path, model: str, megabytes: int) -> AdapterCache | None:
    """Open the adapters that were kept of `model`, a folder or a name; None where none may be.

    A model of the same name with other weights has another folder: an adapter of the first would
    do it harm.
    """
    if not megabytes:
        return None
    root = data_dir / FOLDER / _weights(model)
    root.mkdir(parents=True, exist_ok=True)
    return AdapterCache(root, megabytes * MB)


def _weights(model: str) -> str:
    """What tells a model's weights from others: their files' names, sizes and times."""
    folder = Path(model)
    files = sorted(path for pattern in WEIGHTS for path in folder.glob(pattern))
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    return digest(["weights", model, [list(each) for each in stats]])[:16]
