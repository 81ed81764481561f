"""Whether a folder holds a model that scores: told from its files, nothing is loaded."""

from __future__ import annotations

import json
from pathlib import Path

CONFIG = "config.json"
KIND = "ForSequenceClassification"
"""How transformers ends the names of what reads a text and says a few numbers of it."""
WEIGHTS = ("*.safetensors", "*.bin")


def check_folder(folder: Path) -> None:
    """Raise `ValueError`, in one line that says what to do, where no reward model is there."""
    if not folder.is_dir():
        raise ValueError(f"there is no such folder; give that of a *{KIND} model")
    try:
        config = json.loads((folder / CONFIG).read_bytes())
        names = [str(name) for name in config.get("architectures") or ()]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        reason = getattr(error, "strerror", None) or "it is no JSON object"
        raise ValueError(f"its {CONFIG} cannot be read: {reason}") from error
    if not any(name.endswith(KIND) for name in names):
        said = ", ".join(names) or "nothing"
        raise ValueError(f"its {CONFIG} names {said}; give the folder of a *{KIND} model")
    if not any(path for pattern in WEIGHTS for path in folder.glob(pattern)):
        raise ValueError("it holds no weights, such as model.safetensors; fetch the whole model")
