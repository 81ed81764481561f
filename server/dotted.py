"""Trees of properties as lines: a property of a property is called by both their names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def dotted(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the properties of a tree by their names, with dots between its levels."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from dotted(value, f"{above}{name}.")
        else:
            yield above + name, value
