"""How large a JSON text is, and how deep, told without parsing it.

Parsing a body of tiny parts holds the event loop for as long as it lasts, and no thread helps: the
parser never lets go of the interpreter. This looks at a few bytes only, a block at a time, and is
linear in the text. It says nothing about whether the text is valid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK_BYTES = 2**16
"""Scanned in about a millisecond, whatever is in it."""
ITEM_DEPTH = 3
"""Depth of an object in one of the body's own lists: a message, a tool, an item of input."""
_STRUCTURE = b'"[]{},'
_REST = bytes(set(range(256)) - set(_STRUCTURE))


def _steps() -> np.ndarray:
    """How each byte changes the depth."""
    steps = np.zeros(256, np.int8)
    steps[list(b"[{")], steps[list(b"]}")] = 1, -1
    return steps


_STEPS = _steps()


@dataclass
class JsonScan:
    """What a text has shown so far."""

    parts: int = 0
    """Objects, arrays and strings."""
    values: int = 0
    """Values of all kinds: at most one more than there are."""
    items: int = 0
    """Objects in the lists that the outermost object holds."""
    deepest: int = 0
    _depth: int = 0
    _quotes: int = 0
    _left: bytes = b""

    def add(self, block: bytes) -> None:
        """Scan what comes next."""
        outside = self._without_strings(block)
        structure = np.frombuffer(outside, np.uint8)  # (bytes outside strings,)
        depths = self._depth + np.cumsum(_STEPS[structure], dtype=np.int64)
        if depths.size:
            self._depth = int(depths[-1])
            self.deepest = max(self.deepest, int(depths.max()))
        opened = int((_STEPS[structure] == 1).sum())
        self.items += int(((structure == ord("{")) & (depths == ITEM_DEPTH)).sum())
        self.values += opened + outside.count(b",")
        self.parts += opened

    @classmethod
    def at_most(cls, text: bytes) -> JsonScan:
        """Return what a text cannot exceed: what stands in its strings counts as well."""
        opened = text.count(b"{") + text.count(b"[")
        strings = (text.count(b'"') + 1) // 2
        values = opened + text.count(b",")
        return cls(parts=opened + strings, values=values, items=opened, deepest=opened)

    def _without_strings(self, block: bytes) -> bytes:
        """Return the brackets and commas that stand outside strings."""
        block = self._left + block
        escapes_at_end = len(block) - len(block.rstrip(b"\\"))
        self._left = b"\\" * (escapes_at_end % 2)
        block = block[: len(block) - len(self._left)]
        bare = block.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _REST)
        pieces = bare.split(b'"')
        was_inside = self._quotes % 2
        self._quotes += len(pieces) - 1
        self.parts += (len(pieces) - 1 + (not was_inside)) // 2
        return b"".join(pieces[was_inside::2])
