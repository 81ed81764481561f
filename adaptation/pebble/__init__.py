"""whet-pebble: the small model Whet ships for demonstrations and tests, and its recipe.

Importing this package costs nothing: the path of the weights needs neither torch nor transformers.
"""

from pathlib import Path

__all__ = ["model_path"]


def model_path() -> Path:
    """Folder of the finished model, in Hugging Face layout."""
    return Path(__file__).parent / "weights"
